//! Everything at one moment: measures judged, functions judged from them and from what people
//! declared. What a page or a script shows is this and nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::Time;
use serde::Serialize;

use crate::catalogue::{Catalogue, Function, FunctionId, Phase};
use crate::claim::{Claim, Subject};
use crate::declare::Declaration;
use crate::ledger::{Change, Ledger, Moment};
use crate::measure::{Measure, Method};
use crate::verdict::{Judged, Observation, ProvenBy, Verdict};

/// One claim as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "MeasureNow")]
pub struct MeasureView {
    /// Which measure, of whom.
    #[serde(flatten)]
    pub claim: Claim,
    /// How its evidence comes about.
    pub method: Method,
    /// What follows.
    #[serde(flatten)]
    pub judged: Judged,
    /// Since when it has been so, as far as this program has watched.
    pub since: Option<Time>,
    /// What was seen last.
    pub last: Option<Observation>,
}

/// One function of the catalogue as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "FunctionNow")]
pub struct FunctionView {
    /// Its name and its catalogue's.
    pub id: FunctionId,
    /// What follows: from what a person declared, else from its measures.
    #[serde(flatten)]
    pub judged: Judged,
    /// What the box itself sees, where a person declared something else.
    pub overruled: Option<Verdict>,
    /// What was declared, if it counts.
    pub declared: Option<Declaration>,
}

/// How many of the functions that a part of a device's life asks for hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseCount {
    /// The part of its life.
    pub phase: Phase,
    /// Functions that it asks for, each once.
    pub functions: usize,
    /// Those that hold by what the box saw itself.
    pub seen: usize,
    /// Those that hold by a named person's word alone.
    pub declared: usize,
}

/// Everything that is proven at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Proof")]
pub struct ProofView {
    /// The moment.
    pub at: Time,
    /// What is claimed: first of the box, in the order of the measures.
    pub measures: Vec<MeasureView>,
    /// The functions, in their catalogues' order.
    pub functions: Vec<FunctionView>,
    /// What became another verdict, oldest first.
    pub changes: Vec<Change>,
    /// Who has to read what a declaration rests on, as the evidence chain writes them.
    #[serde(skip)]
    pub people: Vec<String>,
    /// What the functions belong to.
    #[serde(skip)]
    pub catalogues: Arc<[Catalogue]>,
}

impl ProofView {
    /// Up to when everything that holds now holds without being seen again: what is printed is
    /// worth no more than that.
    pub fn valid_until(&self) -> Option<Time> {
        let measures = self.measures.iter();
        let holds = measures.filter(|measure| measure.judged.verdict == Verdict::Holds);
        holds.filter_map(|measure| measure.judged.valid_until).min()
    }

    /// Nothing is known yet.
    pub fn empty() -> Self {
        Self {
            at: Time::default(),
            measures: Vec::new(),
            functions: Vec::new(),
            changes: Vec::new(),
            people: Vec::new(),
            catalogues: Arc::default(),
        }
    }

    /// Judges everything at a moment.
    pub fn new(
        catalogues: &Arc<[Catalogue]>,
        ledger: &Ledger,
        declared: &[Declaration],
        people: &[String],
        now: Moment,
    ) -> Self {
        let claim = |claim: Claim| MeasureView {
            method: claim.measure.method(),
            judged: ledger.judge(&claim, now),
            since: ledger.since(&claim),
            last: ledger.last(&claim).cloned(),
            claim,
        };
        let measures: Vec<MeasureView> = ledger.claims().into_iter().map(claim).collect();
        // What another site proves is no proof of this one.
        let is_own = |m: &&MeasureView| m.claim == Claim::of_box(m.claim.measure);
        let own = measures.iter().filter(is_own);
        let judged: BTreeMap<Measure, &Judged> =
            own.map(|m| (m.claim.measure, &m.judged)).collect();
        let function = |(catalogue, function): (&Catalogue, &Function)| {
            let id = catalogue.name(&function.id);
            let parts = function.measures().filter_map(|m| judged.get(&m));
            let seen = Judged::all(parts.map(|judged| (*judged).clone()));
            let own = declared.iter().find(|d| d.function == id);
            let said = own.and_then(|d| Some((d, d.judge(now.wall, people)?)));
            let has_measures = function.measures().next().is_some();
            let is_other = said
                .as_ref()
                .is_some_and(|(_, s)| s.verdict != seen.verdict);
            FunctionView {
                id,
                overruled: (has_measures && is_other).then_some(seen.verdict),
                declared: said.as_ref().map(|(d, _)| (*d).clone()),
                judged: said.map_or(seen, |(_, judged)| judged),
            }
        };
        let functions = catalogues.iter().flat_map(|catalogue| {
            let functions = catalogue.function.iter();
            functions.map(move |function| (catalogue, function))
        });
        Self {
            at: now.wall,
            functions: functions.map(function).collect(),
            measures,
            changes: ledger.changes().to_vec(),
            people: people.to_vec(),
            catalogues: Arc::clone(catalogues),
        }
    }

    /// The same with the claims about one subject alone. Functions are about the box.
    pub fn about(&self, subject: &Subject) -> Self {
        let mut about = self.clone();
        about.measures.retain(|m| m.claim.subject == *subject);
        about.changes.retain(|c| c.claim.subject == *subject);
        if *subject != Subject::Box {
            about.functions.clear();
        }
        about
    }

    /// The functions of one catalogue.
    pub fn functions_of<'a>(
        &'a self,
        catalogue: &'a Catalogue,
    ) -> impl Iterator<Item = &'a FunctionView> {
        let functions = self.functions.iter();
        functions.filter(|function| function.id.catalogue == catalogue.id)
    }

    /// How far each part of a device's life is met, in their order.
    pub fn by_phase(&self, catalogue: &Catalogue) -> Vec<PhaseCount> {
        let mut demanded: BTreeMap<Phase, BTreeSet<&str>> = BTreeMap::new();
        for requirement in &catalogue.requirement {
            let functions = requirement.functions.iter().map(String::as_str);
            demanded
                .entry(requirement.phase)
                .or_default()
                .extend(functions);
        }
        let count = |(phase, functions): (Phase, BTreeSet<&str>)| {
            let holding = |by: ProvenBy| {
                self.functions_of(catalogue)
                    .filter(|f| functions.contains(f.id.function.as_str()))
                    .filter(|f| f.judged.verdict == Verdict::Holds && f.judged.by == by)
                    .count()
            };
            PhaseCount {
                phase,
                functions: functions.len(),
                seen: holding(ProvenBy::Machine),
                declared: holding(ProvenBy::Person),
            }
        };
        demanded.into_iter().map(count).collect()
    }

    /// Whether nothing but the moment differs.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.measures, &self.functions, &self.people)
            == (&other.measures, &other.functions, &other.people)
    }

    /// How many measures have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        let all = self.measures.iter();
        all.filter(|m| m.judged.verdict == verdict).count()
    }

    /// How many functions a machine proves, a person declares, and nobody knows.
    pub fn count_by(&self, by: ProvenBy) -> usize {
        self.functions.iter().filter(|f| f.judged.by == by).count()
    }
}
