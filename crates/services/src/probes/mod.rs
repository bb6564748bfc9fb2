//! Keeps the proofs: has every measure looked at when it is due, judges four times a second, puts
//! what matters into the evidence chain, and takes up after a restart what still counts.

mod looks;
pub mod self_test;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use app::clock;
use app::commands::Orders;
use app::proofs::{ProofHand, Statement};
use assure::{
    Catalogue, Change, Claim, Declaration, FunctionId, Ledger, LookOutcome, Measure, Moment,
    Observation, ProofView, Stored, Verdict,
};
use model::{EventKind, SiteId, Time};
use serde_json::{Value, json};
use store::{BOX, Entry, EvidenceRow};
use tokio::sync::{mpsc, watch};
use tracing::{error, warn};

use crate::supervisor::AbortOnDrop;

pub use looks::{Ground, in_force};
pub use self_test::Twin;

/// How often it is judged, and looked what is due: an event is judged within a second.
const JUDGE_EVERY: Duration = Duration::from_millis(250);
/// One look takes at most this long.
const LOOK_MAX: Duration = Duration::from_secs(8);
/// A verdict that stays is kept in the chain again after this time.
const KEEP_EVERY_MS: i64 = 6 * 3_600_000;
/// News of one measure is kept at most this often.
const NEWS_EVERY_MS: i64 = 10_000;
/// The clock was set back if it went on by this much less than time did.
const BACK_MS: i64 = 1_000;
/// Entries of the chain that are read at a start.
const ENTRIES_READ: usize = 2_000;
/// Looks under way and waiting to be noted.
const LOOKS_MAX: usize = 32;
/// Entries on their way to the chain; a full disk lets them wait, and judging goes on.
const ENTRIES_WAITING_MAX: usize = 64;
/// An entry that could not be kept is tried again after this time.
const KEEP_AGAIN: Duration = Duration::from_secs(5);

/// What is known while the program runs.
struct Keeper {
    ground: Arc<Ground>,
    entries: mpsc::Sender<Entry>,
    catalogues: Arc<[Catalogue]>,
    ledger: Ledger,
    declared: Vec<Declaration>,
    began: Instant,
    /// When each claim was looked at last; `None` while a look is under way.
    looked: BTreeMap<Claim, Option<i64>>,
    /// What the chain knows of each claim and since when.
    kept: BTreeMap<Claim, (LookOutcome, String, i64)>,
    judged: Moment,
    /// The chain has yet to learn that what it kept no longer counts.
    must_reset: bool,
}

/// Writes entries into the chain, each until it is durable.
async fn write(mut waiting: mpsc::Receiver<Entry>, orders: Orders) {
    while let Some(entry) = waiting.recv().await {
        orders.insist(entry.into(), BOX, KEEP_AGAIN).await;
    }
}

/// Looks, judges and tells for as long as the program runs.
pub async fn keep(
    ground: Arc<Ground>,
    orders: Orders,
    hand: Arc<ProofHand>,
    view: watch::Sender<Arc<ProofView>>,
) {
    let catalogues = match Catalogue::all() {
        Ok(catalogues) => catalogues,
        Err(problem) => {
            error!(?problem, "a catalogue of measures cannot be read");
            return;
        }
    };
    let (done, mut looks) = mpsc::channel(LOOKS_MAX);
    let (entries, waiting) = mpsc::channel(ENTRIES_WAITING_MAX);
    let writing = tokio::spawn(write(waiting, orders));
    // When this ends, so does what it began.
    let _writing = AbortOnDrop(writing.abort_handle());
    let mut keeper = Keeper::new(ground, entries, catalogues.into());
    keeper.take_up().await;
    let mut rounds = tokio::time::interval(JUDGE_EVERY);
    loop {
        tokio::select! {
            _ = rounds.tick() => keeper.look(&done, false),
            () = hand.wanted() => keeper.look(&done, true),
            Some((claim, seen)) = looks.recv() => keeper.note(claim, seen),
            said = hand.said() => keeper.hear(said),
        }
        keeper.judge();
        view.send_if_modified(|before| {
            let now = keeper.view();
            let is_other = !now.is_same(before);
            *before = Arc::new(now);
            is_other
        });
    }
}

