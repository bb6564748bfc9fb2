//! Links that show a customer one lot and nothing else: whoever has one is let in without a name,
//! until it ends.

use app::keeping::PeopleChange;
use model::{DAY_MS, EventKind, Role, Time, Title};
use serde_json::json;
use store::{Pass, PassKind};

use crate::{Denied, Gate, Grant, Who, entry_of, secret};

/// Days that a link to a lot may last.
const DAYS: std::ops::RangeInclusive<u16> = 1..=365;
/// Links to lots at one time, of all that let anybody in.
const LINKS_MAX: usize = 500;

/// Whoever opened a link to a lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotGuest {
    /// The lot that may be seen.
    pub lot: Title,
    /// As whom: a customer without a name.
    pub who: Who,
    /// Until when.
    pub until: Time,
}

impl Gate {
    /// Makes a link that shows a lot for so many days; gives its secret.
    pub async fn share_lot(&self, by: &Who, lot: &Title, days: u16) -> Result<String, Denied> {
        let _turn = self.changing.lock().await;
        if !DAYS.contains(&days) || self.lot_links(None).len() >= LINKS_MAX {
            return Err(Denied::TooMany);
        }
        let grant = Grant {
            kind: PassKind::Lot,
            role: Role::Customer,
            label: lot.as_str(),
            lasts_ms: i64::from(days) * DAY_MS,
        };
        let (secret, link) = self.new_pass(&self.holder(by)?, grant)?;
        let about = json!({"pass": link.id, "lot": lot, "days": days});
        let entry = entry_of(by, EventKind::LotShared, (self.clock)(), about);
        let change = PeopleChange::noted(entry).pass(link);
        self.keep(change).await?;
        Ok(secret)
    }

    /// The links that show a lot, or any; oldest first.
    pub fn lot_links(&self, of: Option<&Title>) -> Vec<Pass> {
        let mut links = self.passes();
        links.retain(|pass| {
            let is_of = of.is_none_or(|lot| lot.as_str() == pass.label);
            pass.kind == PassKind::Lot && is_of
        });
        links
    }

    /// Whom a link to a lot lets in, and what they see; `None` once it has ended.
    pub fn lot_guest(&self, given: &str) -> Option<LotGuest> {
        let (book, now) = (self.book(), (self.clock)());
        let pass = book.passes.get(&secret::hash(given))?;
        let until = pass.expires.filter(|end| *end > now)?;
        let maker = book.people.get(&pass.person)?;
        if pass.kind != PassKind::Lot || maker.ended.is_some() {
            return None;
        }
        Some(LotGuest {
            lot: Title::new(&pass.label).ok()?,
            who: Who {
                person: pass.person,
                name: String::new(),
                role: pass.role,
                pass: pass.id,
                is_session: false,
            },
            until,
        })
    }
}
