//! What of a machine's past people take out of the figures because it was measured wrongly.

use kpi::Factory;
use maud::{Markup, html};
use model::{LeftOutWhat, Remark, Right, Time, Title};
use serde::Deserialize;
use text::{Key, key};

use super::Ctx;
use super::entry::{RefusedEntry, WrongEntry};
use super::stretch::{self, TypedStretch};
use crate::http::access::JUDGE;
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(post "/machines/{id}/left-out", JUDGE, stretch::tell::<TypedLeftOut>),
    page!(post "/machines/{id}/left-out/withdraw", JUDGE, stretch::take_back),
];

/// A stretch as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedLeftOut {
    from: String,
    to: String,
    what: String,
    why: String,
}

impl TypedStretch for TypedLeftOut {
    const WAY: &'static str = "left-out";
    const NEEDS: Right = Right::Judge;
    const WORDS: [Key; 3] = [key::LEFT_OUT_TITLE, key::LEFT_OUT_NOTE, key::LEFT_OUT_DO];

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
        let why = Title::new(self.why.trim());
        let why = why.map_err(|_| WrongEntry::new("why", key::LEFT_OUT_WRONG_WHY))?;
        let what = LeftOutWhat::from_code(&self.what).unwrap_or_default();
        Ok(Remark::LeftOut { until, what, why })
    }

    fn says(said: &Remark) -> bool {
        matches!(said, Remark::LeftOut { .. })
    }

    fn fields(
        &self,
        ctx: &Ctx,
        _factory: &Factory,
        refused: Option<&RefusedEntry<Self>>,
    ) -> Markup {
        html! {
            label { span { (ctx.text(key::LEFT_OUT_WHAT)) }
                select name="what" {
                    @for what in LeftOutWhat::ALL.iter().copied() {
                        option value=(what.code()) selected[what.code() == self.what] {
                            (ctx.lang.coded("left-out-", what.code()))
                        }
                    }
                }
            }
            label { span { (ctx.text(key::LEFT_OUT_WHY)) }
                input name="why" maxlength="64" required autocomplete="off" value=(self.why)
                    aria-invalid=[RefusedEntry::invalid(refused, "why")];
            }
        }
    }
}
