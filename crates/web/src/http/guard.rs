//! What stands before every request: security headers, the language, who sends it and whether they
//! may, and that a browser's change comes from Mimamori's own pages.

use std::sync::Arc;

use app::views::TrustView;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::Cookie;
use identity::Gate;
use model::Right;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use text::{Lang, key};

use crate::http::access::Access;
use crate::http::asked::{Asked, WayIn, bearer, header, lang_cookie, lang_of, query_lang, session};
use crate::http::failure::Failure;
use crate::pages;
use crate::site::part;

/// Scripts, styles, pictures and connections only from here; nothing inline, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

part! {
    /// What decides who comes in.
    Door {
        gate: Arc<Gate>,
        trust: Option<Arc<TrustView>>,
    }
}

/// Writes a refusal in the reader's language, adds the headers and keeps the language that `?lang=`
/// chose.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let lang = lang_of(request.uri(), request.headers());
    let chosen = query_lang(request.uri());
    let is_encrypted = request
        .extensions()
        .get::<WayIn>()
        .is_some_and(|way| way.is_encrypted);
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = failure.answer(lang);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if is_encrypted {
        let cookies: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().cloned().collect();
        headers.remove(SET_COOKIE);
        for cookie in cookies.iter().filter_map(only_encrypted) {
            headers.append(SET_COOKIE, cookie);
        }
    }
    if let Some(lang) = chosen
        && let Ok(value) = HeaderValue::from_str(&lang_cookie(lang).to_string())
    {
        headers.append(SET_COOKIE, value);
    }
    response
}

/// A cookie that browsers send over TLS alone.
fn only_encrypted(cookie: &HeaderValue) -> Option<HeaderValue> {
    let mut cookie = Cookie::parse(cookie.to_str().ok()?).ok()?;
    cookie.set_secure(true);
    HeaderValue::from_str(&cookie.to_string()).ok()
}