impl Keeper {
    fn new(
        ground: Arc<Ground>,
        entries: mpsc::Sender<Entry>,
        catalogues: Arc<[Catalogue]>,
    ) -> Self {
        Self {
            ground,
            entries,
            catalogues,
            ledger: Ledger::default(),
            declared: Vec::new(),
            began: Instant::now(),
            looked: BTreeMap::new(),
            kept: BTreeMap::new(),
            judged: Moment {
                wall: clock::now(),
                up_ms: 0,
            },
            must_reset: false,
        }
    }

    fn now(&self) -> Moment {
        Moment {
            wall: clock::now(),
            up_ms: self.began.elapsed().as_millis() as i64,
        }
    }

    /// Takes up what the chain holds and still counts.
    async fn take_up(&mut self) {
        let read = self.ground.known.read(|reader| {
            let newest = reader.evidence(i64::MAX, 1)?;
            let latest = newest.items.first().map(|row| row.at);
            Ok((reader.proofs(ENTRIES_READ)?, latest))
        });
        let Ok((rows, latest)) = read.await else {
            warn!("what had been proven could not be read");
            return;
        };
        let now = self.now();
        let (mut stored, declared) = counting(&rows);
        stored.latest = latest.unwrap_or_default();
        let is_behind = now.wall + BACK_MS < stored.latest;
        self.ledger = Ledger::take_up(stored, now);
        self.declared = declared;
        if is_behind {
            self.reset(now.wall);
        }
    }

    /// What was kept no longer counts: nobody could tell how old it is.
    fn reset(&mut self, now: Time) {
        self.kept.clear();
        self.must_reset = !self.put(EventKind::ProofReset, now, json!({}));
    }

    /// Starts the looks that are due; all that are not under way if somebody asks.
    fn look(&mut self, done: &mpsc::Sender<(Claim, Option<Observation>)>, is_asked: bool) {
        let now = self.now();
        for claim in Claim::all_of_box() {
            let measure = claim.measure;
            let looked = self.looked.get(&claim).copied();
            let is_good = self
                .ledger
                .last(&claim)
                .is_some_and(|o| o.outcome == LookOutcome::Good);
            let every = if is_good {
                measure.every_ms()
            } else {
                measure.again_ms()
            };
            let is_due = match looked {
                None => is_asked || now.up_ms >= measure.first_ms(),
                Some(None) => false,
                Some(Some(at)) => is_asked || now.up_ms - at >= every,
            };
            if !is_due {
                continue;
            }
            self.looked.insert(claim.clone(), None);
            let (ground, done) = (Arc::clone(&self.ground), done.clone());
            tokio::spawn(async move {
                let look = tokio::time::timeout(LOOK_MAX, ground.look(measure)).await;
                let seen = look.unwrap_or_else(|_| {
                    let raw = json!({"error": "no answer in time"});
                    Some(looks::seen(
                        measure,
                        (LookOutcome::Blind, "could_not_look"),
                        &raw,
                    ))
                });
                done.send((claim, seen)).await.ok();
            });
        }
    }

    /// Notes what a look showed; what is new, or was kept long ago, goes into the chain.
    fn note(&mut self, claim: Claim, seen: Option<Observation>) {
        let now = self.now();
        self.looked.insert(claim.clone(), Some(now.up_ms));
        let Some(seen) = seen else { return };
        let kept = self.kept.get(&claim);
        // A lamp that flickers must not fill the chain.
        let is_news = kept.is_none_or(|(outcome, reason, at)| {
            let is_other = (*outcome, reason) != (seen.outcome, &seen.reason);
            let age = now.up_ms - at;
            (is_other && age >= NEWS_EVERY_MS) || age >= KEEP_EVERY_MS
        });
        if is_news {
            let raw: Value = serde_json::from_str(&seen.raw).unwrap_or_default();
            let body = json!({"site": claim.site, "subject": claim.subject,
                "measure": claim.measure.code(), "outcome": seen.outcome.code(),
                "reason": seen.reason, "seen": raw, "at_ms": seen.at.ms()});
            if self.put(EventKind::ProofObserved, now.wall, body) {
                let about = (seen.outcome, seen.reason.clone(), now.up_ms);
                self.kept.insert(claim.clone(), about);
            }
        }
        if self.ledger.last(&claim) != Some(&seen) {
            self.ledger.note(seen, now);
        }
    }

