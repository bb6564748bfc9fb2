//! What of a machine's past was no production, whatever its power showed: it was set up, or it
//! waited. From then on such power is no work.

use kpi::Factory;
use maud::{Markup, html};
use model::{Remark, Right, StopReason, Time};
use report::downtimes::reason_text;
use serde::Deserialize;
use text::{Key, key};

use super::Ctx;
use super::entry::{RefusedEntry, WrongEntry};
use super::stretch::{self, TypedStretch};
use crate::http::access::ACKNOWLEDGE;
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(post "/machines/{id}/not-producing", ACKNOWLEDGE, stretch::tell::<TypedIdleness>),
    page!(post "/machines/{id}/not-producing/withdraw", ACKNOWLEDGE, stretch::take_back),
];

/// A stretch as it was typed, and why, as it was tapped.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedIdleness {
    from: String,
    to: String,
    why: String,
}

impl TypedStretch for TypedIdleness {
    const WAY: &'static str = "not-producing";
    const NEEDS: Right = Right::Acknowledge;
    const WORDS: [Key; 3] = [
        key::NOT_PRODUCING_TITLE,
        key::NOT_PRODUCING_NOTE,
        key::NOT_PRODUCING_DO,
    ];

    fn of(from: String, to: String) -> Self {
        Self {
            from,
            to,
            ..Self::default()
        }
    }

    fn ends(&self) -> [&str; 2] {
        [&self.from, &self.to]
    }

    fn remark(&self, until: Time) -> Result<Remark, WrongEntry> {
        let why = StopReason::try_from(self.why.clone());
        let why = why.map_err(|_| WrongEntry::new("why", key::LEFT_OUT_WRONG_WHY))?;
        let power = None;
        Ok(Remark::NotProducing { until, why, power })
    }

    fn says(said: &Remark) -> bool {
        matches!(said, Remark::NotProducing { .. })
    }

    fn fields(&self, ctx: &Ctx, factory: &Factory, refused: Option<&RefusedEntry<Self>>) -> Markup {
        html! {
            label { span { (ctx.text(key::LEFT_OUT_WHY)) }
                select name="why" aria-invalid=[RefusedEntry::invalid(refused, "why")] {
                    @for offered in factory.offered_reasons() {
                        @let why = offered.reason.as_str();
                        option value=(why) selected[why == self.why] {
                            (reason_text(ctx.lang, &offered.reason))
                        }
                    }
                }
            }
        }
    }
}
