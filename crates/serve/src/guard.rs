//! What stands before every request: security headers, the language, and the rule that changes
//! come only from this PC and from Mimamori's own pages.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, ORIGIN, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::text::{Key, Lang, key};

/// Scripts, styles, pictures and connections only from here; nothing inline, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Adds the headers and keeps the language that `?lang=` chose.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let chosen = query_lang(request.uri());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Some(lang) = chosen {
        let cookie = format!(
            "lang={}; Path=/; SameSite=Strict; Max-Age=31536000",
            lang.code()
        );
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            headers.insert(SET_COOKIE, value);
        }
    }
    response
}

/// Lets a change through only from this PC and only from its own pages. Until people have names
/// and passwords, sitting at the box is the only proof of being allowed.
pub(crate) async fn changes(request: Request, next: Next) -> Response {
    let changes = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let is_ingest = request.uri().path().starts_with("/ingest/");
    if !changes || is_ingest {
        return next.run(request).await;
    }
    let lang = lang_of(request.uri(), request.headers());
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0);
    if !peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
        let failure = Failure::new(StatusCode::FORBIDDEN, "not_here", key::ERROR_NOT_HERE);
        return failure.hint(key::ERROR_NOT_HERE_HINT).answer(lang);
    }
    if !same_origin(request.headers()) {
        return Failure::new(StatusCode::FORBIDDEN, "origin", key::ERROR_ORIGIN).answer(lang);
    }
    next.run(request).await
}

/// A browser says where a request comes from; a page of another site, or of this one under a name
/// somebody else chose (DNS rebinding), is refused. Scripts send no origin.
fn same_origin(headers: &axum::http::HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let host = text(HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_local = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let own = text(ORIGIN).is_none_or(|origin| {
        origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
            == Some(host)
    });
    is_local && own
}

fn query_lang(uri: &Uri) -> Option<Lang> {
    let pairs = uri.query()?.split('&');
    pairs
        .filter_map(|pair| pair.strip_prefix("lang="))
        .find_map(Lang::from_code)
}

/// The reader's language: chosen now, chosen before, asked for by the browser, Japanese.
pub(crate) fn lang_of(uri: &Uri, headers: &axum::http::HeaderMap) -> Lang {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let kept = || {
        let cookies = text(COOKIE)?.split(';').map(str::trim);
        cookies
            .filter_map(|c| c.strip_prefix("lang="))
            .find_map(Lang::from_code)
    };
    let asked = || {
        let wishes = text(ACCEPT_LANGUAGE)?.split(',').map(str::trim);
        wishes
            .filter_map(|wish| wish.get(..2))
            .find_map(Lang::from_code)
    };
    query_lang(uri)
        .or_else(kept)
        .or_else(asked)
        .unwrap_or_default()
}

impl<S: Sync> FromRequestParts<S> for Lang {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(lang_of(&parts.uri, &parts.headers))
    }
}

/// A refusal in the shape every script gets: `{"code", "message", "hint"}`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: Key,
    hint: Option<Key>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: Key) -> Self {
        Self {
            status,
            code,
            message,
            hint: None,
        }
    }

    pub(crate) fn hint(self, hint: Key) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", key::ERROR_NOT_FOUND)
            .hint(key::ERROR_NOT_FOUND_HINT)
    }

    pub(crate) fn store() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", key::ERROR_STORE)
            .hint(key::ERROR_STORE_HINT)
    }

    pub(crate) fn answer(self, lang: Lang) -> Response {
        let hint = self.hint.map(|hint| lang.text(hint));
        let body = json!({"code": self.code, "message": lang.text(self.message), "hint": hint});
        (self.status, axum::Json(body)).into_response()
    }
}
