//! What devices send and ask by HTTP, each with its token: readings, a certificate of its own, and
//! what the box knows of the machine it watches.

use std::sync::Arc;
use std::time::Duration;

use app::known::Known;
use app::ports::devices::{Devices, EnrollError};
use app::ports::ingest::{Ingest, IngestError, IngestReceipt, Sending};
use app::views::MachineView;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use model::{Refused, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use text::key;
use wire::body::{BodyError, Payloads};

use crate::http::access::DEVICE_TOKEN;
use crate::http::asked::{bearer, header};
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Queried};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(
        post "/enroll/{device}", DEVICE_TOKEN, enroll,
        "A certificate for a device: its request (PKCS #10 as PEM) is signed once; the token is \
            used up",
        takes &["application/x-pem-file"]
    ),
    api!(
        get "/ingest/{device}", DEVICE_TOKEN, about,
        "What a device may know with its token: the box's time, and what the box makes of the \
            machine it watches (null for one that is limited, and for readers and gateways)"
    ),
    api!(
        post "/ingest/{device}", DEVICE_TOKEN, ingest,
        "Readings of a device: one JSON object, a list of objects, or CSV with a header. \
            Answers when they are durable.",
        takes &["application/json", "text/csv"]
    ),
];

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

part! {
    /// What takes what devices send.
    IngestPart {
        known: Known,
        ingest: Arc<dyn Ingest>,
    }
}

/// What a device says of itself beside its readings.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
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
        let seconds = typed.parse().map_err(|_| Failure::bad_request())?;
        if (1..=WITHIN_S_MAX).contains(&seconds) {
            Ok(Some(Duration::from_secs(seconds)))
        } else {
            Err(Failure::bad_request())
        }
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::BadToken => bad_token(),
            IngestError::Closed => Self::busy(),
            IngestError::Limited => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "limited", key::ERROR_LIMITED)
            }
        }
    }
}

fn bad_token() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "bad_token", key::ERROR_TOKEN)
        .hint(key::ERROR_TOKEN_HINT)
}

/// What the box makes of a device's machine.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeviceAsked {
    /// What time it is.
    at: Time,
    device: String,
    /// The machine it watches; null if none is known of yet.
    machine: Option<MachineView>,
}

/// Gives what the box makes of a device's machine, and what time it is.
pub(crate) async fn about(
    State(site): State<IngestPart>,
    Path(device): Path<String>,
    headers: HeaderMap,
) -> Answer<DeviceAsked> {
    let token = bearer(&headers).unwrap_or_default();
    let watched = site.ingest.watched_by(&device, token)?;
    let board = site.known.board();
    let machine = watched.and_then(|watched| board.machine(watched.as_str()).cloned());
    Ok(Json(DeviceAsked {
        at: site.known.now(),
        device,
        machine,
    }))
}

/// What became of readings that were sent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Received {
    /// What time it is.
    at: Time,
    /// Readings that are durable.
    readings: usize,
    /// What was refused, with its reasons: the first of it, if it was much.
    refused: Vec<Refused>,
    /// How much was refused in all.
    refused_count: usize,
}

/// Takes readings by HTTP: one JSON object, a JSON list of objects, or CSV with a header.
pub(crate) async fn ingest(
    State(site): State<IngestPart>,
    Path(device): Path<String>,
    Queried(coming): Queried<Coming>,
    request: Request,
) -> Answer<Received> {
    let (head, body) = request.into_parts();
    let headers = head.headers;
    let token = bearer(&headers).unwrap_or_default();
    let within = coming.promise()?;
    // A stranger's body goes by unread.
    site.ingest.watched_by(&device, token)?;
    let too_large = || {
        let code = StatusCode::PAYLOAD_TOO_LARGE;
        Failure::new(code, "too_large", key::ERROR_TOO_LARGE)
    };
    let claimed = header(&headers, CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if claimed.is_some_and(|length: usize| length > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let bytes = to_bytes(body, BODY_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| too_large())?;
    let kind = header(&headers, CONTENT_TYPE).unwrap_or_default();
    let payloads = if kind.starts_with("text/csv") {
        Payloads::of_table(&bytes)?
    } else {
        Payloads::of_json(&bytes)
    };
    let from = Sending {
        device: &device,
        token,
        within,
    };
    let receipt = take(&*site.ingest, from, payloads).await?;
    if receipt.readings == 0 {
        let reasons = receipt.refused.first().map(|refused| refused.reason.code());
        tracing::debug!(%device, ?reasons, "a request held no reading");
        let code = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Failure::new(
            code,
            "nothing_taken",
            key::ERROR_NOTHING_TAKEN,
        ));
    }
    Ok(Json(Received {
        at: site.known.now(),
        readings: receipt.readings,
        refused: receipt.refused,
        refused_count: receipt.refused_count,
    }))
}

/// Takes payloads some at a time, so that those of other devices come in between.
async fn take(
    ingest: &dyn Ingest,
    from: Sending<'_>,
    mut payloads: Payloads<'_>,
) -> Result<IngestReceipt, IngestError> {
    let mut all = IngestReceipt::default();
    loop {
        let portion: Vec<_> = payloads.by_ref().take(PAYLOADS_AT_ONCE).collect();
        if portion.is_empty() {
            return Ok(all);
        }
        let receipt = ingest.ingest(from, portion).await?;
        all.readings += receipt.readings;
        all.refused_count += receipt.refused.len();
        let room = REFUSED_SHOWN_MAX - all.refused.len();
        all.refused.extend(receipt.refused.into_iter().take(room));
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Heading => {
                let code = StatusCode::UNPROCESSABLE_ENTITY;
                Self::new(code, "bad_heading", key::ERROR_HEADING).hint(key::ERROR_HEADING_HINT)
            }
        }
    }
}

/// A certificate of a device's own.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct IssuedCertificate {
    /// What the device shows from now on instead of its token, as PEM.
    certificate: String,
    /// The authority behind the box's own certificate, as PEM.
    authority: String,
}

/// Signs the certificate request of a device, sent as PEM with its token.
pub(crate) async fn enroll(
    State(devices): State<Arc<dyn Devices>>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<IssuedCertificate> {
    let token = bearer(&headers).unwrap_or_default();
    let bytes = to_bytes(body, REQUEST_BYTES_MAX).await.unwrap_or_default();
    let request = String::from_utf8_lossy(&bytes);
    let enrolled = devices.enroll(&device, token, &request).await?;
    Ok(Json(IssuedCertificate {
        certificate: enrolled.certificate_pem,
        authority: enrolled.authority_pem,
    }))
}

impl From<EnrollError> for Failure {
    fn from(error: EnrollError) -> Self {
        match error {
            EnrollError::BadToken => bad_token(),
            EnrollError::NotDurable => Self::store(),
            EnrollError::Request => {
                let code = StatusCode::UNPROCESSABLE_ENTITY;
                Self::new(code, "no_request", key::ERROR_REQUEST)
            }
        }
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
