//! What a request tells of whoever sends it: who they are, their language, from where they come and
//! how they reached the box.

use std::net::{Ipv4Addr, SocketAddr};

use aide::OperationInput;
use axum::extract::{ConnectInfo, FromRequestParts, Query};
use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, HOST, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use identity::{From, Who};
use text::Lang;
use time::Duration;

/// What is known of the way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WayIn {
    /// Nobody between could read it.
    pub(crate) is_encrypted: bool,
    /// It comes from this computer itself.
    pub(crate) is_local: bool,
}

/// Name of the cookie that holds a session's secret.
pub(super) const SESSION_COOKIE: &str = "session";
/// Name of the cookie that holds the language a reader chose.
const LANG_COOKIE: &str = "lang";

/// Name of the cookie that holds at which stop of the tour a reader is.
const TOUR_COOKIE: &str = "tour";
/// A tour that nobody goes on with ends after so many hours.
const TOUR_HOURS: i64 = 2;

/// Something that a request tells of whoever sends it.
#[derive(Debug, Clone)]
pub(crate) struct Asked<T>(pub(crate) T);

/// What can be told so.
pub(crate) trait Told: Sized {
    /// Reads it from the request; `None` if it has to be there and is not.
    fn told(parts: &Parts) -> Option<Self>;
}

impl<S: Sync, T: Told> FromRequestParts<S> for Asked<T> {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        T::told(parts).map(Self).ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// Nobody has to say it: every request tells it.
impl<T> OperationInput for Asked<T> {}

impl Told for Who {
    fn told(parts: &Parts) -> Option<Self> {
        parts.extensions.get::<Self>().cloned()
    }
}

impl Told for From {
    fn told(parts: &Parts) -> Option<Self> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let browser = header(&parts.headers, USER_AGENT).unwrap_or_default();
        Some(Self {
            address: peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |p| p.0.ip().to_canonical()),
            browser: browser
                .chars()
                .filter(|c| !c.is_control())
                .take(120)
                .collect(),
        })
    }
}

impl Told for Lang {
    fn told(parts: &Parts) -> Option<Self> {
        Some(lang_of(&parts.uri, &parts.headers))
    }
}

pub(crate) fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The token of a script.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = header(headers, AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Browsers keep a cookie this long at most; the gate decides how long it lets anybody in.
const COOKIE_DAYS_MAX: i64 = 400;

/// The cookie that keeps a browser signed in, or with an empty secret no longer. Scripts of pages
/// cannot read it.
pub(crate) fn session_cookie(secret: &str) -> CookieJar {
    let lasts = if secret.is_empty() {
        Duration::ZERO
    } else {
        Duration::days(COOKIE_DAYS_MAX)
    };
    let cookie = Cookie::build((SESSION_COOKIE, secret.to_owned()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(lasts);
    CookieJar::new().add(cookie)
}

/// The secret of a browser's session.
pub(crate) fn session(headers: &HeaderMap) -> Option<String> {
    let jar = CookieJar::from_headers(headers);
    Some(jar.get(SESSION_COOKIE)?.value().to_owned())
}

/// The cookie that keeps the language a reader chose.
pub(crate) fn lang_cookie(lang: Lang) -> Cookie<'static> {
    let cookie = Cookie::build((LANG_COOKIE, lang.code()))
        .path("/")
        .same_site(SameSite::Strict)
        .max_age(Duration::days(365));
    cookie.build()
}

/// The cookie that keeps at which stop of the tour a reader is; 0 ends it.
pub(crate) fn tour_cookie(stop: u8) -> CookieJar {
    let lasts = if stop == 0 {
        Duration::ZERO
    } else {
        Duration::hours(TOUR_HOURS)
    };
    let cookie = Cookie::build((TOUR_COOKIE, stop.to_string()))
        .path("/")
        .same_site(SameSite::Strict)
        .max_age(lasts);
    CookieJar::new().add(cookie)
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

impl Told for Here {
    fn told(parts: &Parts) -> Option<Self> {
        let way = parts.extensions.get::<WayIn>();
        let scheme = if way.is_some_and(|way| way.is_encrypted) {
            "https"
        } else {
            "http"
        };
        let host = header(&parts.headers, HOST).unwrap_or_default();
        Some(Self(format!("{scheme}://{host}")))
    }
}

/// A signed-in person and their language.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) who: Who,
    pub(crate) lang: Lang,
    /// At which stop of the tour they are.
    pub(crate) tour: Option<u8>,
}

impl Told for Visitor {
    fn told(parts: &Parts) -> Option<Self> {
        let (who, lang) = (Who::told(parts)?, Lang::told(parts)?);
        let jar = CookieJar::from_headers(&parts.headers);
        let tour = jar.get(TOUR_COOKIE).and_then(|at| at.value().parse().ok());
        Some(Self { who, lang, tour })
    }
}

/// A browser and how it reached the box.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    pub(crate) from: From,
    pub(crate) here: String,
}

impl Told for Browser {
    fn told(parts: &Parts) -> Option<Self> {
        let (from, Here(here)) = (From::told(parts)?, Here::told(parts)?);
        Some(Self { from, here })
    }
}

/// The language chosen now.
pub(crate) fn query_lang(uri: &Uri) -> Option<Lang> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let mut chosen = pairs.iter().filter(|(name, _)| name == "lang");
    chosen.find_map(|(_, lang)| Lang::from_code(lang))
}

/// The reader's language: chosen now, chosen before, asked for by the browser, Japanese.
pub(crate) fn lang_of(uri: &Uri, headers: &HeaderMap) -> Lang {
    let kept = || {
        let jar = CookieJar::from_headers(headers);
        Lang::from_code(jar.get(LANG_COOKIE)?.value())
    };
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

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_found_however_its_scheme_is_written() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            bearer(&headers).map(str::to_owned)
        };
        for value in ["Bearer abc", "bearer abc", "BEARER  abc"] {
            assert_eq!(of(value).as_deref(), Some("abc"), "{value}");
        }
        assert_eq!(of("Basic abc"), None);
        assert_eq!(of("abc"), None);
    }

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
