//! A demonstration runs beside a box, often at the same name: browsers keep cookies by name of the
//! host and not by port, so its session is called otherwise, or each would sign people out of the
//! other.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::middleware::Next;
use axum::response::Response;

use super::asked::SESSION_COOKIE;

/// What the session of a demonstration is called in a browser.
const APART: &str = "demo-session";

/// Calls the session of a demonstration by its own name.
pub(crate) async fn keep_apart(mut request: Request, next: Next) -> Response {
    let cookies = request.headers().get(COOKIE);
    if let Some(cookies) = cookies.and_then(|cookies| cookies.to_str().ok()) {
        let own = HeaderValue::from_str(&inward(cookies));
        if let Ok(own) = own {
            request.headers_mut().insert(COOKIE, own);
        }
    }
    let mut response = next.run(request).await;
    let set: Vec<HeaderValue> = response
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .cloned()
        .collect();
    response.headers_mut().remove(SET_COOKIE);
    for cookie in set {
        let apart = cookie.to_str().ok().and_then(outward).unwrap_or(cookie);
        response.headers_mut().append(SET_COOKIE, apart);
    }
    response
}

/// The cookies of a request without the box's session, and with the demonstration's as the session.
fn inward(cookies: &str) -> String {
    let pairs = cookies.split(';').filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        match name {
            SESSION_COOKIE => None,
            APART => Some(format!("{SESSION_COOKIE}={value}")),
            name => Some(format!("{name}={value}")),
        }
    });
    pairs.collect::<Vec<_>>().join("; ")
}

/// A cookie that is set, if it is the session, by its other name.
fn outward(cookie: &str) -> Option<HeaderValue> {
    let rest = cookie.strip_prefix(SESSION_COOKIE)?.strip_prefix('=')?;
    HeaderValue::from_str(&format!("{APART}={rest}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_of_the_box_stays_out_and_the_own_is_found() {
        let sent = "lang=ja; session=box; demo-session=own; tour=2";
        assert_eq!(inward(sent), "lang=ja; session=own; tour=2");
        assert_eq!(inward("session=box"), "");
        let set = outward("session=abc; Path=/; HttpOnly").unwrap();
        assert_eq!(set, "demo-session=abc; Path=/; HttpOnly");
        assert_eq!(outward("lang=ja; Path=/"), None);
        assert_eq!(outward("sessions=1"), None);
    }
}