    fn hear(&mut self, said: Statement) {
        match said {
            Statement::Declared(new) => {
                self.declared.retain(|known| known.function != new.function);
                self.declared.push(new);
            }
            Statement::Read(function, person) => {
                let mut all = self.declared.iter_mut();
                if let Some(known) = all.find(|known| known.function == function) {
                    known.note_reader(&person);
                }
            }
        }
    }

    /// Judges; a clock that was set back ends what the chain kept.
    fn judge(&mut self) {
        let now = self.now();
        let went = now.wall.ms() - self.judged.wall.ms();
        if self.must_reset || went + BACK_MS < now.up_ms - self.judged.up_ms {
            self.reset(now.wall);
        }
        self.judged = now;
        self.ledger.judge_all(now);
    }

    /// Hands an entry to whoever writes; says whether there was room.
    fn put(&self, kind: EventKind, at: Time, body: Value) -> bool {
        let entry = Entry::of_box(at, kind, body);
        self.entries.try_send(entry).is_ok()
    }

    fn view(&self) -> ProofView {
        let staff = self.ground.gate.staff();
        let (catalogues, ledger) = (&self.catalogues, &self.ledger);
        ProofView::new(catalogues, ledger, &self.declared, &staff, self.judged)
    }
}

/// What the chain's entries say: looks since the clock was last set back, what became another
/// outcome, and the last declaration of each function with who has read its document.
fn counting(rows: &[EvidenceRow]) -> (Stored, Vec<Declaration>) {
    let mut declared: BTreeMap<FunctionId, Declaration> = BTreeMap::new();
    let (mut seen, mut changes): (Vec<Observation>, Vec<Change>) = (Vec::new(), Vec::new());
    let mut before: BTreeMap<Claim, Verdict> = BTreeMap::new();
    for row in rows.iter().rev() {
        let Some(body) = &row.body else { continue };
        match EventKind::from_code(&row.kind) {
            Some(EventKind::ProofReset) => seen.clear(),
            Some(EventKind::ProofObserved) => {
                let Some(look) = observation(body) else {
                    continue;
                };
                let to = look.outcome.verdict();
                let from = before.insert(look.claim.clone(), to);
                changes.extend(from.filter(|from| *from != to).map(|from| Change {
                    at: row.at,
                    claim: look.claim.clone(),
                    from,
                    to,
                    reason: look.reason.clone(),
                }));
                seen.push(look);
            }
            Some(EventKind::ProofDeclared) => {
                let read: Result<Declaration, _> = serde_json::from_value(body.clone());
                declared.extend(read.ok().map(|d| (d.function.clone(), d)));
            }
            Some(EventKind::ProofRead) => {
                let of = body["function"].as_str().unwrap_or_default().to_owned();
                if let Some(declaration) = declared.get_mut(&FunctionId::from(of)) {
                    declaration.note_reader(&row.actor);
                }
            }
            _ => {}
        }
    }
    let stored = Stored {
        seen,
        latest: Time::default(),
        changes,
    };
    (stored, declared.into_values().collect())
}

fn observation(body: &Value) -> Option<Observation> {
    // What was seen before evidence named them is of this box.
    let mut claim = Claim::of_box(Measure::from_code(body["measure"].as_str()?)?);
    if let Some(site) = body["site"].as_str() {
        claim.site = SiteId::new(site).ok()?;
    }
    if let Some(subject) = body["subject"].as_str() {
        claim.subject = subject.to_owned().try_into().ok()?;
    }
    Some(Observation {
        claim,
        at: Time::from_ms(body["at_ms"].as_i64()?),
        outcome: LookOutcome::from_code(body["outcome"].as_str()?)?,
        reason: body["reason"].as_str()?.to_owned(),
        raw: body["seen"].to_string(),
    })
}
