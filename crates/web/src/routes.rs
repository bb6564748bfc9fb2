//! Every address the program answers, in one table: the router is built from it, the API
//! description is compared with it, and the authorisation test walks it.

use app::ports::files::FILE_BYTES_MAX;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post, put};
use model::Right;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use crate::api::{
    bindings, files, history, ingest, metrics, neighbours, notices, rates, sources, tables,
};
use crate::http::access::Access;
use crate::http::{doors, guard};
use crate::{Site, api, live, pages};

/// Largest form with a file in it.
const FORM_BYTES_MAX: usize = FILE_BYTES_MAX + 64 * 1024;

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
    ($method:literal, $path:literal, $access:expr, $handler:expr) => {
        Route {
            method: $method,
            path: $path,
            access: $access,
            handler: || $handler,
        }
    };
}

const SHARED: Access = Access::May(Right::LookShared);
const LOOK: Access = Access::May(Right::Look);
const ACKNOWLEDGE: Access = Access::May(Right::Acknowledge);
const JUDGE: Access = Access::May(Right::Judge);
const OPERATE: Access = Access::May(Right::Operate);
const EVIDENCE: Access = Access::May(Right::Evidence);
const DEVICES: Access = Access::May(Right::Devices);
const PEOPLE: Access = Access::May(Right::People);

