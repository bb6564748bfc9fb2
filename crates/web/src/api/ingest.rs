//! What devices send and ask by HTTP, each with its token: readings, a certificate of its own, and
//! what the box knows of the machine it watches.

use std::time::Duration;

use app::ports::devices::EnrollError;
use app::ports::ingest::{IngestError, IngestReceipt, Sending};
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use text::{Lang, key};
use wire::body::{BodyError, Payloads};

use crate::Site;
use crate::api::{answer, bad_request, busy, machine_json};
use crate::http::asked::{Asked, bearer};
use crate::http::failure::Failure;

/// Largest certificate request.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Largest body of a request.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Payloads of a request handed to the recorder together.
const PAYLOADS_AT_ONCE: usize = 512;
/// Refusals of a request listed in its answer; more are only counted.
const REFUSED_SHOWN_MAX: usize = 100;
/// The farthest a device may promise to come again, in seconds.
const WITHIN_S_MAX: u64 = 24 * 3600;

/// What a device says of itself beside its readings.
#[derive(Debug, Deserialize)]
pub(crate) struct Coming {
    /// It comes again within so many seconds; if it does not, it is away.
    within: Option<String>,
}

impl Coming {
    /// The promise, if one was made.
    fn promise(&self) -> Result<Option<Duration>, Failure> {
        let Some(typed) = &self.within else {
            return Ok(None);
        };
        let seconds = typed.parse().map_err(|_| bad_request())?;
        if (1..=WITHIN_S_MAX).contains(&seconds) {
            Ok(Some(Duration::from_secs(seconds)))
        } else {
            Err(bad_request())
        }
    }
}

/// Why nothing of a device's request was taken.
fn refused(lang: Lang, error: IngestError) -> Response {
    match error {
        IngestError::BadToken => bad_token(lang),
        IngestError::Closed => busy().answer(lang),
        IngestError::Limited => {
            let code = StatusCode::TOO_MANY_REQUESTS;
            Failure::new(code, "limited", key::ERROR_LIMITED).answer(lang)
        }
    }
}

fn bad_token(lang: Lang) -> Response {
    Failure::new(StatusCode::UNAUTHORIZED, "bad_token", key::ERROR_TOKEN)
        .hint(key::ERROR_TOKEN_HINT)
        .answer(lang)
}

/// What the box makes of a device's machine, and what time it is.
pub(crate) async fn about(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(device): Path<String>,
    headers: HeaderMap,
) -> Response {
    let token = bearer(&headers).unwrap_or_default();
    let watched = match site.ingest.watched_by(&device, token) {
        Ok(watched) => watched,
        Err(error) => return refused(lang, error),
    };
    let board = site.known.board();
    let machine = watched.and_then(|watched| board.machine(watched.as_str()));
    answer(json!({
        "at": site.known.now(),
        "device": device,
        "machine": machine.map(machine_json),
    }))
}

/// Takes readings by HTTP: one JSON object, a JSON list of objects, or CSV with a header.
pub(crate) async fn ingest(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(device): Path<String>,
    Query(coming): Query<Coming>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let headers = head.headers;
    let token = bearer(&headers).unwrap_or_default();
    let within = match coming.promise() {
        Ok(within) => within,
        Err(failure) => return failure.answer(lang),
    };
    // A stranger's body is not even read.
    if let Err(error) = site.ingest.watched_by(&device, token) {
        return refused(lang, error);
    }
    let too_large = Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        key::ERROR_TOO_LARGE,
    );
    let claimed = headers
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if claimed.is_some_and(|length| length > BODY_BYTES_MAX) {
        return too_large.answer(lang);
    }
    let Ok(bytes) = to_bytes(body, BODY_BYTES_MAX).await else {
        return too_large.answer(lang);
    };
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let payloads = if kind.starts_with("text/csv") {
        match Payloads::of_table(&bytes) {
            Ok(rows) => rows,
            Err(BodyError::Heading) => return bad_heading(lang),
        }
    } else {
        Payloads::of_json(&bytes)
    };
    let from = Sending {
        device: &device,
        token,
        within,
    };
    match take(&site, from, payloads).await {
        Ok(receipt) if receipt.readings == 0 => {
            let code = StatusCode::UNPROCESSABLE_ENTITY;
            let failure = Failure::new(code, "nothing_taken", key::ERROR_NOTHING_TAKEN);
            let reasons = receipt.refused.first().map(|refused| refused.reason.code());
            tracing::debug!(%device, ?reasons, "a request held no reading");
            failure.answer(lang)
        }
        Ok(receipt) => answer(json!({
            "at": site.known.now(),
            "readings": receipt.readings,
            "refused": receipt.refused,
            "refused_count": receipt.refused_count,
        })),
        Err(error) => refused(lang, error),
    }
}

/// Takes payloads some at a time, so that those of other devices come in between.
async fn take(
    site: &Site,
    from: Sending<'_>,
    mut payloads: Payloads<'_>,
) -> Result<IngestReceipt, IngestError> {
    let mut all = IngestReceipt::default();
    loop {
        let portion: Vec<_> = payloads.by_ref().take(PAYLOADS_AT_ONCE).collect();
        if portion.is_empty() {
            return Ok(all);
        }
        let receipt = site.ingest.ingest(from, portion).await?;
        all.readings += receipt.readings;
        all.refused_count += receipt.refused.len();
        let room = REFUSED_SHOWN_MAX - all.refused.len();
        all.refused.extend(receipt.refused.into_iter().take(room));
    }
}

fn bad_heading(lang: Lang) -> Response {
    let code = StatusCode::UNPROCESSABLE_ENTITY;
    Failure::new(code, "bad_heading", key::ERROR_HEADING)
        .hint(key::ERROR_HEADING_HINT)
        .answer(lang)
}

/// Signs the certificate request of a device, sent as PEM with its token.
pub(crate) async fn enroll(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let token = bearer(&headers).unwrap_or_default();
    let bytes = to_bytes(body, REQUEST_BYTES_MAX).await.unwrap_or_default();
    let request = String::from_utf8_lossy(&bytes);
    match site.devices.enroll(&device, token, &request).await {
        Ok(enrolled) => answer(json!({
            "certificate": enrolled.certificate_pem,
            "authority": enrolled.authority_pem,
        })),
        Err(EnrollError::Request) => {
            let code = StatusCode::UNPROCESSABLE_ENTITY;
            Failure::new(code, "no_request", key::ERROR_REQUEST).answer(lang)
        }
        Err(EnrollError::NotDurable) => Failure::store().answer(lang),
        Err(EnrollError::BadToken) => bad_token(lang),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_a_number_of_seconds_up_to_a_day() {
        let promise = |typed: &str| {
            let within = Some(typed.to_owned());
            Coming { within }.promise().ok()
        };
        let unpromised = Coming { within: None };
        assert_eq!(unpromised.promise().ok(), Some(None));
        assert_eq!(promise("15"), Some(Some(Duration::from_secs(15))));
        for none in ["0", "86401", "-1", "soon", ""] {
            assert_eq!(promise(none), None, "{none}");
        }
    }
}
