//! What devices send and ask by HTTP, each with its token: readings, a certificate of its own, and
//! what the box knows of the machine it watches.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Site;
use crate::api::{answer, bad_request, busy, machine_json};
use crate::guard::{Failure, bearer};
use crate::orders::{Command, DeviceError, IngestError};
use crate::text::{Lang, key};

/// Largest certificate request.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Largest body of a request.
const BODY_BYTES_MAX: usize = 1024 * 1024;
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
    lang: Lang,
    Path(device): Path<String>,
    headers: HeaderMap,
) -> Response {
    let token = bearer(&headers).unwrap_or_default();
    let watched = match site.ingest.watched_by(&device, token) {
        Ok(watched) => watched,
        Err(error) => return refused(lang, error),
    };
    let board = site.board.borrow().clone();
    let machine = watched.and_then(|watched| board.machine(watched.as_str()));
    answer(json!({
        "at": (site.clock)(),
        "device": device,
        "machine": machine.map(machine_json),
    }))
}

/// Takes readings by HTTP: one JSON object, a JSON list of objects, or CSV with a header.
pub(crate) async fn ingest(
    State(site): State<Site>,
    lang: Lang,
    (Path(device), Query(coming)): (Path<String>, Query<Coming>),
    headers: HeaderMap,
    body: Body,
) -> Response {
    let token = bearer(&headers).unwrap_or_default();
    let within = match coming.promise() {
        Ok(within) => within,
        Err(failure) => return failure.answer(lang),
    };
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
        from_csv(&bytes)
    } else {
        from_json(&bytes)
    };
    match site.ingest.ingest(&device, (token, within), payloads).await {
        Ok(receipt) if receipt.readings == 0 => {
            let code = StatusCode::UNPROCESSABLE_ENTITY;
            let failure = Failure::new(code, "nothing_taken", key::ERROR_NOTHING_TAKEN);
            let reasons = receipt.refused.first().map(|refused| refused.reason.code());
            tracing::debug!(%device, ?reasons, "a request held no reading");
            failure.answer(lang)
        }
        Ok(receipt) => answer(json!({
            "at": (site.clock)(),
            "readings": receipt.readings,
            "refused": receipt.refused,
        })),
        Err(error) => refused(lang, error),
    }
}

/// Signs the certificate request of a device, sent as PEM with its token.
pub(crate) async fn enroll(
    State(site): State<Site>,
    lang: Lang,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let token = bearer(&headers).unwrap_or_default();
    let bytes = to_bytes(body, REQUEST_BYTES_MAX).await.unwrap_or_default();
    let request = String::from_utf8_lossy(&bytes);
    match site.devices.enroll(&device, token, &request) {
        Ok(enrolled) => {
            let about = json!({"device": device, "certificate": enrolled.fingerprint});
            let entry = store::Entry {
                at: (site.clock)(),
                actor: format!("device:{device}"),
                kind: model::EventKind::DeviceEnrolled,
                body: about,
            };
            let noted = Command::Keep(vec![store::Record::Evidence(entry)]);
            if site.orders.give(noted, store::BOX).await.is_err() {
                return busy().answer(lang);
            }
            answer(json!({
                "certificate": enrolled.certificate_pem,
                "authority": enrolled.authority_pem,
            }))
        }
        Err(DeviceError::Request) => {
            let code = StatusCode::UNPROCESSABLE_ENTITY;
            Failure::new(code, "no_request", key::ERROR_REQUEST).answer(lang)
        }
        Err(DeviceError::File) => Failure::store().answer(lang),
        Err(_) => bad_token(lang),
    }
}

fn from_json(bytes: &[u8]) -> Vec<Vec<u8>> {
    match serde_json::from_slice::<Vec<Value>>(bytes) {
        Ok(list) => list
            .iter()
            .map(|object| object.to_string().into_bytes())
            .collect(),
        Err(_) => vec![bytes.to_vec()],
    }
}

/// Each row of a table becomes an object; empty cells are left out.
fn from_csv(bytes: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text
        .lines()
        .map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    let Some(header) = lines.next() else {
        return Vec::new();
    };
    let object = |cells: Vec<&str>| {
        let members = header
            .iter()
            .zip(cells)
            .filter(|(_, cell)| !cell.is_empty());
        let members = members.map(|(name, cell)| {
            let value = serde_json::from_str(cell).unwrap_or_else(|_| json!(cell));
            ((*name).to_owned(), value)
        });
        Value::Object(members.collect()).to_string().into_bytes()
    };
    lines
        .filter(|cells| cells.iter().any(|cell| !cell.is_empty()))
        .map(object)
        .collect()
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

    #[test]
    fn a_table_becomes_one_object_a_row() {
        let rows = from_csv(b"t,power_w\n1,5\n2,\n\n3,7.5\n");
        let texts: Vec<_> = rows
            .iter()
            .map(|r| String::from_utf8_lossy(r).into_owned())
            .collect();
        assert_eq!(
            texts,
            [
                r#"{"power_w":5,"t":1}"#,
                r#"{"t":2}"#,
                r#"{"power_w":7.5,"t":3}"#
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
            table in "[a-z,]{0,20}(\\n[0-9a-z\"{},.\\[\\]-]{0,30}){0,6}",
        ) {
            for bytes in [bytes.as_slice(), table.as_bytes()] {
                from_json(bytes);
                for row in from_csv(bytes) {
                    let object = serde_json::from_slice::<Value>(&row).unwrap();
                    proptest::prop_assert!(object.is_object());
                }
            }
        }
    }
}
