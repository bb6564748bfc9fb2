//! What people say of a machine's past, in words.

use model::{Hindsight, Remark, Title};
use text::{Lang, key};

use crate::daily_words::count;
use crate::downtimes::reason_text;

/// What a person found out about an alarm, with the reason if one was said.
pub fn hindsight_text(lang: Lang, was: Hindsight, why: Option<&Title>) -> String {
    let was = lang.coded("hindsight-", was.code());
    match why {
        Some(why) => lang.with(
            key::TAUGHT_WHY_SAID,
            &[("was", &was), ("why", why.as_str())],
        ),
        None => was,
    }
}

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
        Remark::NotProducing { why, .. } => {
            let why = reason_text(lang, why);
            lang.with(key::REMARK_NOT_PRODUCING, &[("why", &why)])
        }
        Remark::Hindsight {
            finding, was, why, ..
        } => {
            let finding = lang.coded("finding-", finding.code());
            let found = hindsight_text(lang, *was, why.as_ref());
            let words = [("finding", &*finding), ("found", &*found)];
            lang.with(key::REMARK_HINDSIGHT, &words)
        }
        Remark::SameProduct { .. } => lang.text(key::REMARK_SAME_PRODUCT),
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
