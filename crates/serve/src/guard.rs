//! What stands before every request: security headers, the language, who sends it and whether they
//! may, and that a browser's change comes from Mimamori's own pages.

use std::net::{Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::{
    ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, ORIGIN,
    REFERRER_POLICY, SET_COOKIE, USER_AGENT, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use model::Right;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::auth::{From, Who};
use crate::routes::Access;
use crate::text::{Key, Lang, key};
use crate::{Site, page};

/// Scripts, styles, pictures and connections only from here; nothing inline, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What is known of the way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// Nobody between could read it.
    pub(crate) is_encrypted: bool,
    /// It comes from this computer itself.
    pub(crate) is_local: bool,
}

/// Adds the headers and keeps the language that `?lang=` chose.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let chosen = query_lang(request.uri());
    let is_encrypted = request
        .extensions()
        .get::<Way>()
        .is_some_and(|way| way.is_encrypted);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if is_encrypted {
        let cookies = headers.get_all(SET_COOKIE).iter();
        let only_encrypted = cookies.filter_map(|cookie| {
            HeaderValue::from_str(&format!("{}; Secure", cookie.to_str().ok()?)).ok()
        });
        let only_encrypted: Vec<HeaderValue> = only_encrypted.collect();
        headers.remove(SET_COOKIE);
        for cookie in only_encrypted {
            headers.append(SET_COOKIE, cookie);
        }
    }
    if let Some(lang) = chosen {
        let cookie = format!(
            "lang={}; Path=/; SameSite=Strict; Max-Age=31536000",
            lang.code()
        );
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            headers.append(SET_COOKIE, value);
        }
    }
    response
}

/// Name of the cookie that holds a session's secret.
const SESSION_COOKIE: &str = "session";

/// Lets a request through to an address if who sends it may use it. A browser that is not signed
/// in is led to where it can; a script gets the reason.
pub(crate) async fn admit(
    State((site, access)): State<(Site, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    let lang = lang_of(request.uri(), request.headers());
    if access != Access::Clear && !is_private(&request) {
        return lead_to_trust(&site, &request, lang);
    }
    let (from_page, changes) = (same_origin(request.headers()), is_change(&request));
    let right = match access {
        // Forms that let somebody in: a page of another site may not send them either.
        Access::Open if changes && from_page == Some(false) => return foreign(lang),
        Access::Open | Access::DeviceToken if changes => return to_the_end(request, next).await,
        Access::Clear | Access::Open | Access::DeviceToken => return next.run(request).await,
        Access::SignedIn => None,
        Access::May(right) => Some(right),
    };
    let (given, by_cookie) = match bearer(request.headers()) {
        Some(token) => (Some(token), false),
        None => (cookie(request.headers(), SESSION_COOKIE), true),
    };
    let Some(who) = given.and_then(|given| site.gate.who(given)) else {
        return lead_in(&site, &request, lang);
    };
    // What is a person's own (password, second factor, sessions) is not a script's.
    if right.map_or(!who.is_session, |right| !who.may(right)) {
        if request.uri().path() == "/" && who.may(Right::LookShared) {
            return Redirect::to("/shared").into_response();
        }
        return Failure::new(StatusCode::FORBIDDEN, "not_allowed", key::ERROR_NOT_ALLOWED)
            .hint(key::ERROR_NOT_ALLOWED_HINT)
            .answer(lang);
    }
    // Browsers send the cookie along whoever made the page; they also say who did.
    if by_cookie && changes && from_page != Some(true) {
        return foreign(lang);
    }
    request.extensions_mut().insert(who);
    if changes {
        return to_the_end(request, next).await;
    }
    next.run(request).await
}

/// Whether nobody else can read what goes to and fro: it is encrypted, or does not leave this PC.
fn is_private(request: &Request) -> bool {
    let way = request.extensions().get::<Way>();
    way.is_some_and(|way| way.is_encrypted || way.is_local)
}

/// What another computer gets in clear text.
fn lead_to_trust(site: &Site, request: &Request, lang: Lang) -> Response {
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_page && site.trust.is_some() && !request.uri().path().starts_with("/api/") {
        return Redirect::to("/trust").into_response();
    }
    Failure::new(StatusCode::FORBIDDEN, "clear_text", key::ERROR_CLEAR_TEXT)
        .hint(key::ERROR_CLEAR_TEXT_HINT)
        .answer(lang)
}

/// An address that is none.
pub(crate) async fn nowhere(State(site): State<Site>, lang: Lang, request: Request) -> Response {
    if !is_private(&request) {
        return lead_to_trust(&site, &request, lang);
    }
    page::not_found(request.uri(), lang)
}

/// A change that has begun is finished even if who asked for it hangs up: half of one would leave
/// memory and disk in disagreement.
async fn to_the_end(request: Request, next: Next) -> Response {
    let done = tokio::spawn(next.run(request)).await;
    done.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn foreign(lang: Lang) -> Response {
    Failure::new(StatusCode::FORBIDDEN, "origin", key::ERROR_ORIGIN).answer(lang)
}

fn is_change(request: &Request) -> bool {
    let method = request.method();
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What somebody gets who is not signed in.
fn lead_in(site: &Site, request: &Request, lang: Lang) -> Response {
    let path = request.uri().path();
    let is_page = !path.starts_with("/api/") && !matches!(path, "/live" | "/metrics");
    if is_page && !is_change(request) {
        if !site.gate.is_claimed() {
            return Redirect::to("/claim").into_response();
        }
        let wanted = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let next = utf8_percent_encode(wanted, NON_ALPHANUMERIC);
        return Redirect::to(&format!("/sign-in?next={next}")).into_response();
    }
    let failure = if site.gate.is_claimed() {
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
    failure.answer(lang)
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The token of a script.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    header(headers, AUTHORIZATION)?.strip_prefix("Bearer ")
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut pairs = header(headers, COOKIE)?.split(';').map(str::trim);
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The header that keeps a browser signed in. Scripts of pages cannot read it.
pub(crate) fn session_cookie(secret: &str) -> [(HeaderName, String); 1] {
    // Browsers keep a cookie 400 days at most; the gate decides how long it lets anybody in.
    let lasts_s = if secret.is_empty() {
        0
    } else {
        400 * 24 * 3600
    };
    let cookie =
        format!("{SESSION_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lasts_s}");
    [(SET_COOKIE, cookie)]
}

/// Whether the page that sent a request is Mimamori's own; `None` if the request does not say.
fn same_origin(headers: &HeaderMap) -> Option<bool> {
    let host = header(headers, HOST).unwrap_or_default();
    let origin = header(headers, ORIGIN)?;
    let plain = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    Some(plain == Some(host))
}

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let who = parts.extensions.get::<Self>().cloned();
        who.ok_or(StatusCode::UNAUTHORIZED)
    }
}

impl<S: Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let browser = header(&parts.headers, USER_AGENT).unwrap_or_default();
        Ok(Self {
            address: peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |p| p.0.ip().to_canonical()),
            browser: browser
                .chars()
                .filter(|c| !c.is_control())
                .take(120)
                .collect(),
        })
    }
}

