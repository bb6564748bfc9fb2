//! The page that hands out the box's own certificate authority, with the fingerprint to compare. It
//! is the only one that other computers get in clear text: before the certificate is there, nothing
//! else can be.

use std::sync::Arc;

use app::ports::network::Network;
use app::views::{TrustView, in_groups};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::html;
use text::{Key, Lang, key};

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

/// What browsers call the system they run on, and how a certificate is installed there.
const SYSTEMS: [(&[&str], Key); 5] = [
    (&["iPhone", "iPad"], key::TRUST_STEP_IOS),
    (&["Android"], key::TRUST_STEP_ANDROID),
    (&["Windows"], key::TRUST_STEP_WINDOWS),
    (&["Macintosh"], key::TRUST_STEP_MACOS),
    (&["Linux"], key::TRUST_STEP_LINUX),
];

/// The page.
pub(crate) async fn show(
    State(trust): State<Option<Arc<TrustView>>>,
    State(network): State<Arc<dyn Network>>,
    Asked(lang): Asked<Lang>,
    headers: HeaderMap,
) -> Response {
    let Some(trust) = &trust else {
        return Failure::not_found().into_response();
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.map_or("localhost", without_port);
    let address = format!("https://{host}:{}/", trust.https.port());
    let agent = headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    let body = html! {
        p { (lang.text(key::TRUST_WHY)) }
        p.quiet { (lang.text(key::TRUST_FINGERPRINT)) }
        p { code.fingerprint { (in_groups(&trust.fingerprint)) } }
        ol.why {
            li {
                (lang.text(key::TRUST_STEP_COMPARE))
                p {
                    a.button.main href="/trust/mimamori.crt" download {
                        (lang.text(key::TRUST_GET))
                    }
                }
            }
            li {
                (lang.text(key::TRUST_STEP_INSTALL))
                ul { @for how in ways_of(agent.unwrap_or_default()) { li { (lang.text(how)) } } }
            }
            li {
                p {
                    a.button href=(address) {
                        (lang.with(key::TRUST_GO, &[("address", &address)]))
                    }
                }
            }
        }
        @if let Some(name) = network.name() {
            @let by_name = format!("https://{name}:{}/", trust.https.port());
            p { (lang.with(key::TRUST_BY_NAME, &[("address", &by_name)])) }
        }
        p.quiet { (lang.text(key::TRUST_RISK)) }
        p.quiet { (lang.text(key::TRUST_DEVICES)) }
    };
    lone(lang, StatusCode::OK, key::TRUST_TITLE, &body)
}

/// How the certificate is installed, on the system of the browser that asks first.
fn ways_of(agent: &str) -> Vec<Key> {
    let mut ways = SYSTEMS;
    let is_other = |marks: &[&str]| !marks.iter().any(|mark| agent.contains(mark));
    // Android says that it is Linux too, and comes before it.
    ways.sort_by_key(|(marks, _)| is_other(marks));
    ways.map(|(_, how)| how).to_vec()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_that_asks_comes_first_and_the_others_follow() {
        let first = |agent: &str| ways_of(agent)[0];
        for (agent, wanted) in [
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)",
                key::TRUST_STEP_IOS,
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8)",
                key::TRUST_STEP_ANDROID,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
                key::TRUST_STEP_WINDOWS,
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6)",
                key::TRUST_STEP_MACOS,
            ),
            ("Mozilla/5.0 (X11; Linux x86_64)", key::TRUST_STEP_LINUX),
            ("curl/8.0", key::TRUST_STEP_IOS),
        ] {
            assert_eq!(first(agent), wanted, "{agent}");
            assert_eq!(ways_of(agent).len(), SYSTEMS.len());
        }
    }
}
