//! What people say of a machine's past, in words.

use model::Remark;
use text::{Lang, key};

use crate::daily_words::count;
use crate::downtimes::reason_text;

/// A remark in the reader's language.
pub fn remark_text(lang: Lang, said: &Remark) -> String {
    match said {
        Remark::StopReason { reason } => reason_text(lang, reason),
        Remark::Scrap { parts } => lang.with(key::REMARK_SCRAP, &[("n", &count(*parts))]),
        Remark::Replaced { part, .. } => {
            lang.with(key::REMARK_REPLACED, &[("part", part.as_str())])
        }
        Remark::LotBegan { lot } => lang.with(key::REMARK_LOT_BEGAN, &[("lot", lot.as_str())]),
        Remark::LotEnded { lot } => lang.with(key::REMARK_LOT_ENDED, &[("lot", lot.as_str())]),
        Remark::Note { text } => text.clone(),
        Remark::Maintenance { .. } => lang.text(key::REMARK_MAINTENANCE),
        Remark::LeftOut { what, why, .. } => {
            let what = lang.coded("left-out-", what.code());
            lang.with(
                key::REMARK_LEFT_OUT,
                &[("what", &what), ("why", why.as_str())],
            )
        }
    }
}
