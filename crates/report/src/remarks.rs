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
        Remark::NotProducing { why, .. } => {
            let why = reason_text(lang, why);
            lang.with(key::REMARK_NOT_PRODUCING, &[("why", &why)])
        }
        Remark::Hindsight {
            finding, was, why, ..
        } => {
            let finding = lang.coded("finding-", finding.code());
            let was = lang.coded("hindsight-", was.code());
            let words = [("finding", &*finding), ("was", &*was)];
            match why {
                None => lang.with(key::REMARK_HINDSIGHT, &words),
                Some(why) => {
                    let [finding, was] = words;
                    let words = [finding, was, ("why", why.as_str())];
                    lang.with(key::REMARK_HINDSIGHT_WHY, &words)
                }
            }
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