/// How the caller reached the box, for links that lead back to it: `https://` and the host typed.
#[derive(Debug)]
pub(crate) struct Here(pub(crate) String);

impl Here {
    /// The host alone, without its port.
    pub(crate) fn host(&self) -> &str {
        let (_, host) = self.0.split_once("://").unwrap_or(("", &self.0));
        without_port(host)
    }
}

/// The host of a `Host` header; an IPv6 address keeps its brackets.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

impl<S: Sync> FromRequestParts<S> for Here {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let way = parts.extensions.get::<Way>();
        let scheme = if way.is_some_and(|way| way.is_encrypted) {
            "https"
        } else {
            "http"
        };
        let host = header(&parts.headers, HOST).unwrap_or_default();
        Ok(Self(format!("{scheme}://{host}")))
    }
}

fn query_lang(uri: &Uri) -> Option<Lang> {
    let pairs = uri.query()?.split('&');
    pairs
        .filter_map(|pair| pair.strip_prefix("lang="))
        .find_map(Lang::from_code)
}

/// The reader's language: chosen now, chosen before, asked for by the browser, Japanese.
pub(crate) fn lang_of(uri: &Uri, headers: &HeaderMap) -> Lang {
    let kept = || cookie(headers, "lang").and_then(Lang::from_code);
    let asked = || {
        let wishes = header(headers, ACCEPT_LANGUAGE)?.split(',').map(str::trim);
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

    /// The reason in words.
    pub(crate) fn text(self, lang: Lang) -> String {
        lang.text(self.message)
    }

    pub(crate) fn answer(self, lang: Lang) -> Response {
        let hint = self.hint.map(|hint| lang.text(hint));
        let body = json!({"code": self.code, "message": lang.text(self.message), "hint": hint});
        (self.status, axum::Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_loses_its_port_and_nothing_else() {
        for (host, name) in [
            ("box.local:8080", "box.local"),
            ("10.0.0.5", "10.0.0.5"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
