//! What each part of the program may have kept. Who looks after people keeps people, who takes
//! files keeps what a file told: nobody hands rows of the store over as they like.

use model::{
    AlarmKind, Annotation, Cycle, DeviationReason, DeviceId, Finding, Import, MachineId,
    MachineState, Registration, Time,
};
use serde_json::json;
use store::{Entry, Expired, Pass, Person, Record};

use crate::factory_clock::FactoryClock;
use crate::photos::PhotoChange;
use crate::upkeep::UpkeepSaid;

/// Something one part of the program has kept, together with the evidence of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Keeping {
    /// Something that was done or seen.
    Evidence(Entry),
    /// Who may come in.
    People(PeopleChange),
    /// Who may send readings, and who is read.
    Devices(DevicesChange),
    /// Who is told of alarms.
    Notices(NoticesChange),
    /// What a file told.
    File(FileChange),
    /// By which clock the factory lives, and who said so.
    FactoryClock(FactoryClock, Entry),
    /// What people decided of the box's upkeep, as JSON, and who did last.
    Upkeep(String, Entry),
    /// What somebody said of a machine's past, new or taken back, and its evidence; one in the
    /// place of another together.
    Annotations(Vec<(Annotation, Entry)>),
    /// The photo of a machine, and the evidence of it.
    Photo(PhotoChange),
    /// Readings that are older than they are kept go.
    LetGo(Expired),
    /// Log lines up to this number go.
    LetGoOfLogs(i64),
}

impl Keeping {
    /// What of it teaches the box how to judge.
    pub fn taught(&self) -> Vec<Annotation> {
        let Self::Annotations(said) = self else {
            return Vec::new();
        };
        let said = said.iter().map(|(annotation, _)| annotation);
        said.filter(|it| it.said.teaches()).cloned().collect()
    }

    /// The rows of it.
    pub fn records(self) -> Vec<Record> {
        match self {
            Self::Evidence(entry) => vec![Record::Evidence(entry)],
            Self::People(change) => change.records(),
            Self::Devices(change) => change.records(),
            Self::Notices(change) => change.records(),
            Self::File(change) => change.records(),
            Self::FactoryClock(clock, entry) => {
                let json = json!(clock).to_string();
                let kept = Record::Kept(FactoryClock::KEPT.into(), json);
                vec![kept, Record::Evidence(entry)]
            }
            Self::Upkeep(json, entry) => {
                let kept = Record::Kept(UpkeepSaid::KEPT.into(), json);
                vec![kept, Record::Evidence(entry)]
            }
            Self::Annotations(said) => {
                let both = |(said, entry)| [Record::Annotated(said), Record::Evidence(entry)];
                said.into_iter().flat_map(both).collect()
            }
            Self::Photo(change) => change.records(),
            Self::LetGo(expired) => expired.records(),
            Self::LetGoOfLogs(upto) => vec![Record::LogsDropped(upto)],
        }
    }
}

/// People and what lets them in, as they are from now on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PeopleChange {
    /// New or changed people.
    pub people: Vec<Person>,
    /// What lets somebody in from now on.
    pub passes: Vec<Pass>,
    /// What no longer does, by its number.
    pub ended: Vec<i64>,
    /// Who did it, to whom.
    pub evidence: Vec<Entry>,
}

impl PeopleChange {
    /// A change of nobody yet, with the evidence of it.
    pub fn noted(entry: Entry) -> Self {
        Self {
            evidence: vec![entry],
            ..Self::default()
        }
    }

    /// Keeps a person with it.
    pub fn person(mut self, person: Person) -> Self {
        self.people.push(person);
        self
    }

    /// Lets somebody in with it.
    pub fn pass(mut self, pass: Pass) -> Self {
        self.passes.push(pass);
        self
    }

    /// Ends something that lets somebody in with it.
    pub fn end(mut self, passes: impl IntoIterator<Item = i64>) -> Self {
        self.ended.extend(passes);
        self
    }

