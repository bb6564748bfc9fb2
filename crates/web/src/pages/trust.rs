//! The page that hands out the box's own certificate authority, with the fingerprint to compare. It
//! is the only one that other computers get in clear text: before the certificate is there, nothing
//! else can be.

use std::sync::Arc;

use app::views::{TrustView, in_groups};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::html;
use text::{Lang, key};

use super::door::lone;
use crate::http::access::CLEAR;
use crate::http::asked::{Asked, without_port};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/trust", CLEAR, show),
    page!(get "/trust/mimamori.crt", CLEAR, certificate),
];

/// The page.
pub(crate) async fn show(
    State(trust): State<Option<Arc<TrustView>>>,
    Asked(lang): Asked<Lang>,
    headers: HeaderMap,
) -> Response {
    let Some(trust) = &trust else {
        return Failure::not_found().into_response();
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.map_or("localhost", without_port);
    let address = format!("https://{host}:{}/", trust.https.port());
    let steps = [
        key::TRUST_STEP_COMPARE,
        key::TRUST_STEP_IOS,
        key::TRUST_STEP_ANDROID,
        key::TRUST_STEP_WINDOWS,
    ];
    let body = html! {
        p { (lang.text(key::TRUST_WHY)) }
        p.quiet { (lang.text(key::TRUST_FINGERPRINT)) }
        p { code.fingerprint { (in_groups(&trust.fingerprint)) } }
        p { a.button.main href="/trust/mimamori.crt" download { (lang.text(key::TRUST_GET)) } }
        ol.why { @for step in steps { li { (lang.text(step)) } } }
        p { a.button href=(address) { (lang.with(key::TRUST_GO, &[("address", &address)])) } }
        p.quiet { (lang.text(key::TRUST_RISK)) }
        p.quiet { (lang.text(key::TRUST_DEVICES)) }
    };
    lone(lang, StatusCode::OK, key::TRUST_TITLE, &body)
}

/// The certificate, as browsers, phones and Windows take it.
pub(crate) async fn certificate(State(trust): State<Option<Arc<TrustView>>>) -> Response {
    let Some(trust) = &trust else {
        return Failure::not_found().into_response();
    };
    let headers = [
        (CONTENT_TYPE, "application/x-x509-ca-cert"),
        (CONTENT_DISPOSITION, "attachment; filename=\"mimamori.crt\""),
    ];
    (headers, trust.authority_pem.clone()).into_response()
}
