//! What can happen that the evidence chain keeps.

/// The kind of an entry of the evidence chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The chain begins; what was there before is not covered.
    Chain,
    /// Something was noticed about a machine.
    Finding,
    /// A reference was learned or approved.
    Reference,
    /// Settings of a machine changed.
    Settings,
    /// An alarm began.
    AlarmRaised,
    /// An alarm ended.
    AlarmCleared,
    /// A person has seen an alarm.
    AlarmAcknowledged,
    /// A person let a reference judge.
    OrderApprove,
    /// A person had a machine learn anew.
    OrderRelearn,
    /// A person changed a tolerance.
    OrderTolerance,
    /// A person changed planned hours, prices, lines or parts per cycle.
    OrderFactory,
    /// A person said "seen".
    OrderAcknowledge,
    /// The chain was checked.
    EvidenceChecked,
    /// The text of an entry was erased.
    EvidenceErased,
    /// The owner claimed the box.
    PersonClaimed,
    /// A person was invited.
    PersonInvited,
    /// A person signed in.
    PersonSignedIn,
    /// A person signed out, or a session was ended.
    PersonSignedOut,
    /// Somebody failed to sign in.
    PersonRefused,
    /// A person may no longer come in.
    PersonEnded,
    /// Machines were shared with a customer.
    PersonShares,
    /// A person set a password.
    PersonPassword,
    /// A person turned the second factor on or off.
    PersonSecondFactor,
    /// A token for a script or a screen was made.
    TokenMade,
    /// A token was ended.
    TokenEnded,
    /// A sign-in link was made at the console.
    ConsoleLink,
    /// A device was registered.
    DeviceAdded,
    /// A device got another token, machine or role.
    DeviceChanged,
    /// A device may no longer speak.
    DeviceEnded,
    /// A device was limited to sending few readings.
    DeviceLimited,
    /// A device may do everything again.
    DeviceFreed,
    /// A person had the box switch a device off.
    OffOrdered,
    /// How that ended.
    OffEnded,
    /// A device got a certificate of its own; its token is used up.
    DeviceEnrolled,
    /// A backup was made, restored into a scratch folder and read again.
    BackupProved,
    /// A backup could not be made or read again.
    BackupFailed,
    /// Daily files for other programs were written.
    ExportWritten,
    /// A daily file could not be written.
    ExportFailed,
    /// Readings were taken from a file.
    FileTaken,
    /// A file that was put into a watched folder could not be taken.
    FileRefused,
    /// A person changed who is told of alarms.
    OrderNotices,
    /// Somebody was told of alarms.
    NoticeSent,
    /// Somebody could not be told.
    NoticeFailed,
    /// The stack light shows something else than before.
    LightTold,
    /// The box took up what a backup held.
    BackupRestored,
    /// Readings left the journal for the files of their months.
    Sealed,
    /// The file of a month was dropped: its readings are older than they are kept.
    Dropped,
    /// Readings could not be read any more.
    Damaged,
    /// Something that was kept, or was to be kept, could not be used and was set aside.
    SetAside,
    /// Log lines of devices got a hash over them.
    LogsSealed,
    /// Old log lines were dropped.
    LogsDropped,
    /// Who sets the box's clock, and how well.
    ClockBox,
    /// The box's clock jumped.
    ClockStepped,
    /// How far the clocks of devices are from the box's.
    ClockDevices,
    /// A measure was looked at.
    ProofObserved,
    /// What was seen before no longer counts: the clock was set back.
    ProofReset,
    /// A person declared that something holds or does not.
    ProofDeclared,
    /// A person has read a document that a declaration rests on.
    ProofRead,
    /// A service of the program ended and is begun anew.
    ServiceEnded,
    /// A service that had ended again and again runs.
    ServiceRecovered,
    /// The program started.
    ProgramStarted,
    /// The program stopped in order.
    ProgramStopped,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 62] = [
        Self::Chain,
        Self::Finding,
        Self::Reference,
        Self::Settings,
        Self::AlarmRaised,
        Self::AlarmCleared,
        Self::AlarmAcknowledged,
        Self::OrderApprove,
        Self::OrderRelearn,
        Self::OrderTolerance,
        Self::OrderFactory,
        Self::OrderAcknowledge,
        Self::EvidenceChecked,
        Self::EvidenceErased,
        Self::PersonClaimed,
        Self::PersonInvited,
        Self::PersonSignedIn,
        Self::PersonSignedOut,
        Self::PersonRefused,
        Self::PersonEnded,
        Self::PersonShares,
        Self::PersonPassword,
        Self::PersonSecondFactor,
        Self::TokenMade,
        Self::TokenEnded,
        Self::ConsoleLink,
        Self::DeviceAdded,
        Self::DeviceChanged,
        Self::DeviceEnded,
        Self::DeviceLimited,
        Self::DeviceFreed,
        Self::OffOrdered,
        Self::OffEnded,
        Self::DeviceEnrolled,
        Self::BackupProved,
        Self::BackupFailed,
        Self::ExportWritten,
        Self::ExportFailed,
        Self::FileTaken,
        Self::FileRefused,
        Self::OrderNotices,
        Self::NoticeSent,
        Self::NoticeFailed,
        Self::LightTold,
        Self::BackupRestored,
        Self::Sealed,
        Self::Dropped,
        Self::Damaged,
        Self::SetAside,
        Self::LogsSealed,
        Self::LogsDropped,
        Self::ClockBox,
        Self::ClockStepped,
        Self::ClockDevices,
        Self::ProofObserved,
        Self::ProofReset,
        Self::ProofDeclared,
        Self::ProofRead,
        Self::ServiceEnded,
        Self::ServiceRecovered,
        Self::ProgramStarted,
        Self::ProgramStopped,
    ];

    /// The word used in the chain, in the API and in files.
    pub fn code(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Finding => "finding",
            Self::Reference => "reference",
            Self::Settings => "settings",
            Self::AlarmRaised => "alarm.raised",
            Self::AlarmCleared => "alarm.cleared",
            Self::AlarmAcknowledged => "alarm.acknowledged",
            Self::OrderApprove => "order.approve",
            Self::OrderRelearn => "order.relearn",
            Self::OrderTolerance => "order.tolerance",
            Self::OrderFactory => "order.factory",
            Self::OrderAcknowledge => "order.acknowledge",
            Self::EvidenceChecked => "evidence.checked",
            Self::EvidenceErased => "evidence.erased",
            Self::PersonClaimed => "person.claimed",
            Self::PersonInvited => "person.invited",
            Self::PersonSignedIn => "person.signed_in",
            Self::PersonSignedOut => "person.signed_out",
            Self::PersonRefused => "person.refused",
            Self::PersonEnded => "person.ended",
            Self::PersonShares => "person.shares",
            Self::PersonPassword => "person.password",
            Self::PersonSecondFactor => "person.second_factor",
            Self::TokenMade => "token.made",
            Self::TokenEnded => "token.ended",
            Self::ConsoleLink => "console.link",
            Self::DeviceAdded => "device.added",
            Self::DeviceChanged => "device.changed",
            Self::DeviceEnded => "device.ended",
            Self::DeviceLimited => "device.limited",
            Self::DeviceFreed => "device.freed",
            Self::OffOrdered => "device.off_ordered",
            Self::OffEnded => "device.off_ended",
            Self::DeviceEnrolled => "device.enrolled",
            Self::BackupProved => "backup.proved",
            Self::BackupFailed => "backup.failed",
            Self::ExportWritten => "export.written",
            Self::ExportFailed => "export.failed",
            Self::FileTaken => "file.taken",
            Self::FileRefused => "file.refused",
            Self::OrderNotices => "order.notices",
            Self::NoticeSent => "notice.sent",
            Self::LightTold => "light.told",
            Self::NoticeFailed => "notice.failed",
            Self::BackupRestored => "backup.restored",
            Self::Sealed => "readings.sealed",
            Self::Dropped => "readings.dropped",
            Self::Damaged => "readings.damaged",
            Self::SetAside => "store.set_aside",
            Self::LogsSealed => "logs.sealed",
            Self::LogsDropped => "logs.dropped",
            Self::ClockBox => "clock.box",
            Self::ClockStepped => "clock.stepped",
            Self::ClockDevices => "clock.devices",
            Self::ProofObserved => "proof.observed",
            Self::ProofReset => "proof.reset",
            Self::ProofDeclared => "proof.declared",
            Self::ProofRead => "proof.read",
            Self::ServiceEnded => "service.ended",
            Self::ServiceRecovered => "service.recovered",
            Self::ProgramStarted => "program.started",
            Self::ProgramStopped => "program.stopped",
        }
    }

    /// The kind with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}
