//! Every address the program answers: each page and each part of the API says its own, and here
//! they come together. The router is built from them, the description of the API is made from
//! them, and the authorisation test walks them.

use axum::Router;
use axum::extract::FromRef as _;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use crate::api as scripts;
use crate::http::apart::keep_apart;
use crate::http::guard::Door;
use crate::http::route::Route;
use crate::http::{doors, guard, passing};
use crate::{Site, live, pages};

/// The addresses of each page and each part of the API.
const SLICES: &[&[Route]] = &[
    scripts::alarms::ROUTES,
    scripts::annotations::ROUTES,
    scripts::bindings::ROUTES,
    scripts::demand::ROUTES,
    scripts::description::ROUTES,
    scripts::devices::ROUTES,
    scripts::evidence::ROUTES,
    scripts::files::ROUTES,
    scripts::history::ROUTES,
    scripts::ingest::ROUTES,
    scripts::lots::ROUTES,
    scripts::machines::ROUTES,
    scripts::metrics::ROUTES,
    scripts::neighbours::ROUTES,
    scripts::notices::ROUTES,
    scripts::off::ROUTES,
    scripts::people::ROUTES,
    scripts::proofs::ROUTES,
    scripts::rates::ROUTES,
    scripts::shared::ROUTES,
    scripts::sources::ROUTES,
    scripts::tables::ROUTES,
    scripts::wear::ROUTES,
    live::ROUTES,
    pages::ROUTES,
    pages::arrived::ROUTES,
    pages::board::ROUTES,
    pages::connect::ROUTES,
    pages::daily::ROUTES,
    pages::demand::ROUTES,
    pages::devices::ROUTES,
    pages::door::ROUTES,
    pages::events::ROUTES,
    pages::evidence::ROUTES,
    pages::files::ROUTES,
    pages::guide::ROUTES,
    pages::left_out::ROUTES,
    pages::limits::ROUTES,
    pages::cycle_length::ROUTES,
    pages::logs::ROUTES,
    pages::lots::ROUTES,
    pages::lots::guest::ROUTES,
    pages::machine::ROUTES,
    pages::machine_day::ROUTES,
    pages::maintained::ROUTES,
    pages::maintenance::ROUTES,
    pages::me::ROUTES,
    pages::network::ROUTES,
    pages::not_producing::ROUTES,
    pages::notices::ROUTES,
    pages::off::ROUTES,
    pages::passkey::ROUTES,
    pages::people::ROUTES,
    pages::phone::ROUTES,
    pages::photo::ROUTES,
    pages::proof::ROUTES,
    pages::rates::ROUTES,
    pages::refused::ROUTES,
    pages::restore::ROUTES,
    pages::sample::ROUTES,
    pages::search::ROUTES,
    pages::settings::ROUTES,
    pages::taught::ROUTES,
    pages::upkeep::ROUTES,
    pages::shared::ROUTES,
    pages::shifts::ROUTES,
    pages::stops::ROUTES,
    pages::timeline::ROUTES,
    pages::tour::ROUTES,
    pages::trust::ROUTES,
    pages::wall::ROUTES,
];

/// Every address.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    SLICES.iter().copied().flatten()
}

/// Everything the program answers, made once and served at every door.
#[derive(Debug, Clone)]
pub struct Served(pub(crate) Router);

impl From<Site> for Served {
    fn from(site: Site) -> Self {
        Self(router(site))
    }
}

fn router(site: Site) -> Router {
    let compressible = SizeAbove::new(512).and(NotForContentType::const_new("text/event-stream"));
    let door = Door::from_ref(&site);
    let is_demonstration = site.proofs.stage.is_some();
    let mut router = Router::new();
    for route in routes() {
        let admit = from_fn_with_state((door.clone(), route.access), guard::admit);
        let answered = (route.answered_by)();
        router = router.route(route.path, answered.route_layer(admit));
    }
    let mut router = router
        .fallback(guard::nowhere)
        .layer(from_fn(guard::headers));
    if is_demonstration {
        router = router.layer(from_fn(keep_apart));
    }
    router
        .layer(from_fn(passing::let_pass))
        .layer(from_fn(doors::patience))
        .layer(CompressionLayer::new().compress_when(compressible))
        .with_state(site)
}