/// Lets a request through to an address if who sends it may use it. A browser that is not signed
/// in is led to where it can; a script gets the reason.
pub(crate) async fn admit(
    State((door, access)): State<(Door, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    if access != Access::Clear && !is_private(&request) {
        return lead_to_trust(&door, &request);
    }
    let (from_page, changes) = (same_origin(request.headers()), is_change(&request));
    let right = match access {
        // Forms that let somebody in: a page of another site may not send them either.
        Access::Open if changes && from_page == Some(false) => return foreign(&request),
        Access::Open | Access::DeviceToken if changes => return to_the_end(request, next).await,
        Access::Clear | Access::Open | Access::DeviceToken => return next.run(request).await,
        Access::SignedIn => None,
        Access::May(right) => Some(right),
    };
    let kept = session(request.headers());
    let (given, by_cookie) = match bearer(request.headers()) {
        Some(token) => (Some(token), false),
        None => (kept.as_deref(), true),
    };
    let Some(who) = given.and_then(|given| door.gate.who(given)) else {
        return lead_in(&door, &request);
    };
    // What is a person's own (password, second factor, sessions) is not a script's.
    if right.map_or(!who.is_session, |right| !who.may(right)) {
        if request.uri().path() == "/" && who.may(Right::LookShared) {
            return Redirect::to("/shared").into_response();
        }
        return Failure::not_allowed().into_response();
    }
    // Browsers send the cookie along whoever made the page; they also say who did.
    if by_cookie && changes && from_page != Some(true) {
        return foreign(&request);
    }
    request.extensions_mut().insert(who);
    if changes {
        return to_the_end(request, next).await;
    }
    next.run(request).await
}

/// Whether nobody else can read what goes to and fro: it is encrypted, or does not leave this PC.
fn is_private(request: &Request) -> bool {
    let way = request.extensions().get::<WayIn>();
    way.is_some_and(|way| way.is_encrypted || way.is_local)
}

/// What another computer gets in clear text.
fn lead_to_trust(door: &Door, request: &Request) -> Response {
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_page && door.trust.is_some() && !request.uri().path().starts_with("/api/") {
        return Redirect::to("/trust").into_response();
    }
    Failure::new(StatusCode::FORBIDDEN, "clear_text", key::ERROR_CLEAR_TEXT)
        .hint(key::ERROR_CLEAR_TEXT_HINT)
        .into_response()
}

/// An address that is none.
pub(crate) async fn nowhere(
    State(door): State<Door>,
    Asked(lang): Asked<Lang>,
    request: Request,
) -> Response {
    if !is_private(&request) {
        return lead_to_trust(&door, &request);
    }
    pages::not_found(request.uri(), lang)
}

/// A change that has begun is finished even if who asked for it hangs up: half of one would leave
/// memory and disk in disagreement.
async fn to_the_end(request: Request, next: Next) -> Response {
    let done = tokio::spawn(next.run(request)).await;
    done.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// What somebody gets whose browser says that the change comes from elsewhere: also whoever sits
/// behind a proxy that calls the box by another name.
fn foreign(request: &Request) -> Response {
    let status = StatusCode::FORBIDDEN;
    let kind = header(request.headers(), CONTENT_TYPE).unwrap_or_default();
    if is_for_scripts(request.uri().path()) || kind.starts_with("application/json") {
        let failure = Failure::new(status, "origin", key::ERROR_ORIGIN);
        return failure.hint(key::ERROR_ORIGIN_HINT).into_response();
    }
    let lang = lang_of(request.uri(), request.headers());
    pages::refused(status, lang, [key::ERROR_ORIGIN, key::ERROR_ORIGIN_HINT])
}

/// Whether an answer is read by a script and not by a person.
fn is_for_scripts(path: &str) -> bool {
    path.starts_with("/api/") || matches!(path, "/live" | "/metrics")
}

fn is_change(request: &Request) -> bool {
    let method = request.method();
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What somebody gets who is not signed in.
fn lead_in(door: &Door, request: &Request) -> Response {
    let path = request.uri().path();
    if !is_for_scripts(path) && !is_change(request) {
        if !door.gate.is_claimed() {
            return Redirect::to("/claim").into_response();
        }
        let wanted = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let next = utf8_percent_encode(wanted, NON_ALPHANUMERIC);
        return Redirect::to(&format!("/sign-in?next={next}")).into_response();
    }
    let failure = if door.gate.is_claimed() {
        Failure::new(
            StatusCode::UNAUTHORIZED,
            "not_signed_in",
            key::ERROR_SIGN_IN,
        )
        .hint(key::ERROR_SIGN_IN_HINT)
    } else {
        Failure::new(StatusCode::UNAUTHORIZED, "unclaimed", key::ERROR_UNCLAIMED)
            .hint(key::ERROR_UNCLAIMED_HINT)
    };
    failure.into_response()
}

/// Whether the page that sent a request is Mimamori's own; `None` if the request does not say.
fn same_origin(headers: &HeaderMap) -> Option<bool> {
    let host = header(headers, HOST).unwrap_or_default();
    let origin = header(headers, ORIGIN)?;
    // A browser leaves out the port that its scheme has anyway; some proxies write it.
    let is_host = |plain: &str, port: &str| plain == host || Some(plain) == host.strip_suffix(port);
    let secure = origin.strip_prefix("https://");
    let clear = origin.strip_prefix("http://");
    let is_own = secure.is_some_and(|plain| is_host(plain, ":443"));
    Some(is_own || clear.is_some_and(|plain| is_host(plain, ":80")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_is_known_by_its_port_and_another_is_not() {
        let said = |origin: &'static str, host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
            headers.insert(HOST, HeaderValue::from_static(host));
            same_origin(&headers)
        };
        for (origin, host) in [
            ("https://a.example", "a.example"),
            ("https://a.example", "a.example:443"),
            ("http://a.example", "a.example:80"),
            ("https://a.example:8443", "a.example:8443"),
        ] {
            assert_eq!(said(origin, host), Some(true), "{origin} {host}");
        }
        for (origin, host) in [
            ("https://a.example", "b.example"),
            ("http://a.example", "a.example:443"),
            ("https://a.example", "a.example:8443"),
            ("null", "a.example"),
        ] {
            assert_eq!(said(origin, host), Some(false), "{origin} {host}");
        }
        assert_eq!(same_origin(&HeaderMap::new()), None);
    }
}