/// The table.
pub const ROUTES: &[Route] = &[
    route!("GET", "/", LOOK, get(pages::board::show)),
    route!("GET", "/machines/{id}", LOOK, get(pages::machine::show)),
    route!("GET", "/shared", SHARED, get(pages::shared::show)),
    route!("GET", "/shared/live", SHARED, get(live::shared_stream)),
    route!(
        "GET",
        "/api/v1/shared",
        SHARED,
        get(pages::shared::machines)
    ),
    route!("GET", "/events", LOOK, get(pages::events::show)),
    route!("GET", "/network", LOOK, get(pages::network::show)),
    route!("GET", "/notices", DEVICES, get(pages::notices::show)),
    route!("POST", "/notices", DEVICES, post(pages::notices::add)),
    route!(
        "POST",
        "/notices/server",
        DEVICES,
        post(pages::notices::set_server)
    ),
    route!(
        "POST",
        "/notices/try",
        DEVICES,
        post(pages::notices::try_out)
    ),
    route!("POST", "/notices/end", DEVICES, post(pages::notices::end)),
    route!("GET", "/logs", LOOK, get(pages::logs::show)),
    route!("GET", "/devices", LOOK, get(pages::devices::show)),
    route!("POST", "/devices", DEVICES, post(pages::devices::add)),
    route!(
        "POST",
        "/devices/{id}/end",
        DEVICES,
        post(pages::devices::end)
    ),
    route!(
        "POST",
        "/devices/{id}/limit",
        DEVICES,
        post(pages::devices::limit)
    ),
    route!("POST", "/bindings", DEVICES, post(pages::arrived::bind)),
    route!(
        "POST",
        "/bindings/end",
        DEVICES,
        post(pages::arrived::unbind)
    ),
    route!("GET", "/connect", DEVICES, get(pages::connect::index)),
    route!("GET", "/connect/phone", DEVICES, get(pages::phone::form)),
    route!("POST", "/connect/phone", DEVICES, post(pages::phone::make)),
    route!(
        "GET",
        "/connect/phone/{device}",
        DEVICES,
        get(pages::phone::wait)
    ),
    route!("GET", "/phone", Access::Open, get(pages::phone::show)),
    route!(
        "POST",
        "/phone/join",
        Access::Open,
        post(pages::phone::join)
    ),
    route!("GET", "/connect/{kind}", DEVICES, get(pages::connect::show)),
    route!(
        "POST",
        "/connect/{kind}",
        DEVICES,
        post(pages::connect::send)
    ),
    route!(
        "POST",
        "/sources/{id}/end",
        DEVICES,
        post(pages::devices::end)
    ),
    route!(
        "POST",
        "/sources/{id}/switch-off",
        OPERATE,
        post(pages::off::by_page)
    ),
    route!("GET", "/files", LOOK, get(pages::files::show)),
    route!(
        "POST",
        "/files",
        DEVICES,
        post(pages::files::put).layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
    ),
    route!("GET", "/files/{staged}", DEVICES, get(pages::files::look)),
    route!("POST", "/files/{staged}", DEVICES, post(pages::files::take)),
    route!(
        "POST",
        "/loggers/{id}/end",
        DEVICES,
        post(pages::files::end)
    ),
    route!("GET", "/rates", LOOK, get(pages::rates::show)),
    route!("POST", "/rates", JUDGE, post(pages::rates::set)),
    route!("GET", "/proof", LOOK, get(pages::proof::show)),
    route!(
        "POST",
        "/proof/{catalogue}/{function}/declare",
        EVIDENCE,
        post(pages::proof::declare)
    ),
    route!(
        "POST",
        "/proof/{catalogue}/{function}/read",
        LOOK,
        post(pages::proof::read)
    ),
    route!(
        "POST",
        "/demo/time-source",
        EVIDENCE,
        post(pages::proof::toggle_time)
    ),
    route!("GET", "/api/v1/proofs", LOOK, get(pages::proof::proofs)),
    route!(
        "POST",
        "/api/v1/proofs/look",
        EVIDENCE,
        post(pages::proof::look)
    ),
    route!(
        "POST",
        "/api/v1/proofs/{catalogue}/{function}/declare",
        EVIDENCE,
        post(pages::proof::declare_json)
    ),
    route!("GET", "/evidence", LOOK, get(pages::evidence::show)),
    route!("GET", "/trust", Access::Clear, get(pages::trust::show)),
    route!(
        "GET",
        "/trust/mimamori.crt",
        Access::Clear,
        get(pages::trust::certificate)
    ),
    route!("GET", "/claim", Access::Open, get(pages::door::claim)),
    route!(
        "POST",
        "/claim",
        Access::Open,
        post(pages::door::send_claim)
    ),
    route!("GET", "/restore", Access::Open, get(pages::restore::show)),
    route!("POST", "/restore", Access::Open, post(pages::restore::send)),
    route!(
        "POST",
        "/restore/cancel",
        Access::Open,
        post(pages::restore::cancel)
    ),
    route!("GET", "/sign-in", Access::Open, get(pages::door::sign_in)),
    route!(
        "POST",
        "/sign-in",
        Access::Open,
        post(pages::door::send_sign_in)
    ),
    route!(
        "GET",
        "/link/{secret}",
        Access::Open,
        get(pages::door::link)
    ),
    route!(
        "POST",
        "/link/{secret}",
        Access::Open,
        post(pages::door::send_link)
    ),
    route!(
        "POST",
        "/sign-out",
        Access::SignedIn,
        post(pages::me::sign_out)
    ),
    route!("GET", "/me", Access::SignedIn, get(pages::me::show)),
    route!(
        "POST",
        "/me/password",
        Access::SignedIn,
        post(pages::me::send_password)
    ),
    route!(
        "GET",
        "/me/second-factor",
        Access::SignedIn,
        get(pages::me::second_factor)
    ),
    route!(
        "POST",
        "/me/second-factor",
        Access::SignedIn,
        post(pages::me::send_second_factor)
    ),
    route!(
        "POST",
        "/me/second-factor/off",
        Access::SignedIn,
        post(pages::me::drop_second_factor)
    ),
    route!(
        "POST",
        "/sign-in/passkey/question",
        Access::Open,
        post(pages::passkey::ask)
    ),
    route!(
        "POST",
        "/sign-in/passkey",
        Access::Open,
        post(pages::passkey::sign_in)
    ),
    route!(
        "POST",
        "/me/passkeys/question",
        Access::SignedIn,
        post(pages::passkey::ask_new)
    ),
    route!(
        "POST",
        "/me/passkeys",
        Access::SignedIn,
        post(pages::passkey::add)
    ),
    route!(
        "POST",
        "/me/passkeys/{id}/end",
        Access::SignedIn,
        post(pages::passkey::end)
    ),
    route!(
        "POST",
        "/me/passes/{id}/end",
        Access::SignedIn,
        post(pages::me::end_pass)
    ),
    route!("GET", "/people", PEOPLE, get(pages::people::show)),
    route!("POST", "/people", PEOPLE, post(pages::people::invite)),
    route!("POST", "/people/{id}/end", PEOPLE, post(pages::people::end)),
    route!(
        "POST",
        "/people/{id}/shares",
        PEOPLE,
        post(pages::people::share)
    ),
    route!(
        "POST",
        "/people/tokens",
        PEOPLE,
        post(pages::people::make_token)
    ),
    route!(
        "POST",
        "/people/passes/{id}/end",
        PEOPLE,
        post(pages::people::end_pass)
    ),
    route!(
        "GET",
        "/assets/{version}/{file}",
        Access::Clear,
        get(pages::asset)
    ),
    route!("GET", "/live", LOOK, get(live::stream)),
    route!("GET", "/healthz", Access::Open, get(metrics::healthz)),
    route!("GET", "/metrics", LOOK, get(metrics::metrics)),
    route!(
        "GET",
        "/api/v1/openapi.json",
        Access::Open,
        get(api::openapi)
    ),
    route!("GET", "/api/v1/board", LOOK, get(api::board)),
    route!("GET", "/api/v1/machines", LOOK, get(api::machines)),
    route!("GET", "/api/v1/machines/{id}", LOOK, get(api::machine)),
    route!(
        "GET",
        "/api/v1/machines/{id}/cycles",
        LOOK,
        get(api::cycles)
    ),
    route!(
        "GET",
        "/api/v1/machines/{id}/states",
        LOOK,
        get(api::states)
    ),
    route!(
        "GET",
        "/api/v1/machines/{id}/readings",
        LOOK,
        get(history::readings)
    ),
    route!(
        "GET",
        "/api/v1/machines/{id}/picture",
        LOOK,
        get(history::picture)
    ),
    route!(
        "GET",
        "/api/v1/machines/{id}/sums",
        LOOK,
        get(history::sums)
    ),
    route!(
        "GET",
        "/api/v1/machines/{id}/reference",
        LOOK,
        get(api::reference)
    ),
    route!(
        "POST",
        "/api/v1/machines/{id}/reference/approve",
        JUDGE,
        post(api::approve)
    ),
    route!(
        "POST",
        "/api/v1/machines/{id}/reference/relearn",
        JUDGE,
        post(api::relearn)
    ),
    route!(
        "PUT",
        "/api/v1/machines/{id}/tolerance",
        JUDGE,
        put(api::set_tolerance)
    ),
    route!("GET", "/api/v1/rates", LOOK, get(rates::day)),
    route!("GET", "/api/v1/factory", LOOK, get(rates::factory)),
    route!("PUT", "/api/v1/factory", JUDGE, put(rates::set_factory)),
    route!("GET", "/api/v1/export/{table}", LOOK, get(tables::table)),
    route!("GET", "/api/v1/alarms", LOOK, get(api::alarms)),
    route!(
        "POST",
        "/api/v1/alarms/{id}/acknowledge",
        ACKNOWLEDGE,
        post(api::acknowledge)
    ),
    route!("GET", "/api/v1/findings", LOOK, get(api::findings)),
    route!("GET", "/api/v1/logs", LOOK, get(api::logs)),
    route!("GET", "/api/v1/devices", LOOK, get(api::devices)),
    route!("GET", "/api/v1/sources", LOOK, get(sources::list)),
    route!("POST", "/api/v1/sources", DEVICES, post(sources::add)),
    route!("GET", "/api/v1/sources/kinds", LOOK, get(sources::kinds)),
    route!(
        "POST",
        "/api/v1/sources/search/{kind}",
        DEVICES,
        post(sources::search)
    ),
    route!(
        "POST",
        "/api/v1/sources/try",
        DEVICES,
        post(sources::try_out)
    ),
    route!(
        "POST",
        "/api/v1/sources/{id}/end",
        DEVICES,
        post(sources::end)
    ),
    route!(
        "POST",
        "/api/v1/sources/{id}/switch-off",
        OPERATE,
        post(pages::off::by_script)
    ),
    route!("GET", "/api/v1/arrived", LOOK, get(bindings::list)),
    route!("POST", "/api/v1/bindings", DEVICES, post(bindings::add)),
    route!("POST", "/api/v1/bindings/end", DEVICES, post(bindings::end)),
    route!("GET", "/api/v1/files", LOOK, get(files::list)),
    route!("POST", "/api/v1/files/cancel", DEVICES, post(files::cancel)),
    route!("POST", "/api/v1/files/{logger}", DEVICES, post(files::take)),
    route!("POST", "/api/v1/loggers", DEVICES, post(files::put)),
    route!(
        "POST",
        "/api/v1/loggers/{id}/end",
        DEVICES,
        post(files::end)
    ),
    route!("GET", "/api/v1/neighbours", LOOK, get(neighbours::list)),
    route!("GET", "/api/v1/notices", DEVICES, get(notices::show)),
    route!("PUT", "/api/v1/notices", DEVICES, put(notices::set)),
    route!(
        "POST",
        "/api/v1/notices/try",
        DEVICES,
        post(notices::try_out)
    ),
    route!("GET", "/api/v1/refused", LOOK, get(api::refused)),
    route!("GET", "/api/v1/services", LOOK, get(api::services)),
    route!("GET", "/api/v1/evidence", LOOK, get(api::evidence)),
    route!(
        "GET",
        "/api/v1/evidence/checkpoint",
        LOOK,
        get(api::checkpoint)
    ),
    route!(
        "POST",
        "/api/v1/evidence/checkpoint",
        EVIDENCE,
        post(api::sign_checkpoint)
    ),
    route!(
        "POST",
        "/api/v1/evidence/verify",
        EVIDENCE,
        post(api::verify_evidence)
    ),
    route!("POST", "/api/v1/backups", EVIDENCE, post(api::back_up)),
    route!(
        "POST",
        "/api/v1/backups/cancel",
        EVIDENCE,
        post(api::cancel_backup)
    ),
    route!("GET", "/api/v1/people", PEOPLE, get(api::people)),
    route!("POST", "/api/v1/tokens", PEOPLE, post(api::make_token)),
    route!(
        "POST",
        "/enroll/{device}",
        Access::DeviceToken,
        post(ingest::enroll)
    ),
    route!(
        "GET",
        "/ingest/{device}",
        Access::DeviceToken,
        get(ingest::about)
    ),
    route!(
        "POST",
        "/ingest/{device}",
        Access::DeviceToken,
        post(ingest::ingest)
    ),
];

/// The whole site.
pub(crate) fn router(site: Site) -> Router {
    let compressible = SizeAbove::new(512).and(NotForContentType::const_new("text/event-stream"));
    let mut router = Router::new();
    for route in ROUTES {
        let admit = from_fn_with_state((site.clone(), route.access), guard::admit);
        router = router.route(route.path, (route.handler)().route_layer(admit));
    }
    router
        .fallback(guard::nowhere)
        .layer(from_fn(guard::headers))
        .layer(from_fn(doors::patience))
        .layer(CompressionLayer::new().compress_when(compressible))
        .with_state(site)
}
