//! The JSON API under `/api/v1`. Its description is made from these handlers and the types of what
//! they take and give. Times go out as RFC 3339 in UTC; lists are paged with `limit` and `cursor`.

pub(crate) mod alarms;
pub(crate) mod annotations;
pub(crate) mod bindings;
pub(crate) mod demand;
pub(crate) mod description;
pub(crate) mod devices;
pub(crate) mod evidence;
pub(crate) mod files;
pub(crate) mod history;
pub(crate) mod ingest;
pub(crate) mod lots;
pub(crate) mod machines;
pub(crate) mod metrics;
pub(crate) mod neighbours;
pub(crate) mod notices;
pub(crate) mod off;
pub(crate) mod people;
pub(crate) mod proofs;
pub(crate) mod rates;
pub(crate) mod shared;
pub(crate) mod sources;
pub(crate) mod tables;
pub(crate) mod wear;

use app::views::BoardView;
use model::{MachineId, Span, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::failure::Failure;

/// Rows in a page if the caller does not say.
const LIMIT_DEFAULT: usize = 100;
/// Most rows in a page.
const LIMIT_MAX: usize = 5_000;
/// How far a span reaches back if the caller does not say, in milliseconds.
const SPAN_MS: i64 = 8 * 3_600_000;

/// How many rows, and after which.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Paging {
    /// How many at most.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<i64>,
}

impl Paging {
    pub(crate) fn limit(&self) -> usize {
        self.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX)
    }

    /// Where a list of what is newest goes on.
    pub(crate) fn before(&self) -> i64 {
        self.cursor.unwrap_or(i64::MAX)
    }

    /// Where a list of what is oldest goes on.
    pub(crate) fn after(&self) -> i64 {
        self.cursor.unwrap_or(i64::MIN)
    }
}

/// From when to when.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct AskedSpan {
    /// The first moment (RFC 3339); eight hours ago if absent.
    #[schemars(with = "Option<Time>")]
    from: Option<String>,
    /// The moment after the last (RFC 3339); now if absent.
    #[schemars(with = "Option<Time>")]
    to: Option<String>,
}

impl AskedSpan {
    pub(crate) fn span(&self, now: Time) -> Result<Span, Failure> {
        let moment =
            |text: &Option<String>, usual: Time| text.as_deref().map_or(Ok(usual), parse_time);
        Ok(Span::new(
            moment(&self.from, now - SPAN_MS)?,
            moment(&self.to, now)?,
        ))
    }
}

fn parse_time(text: &str) -> Result<Time, Failure> {
    let moment: Result<jiff::Timestamp, _> = text.parse();
    let moment = moment.map_err(|_| Failure::bad_request())?;
    Ok(Time::from_ms(moment.as_millisecond()))
}

/// The name of what was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Named {
    /// As it was given.
    pub(crate) id: String,
}

/// A machine of the board by its identifier.
pub(crate) fn known(board: &BoardView, id: &str) -> Result<MachineId, Failure> {
    let machine = board.machine(id).map(|machine| machine.id.clone());
    machine.ok_or_else(Failure::not_found)
}