    fn records(self) -> Vec<Record> {
        let people = self.people.into_iter().map(Record::Person);
        let passes = self.passes.into_iter().map(Record::Pass);
        let ended = self.ended.into_iter().map(Record::PassEnded);
        let evidence = self.evidence.into_iter().map(Record::Evidence);
        people.chain(ended).chain(passes).chain(evidence).collect()
    }
}

/// The register of devices, as it is from now on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DevicesChange {
    /// New or changed devices.
    pub devices: Vec<Registration>,
    /// Devices that are no longer registered.
    pub ended: Vec<DeviceId>,
    /// Who did it, to which.
    pub evidence: Vec<Entry>,
}

impl DevicesChange {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.ended.is_empty() && self.evidence.is_empty()
    }

    /// The rows of it, for whoever opens a store that nothing runs on.
    pub fn records(self) -> Vec<Record> {
        let devices = self.devices.into_iter().map(Box::new).map(Record::Device);
        let ended = self.ended.into_iter().map(Record::DeviceEnded);
        let evidence = self.evidence.into_iter().map(Record::Evidence);
        devices.chain(ended).chain(evidence).collect()
    }
}

/// Who is told of alarms, and how that went.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NoticesChange {
    /// The settings, as JSON, if they are others.
    pub settings: Option<String>,
    /// How everybody was told last, as JSON.
    pub standings: String,
    /// Who set it.
    pub evidence: Option<Entry>,
    /// Since when nobody has to be warned any more that somebody cannot be told.
    pub mended: Option<Time>,
}

impl NoticesChange {
    /// The name under which the settings are kept.
    pub const SETTINGS: &str = "notices";
    /// The name under which it is kept how everybody was told last.
    pub const STANDINGS: &str = "notice-standings";

    fn records(self) -> Vec<Record> {
        let kept = |name: &'static str| move |json| Record::Kept(name.into(), json);
        let settings = self.settings.map(kept(Self::SETTINGS));
        let standings = kept(Self::STANDINGS)(self.standings);
        let evidence = self.evidence.map(Record::Evidence);
        let mended = |at| Record::AlarmCleared(None, AlarmKind::NoticeFailed, at);
        let others = settings.into_iter().chain(evidence);
        let all = others.chain(self.mended.map(mended)).chain([standings]);
        all.collect()
    }
}

/// Something of a machine's past, told from recorded readings.
#[derive(Debug, Clone, PartialEq)]
pub enum PastEvent {
    /// A state began.
    State(MachineState, Time),
    /// A cycle ended.
    Cycle(Cycle, Option<DeviationReason>),
    /// Something was noticed, without an alarm.
    Finding(Finding),
}

impl PastEvent {
    fn record(self, machine: &MachineId) -> Record {
        let machine = machine.clone();
        match self {
            Self::State(state, at) => Record::State(machine, state, at),
            Self::Cycle(cycle, reason) => Record::Cycle(machine, cycle, reason),
            Self::Finding(finding) => Record::Finding(machine, finding),
        }
    }
}

/// What a file told, some of it at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum FileChange {
    /// What of the past is being told and not told to its end, as JSON: whoever comes again with
    /// the file tells all of it.
    Begun(String),
    /// Some of a machine's past.
    Past(MachineId, Vec<PastEvent>),
    /// The file was taken whole.
    Taken {
        /// What was in it.
        import: Import,
        /// What is still being told of other files, as JSON, if something was told of this one.
        begun: Option<String>,
        /// Who gave it; nothing if it only has grown since.
        evidence: Option<Entry>,
    },
}

impl FileChange {
    /// The name under which it is kept what is being told.
    pub const BEGUN: &str = "files-telling";

    fn records(self) -> Vec<Record> {
        let begun = |json| Record::Kept(Self::BEGUN.into(), json);
        match self {
            Self::Begun(json) => vec![begun(json)],
            Self::Past(machine, events) => {
                let records = events.into_iter().map(|event| event.record(&machine));
                records.collect()
            }
            Self::Taken {
                import,
                begun: json,
                evidence,
            } => {
                let unmark = json.map(begun);
                let import = Record::Imported(import);
                let evidence = evidence.map(Record::Evidence);
                unmark.into_iter().chain([import]).chain(evidence).collect()
            }
        }
    }
}
