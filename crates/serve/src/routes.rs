//! Every address the program answers, in one table: the router is built from it, the API
//! description is compared with it, and the authorisation test walks it.

use std::net::SocketAddr;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{MethodRouter, get, post, put};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::{Site, api, guard, live, metrics, page};

/// Who may use an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody who can reach the address the program listens on.
    Read,
    /// Only this PC, only from Mimamori's own pages or a script.
    Change,
    /// A device with its token.
    DeviceToken,
}

/// One address.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// `GET`, `POST` or `PUT`.
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    handler: fn() -> MethodRouter<Site>,
}

macro_rules! route {
    ($method:literal, $path:literal, $access:ident, $handler:expr) => {
        Route {
            method: $method,
            path: $path,
            access: Access::$access,
            handler: || $handler,
        }
    };
}

/// The table.
pub const ROUTES: &[Route] = &[
    route!("GET", "/", Read, get(page::board::show)),
    route!("GET", "/machines/{id}", Read, get(page::machine::show)),
    route!("GET", "/events", Read, get(page::events::show)),
    route!("GET", "/devices", Read, get(page::devices::show)),
    route!("GET", "/assets/{version}/{file}", Read, get(page::asset)),
    route!("GET", "/live", Read, get(live::stream)),
    route!("GET", "/healthz", Read, get(metrics::healthz)),
    route!("GET", "/metrics", Read, get(metrics::metrics)),
    route!("GET", "/api/v1/openapi.json", Read, get(api::openapi)),
    route!("GET", "/api/v1/board", Read, get(api::board)),
    route!("GET", "/api/v1/machines", Read, get(api::machines)),
    route!("GET", "/api/v1/machines/{id}", Read, get(api::machine)),
    route!(
        "GET",
        "/api/v1/machines/{id}/cycles",
        Read,
        get(api::cycles)
    ),
    route!(
        "GET",
        "/api/v1/machines/{id}/states",
        Read,
        get(api::states)
    ),
    route!(
        "GET",
        "/api/v1/machines/{id}/readings",
        Read,
        get(api::readings)
    ),
    route!(
        "GET",
        "/api/v1/machines/{id}/reference",
        Read,
        get(api::reference)
    ),
    route!(
        "POST",
        "/api/v1/machines/{id}/reference/approve",
        Change,
        post(api::approve)
    ),
    route!(
        "POST",
        "/api/v1/machines/{id}/reference/relearn",
        Change,
        post(api::relearn)
    ),
    route!(
        "PUT",
        "/api/v1/machines/{id}/tolerance",
        Change,
        put(api::set_tolerance)
    ),
    route!("GET", "/api/v1/alarms", Read, get(api::alarms)),
    route!(
        "POST",
        "/api/v1/alarms/{id}/acknowledge",
        Change,
        post(api::acknowledge)
    ),
    route!("GET", "/api/v1/findings", Read, get(api::findings)),
    route!("GET", "/api/v1/devices", Read, get(api::devices)),
    route!("GET", "/api/v1/refused", Read, get(api::refused)),
    route!("GET", "/evidence", Read, get(page::evidence::show)),
    route!("GET", "/api/v1/evidence", Read, get(api::evidence)),
    route!(
        "GET",
        "/api/v1/evidence/checkpoint",
        Read,
        get(api::checkpoint)
    ),
    route!(
        "POST",
        "/api/v1/evidence/checkpoint",
        Change,
        post(api::sign_checkpoint)
    ),
    route!(
        "POST",
        "/api/v1/evidence/verify",
        Change,
        post(api::verify_evidence)
    ),
    route!("POST", "/ingest/{device}", DeviceToken, post(api::ingest)),
];

/// Serves the site until `closing` turns true.
pub async fn run(listener: TcpListener, site: Site, mut closing: watch::Receiver<bool>) {
    let service = router(site).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service);
    tokio::select! {
        _ = serving => {}
        _ = closing.wait_for(|closed| *closed) => {}
    }
}

/// The whole site.
fn router(site: Site) -> Router {
    let compressible = SizeAbove::new(512).and(NotForContentType::const_new("text/event-stream"));
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.path, (route.handler)());
    }
    router
        .fallback(page::not_found)
        .layer(from_fn(guard::changes))
        .layer(from_fn(guard::headers))
        .layer(CompressionLayer::new().compress_when(compressible))
        .with_state(site)
}
