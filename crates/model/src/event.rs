//! What can happen that the evidence chain keeps.

/// The kind of an entry of the evidence chain.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::EnumString,
)]
#[strum(serialize_all = "snake_case")]
pub enum EventKind {
    /// The chain begins; what was there before is not covered.
    Chain,
    /// Something was noticed about a machine.
    Finding,
    /// A reference was learned or approved.
    Reference,
    /// Settings of a machine changed.
    Settings,
    /// What is measured is beyond a limit that people set: which, and by what value.
    #[strum(serialize = "limit.passed")]
    LimitPassed,
    /// An alarm began.
    #[strum(serialize = "alarm.raised")]
    AlarmRaised,
    /// An alarm ended.
    #[strum(serialize = "alarm.cleared")]
    AlarmCleared,
    /// A person has seen an alarm.
    #[strum(serialize = "alarm.acknowledged")]
    AlarmAcknowledged,
    /// A person let a reference judge.
    #[strum(serialize = "order.approve")]
    OrderApprove,
    /// A person had a machine learn anew.
    #[strum(serialize = "order.relearn")]
    OrderRelearn,
    /// A person changed a tolerance.
    #[strum(serialize = "order.tolerance")]
    OrderTolerance,
    /// A person said how long a cycle of a machine is.
    #[strum(serialize = "order.cycle_length")]
    OrderCycleLength,
    /// A person changed planned hours, prices, lines or parts per cycle.
    #[strum(serialize = "order.factory")]
    OrderFactory,
    /// A person named a machine, gave it a place on the board, or took it off; or it came back.
    #[strum(serialize = "order.nameplate")]
    OrderNameplate,
    /// A machine's photo was changed.
    #[strum(serialize = "order.photo")]
    OrderPhoto,
    /// A person set the zone or the beginning of the business day.
    #[strum(serialize = "order.clock")]
    OrderClock,
    /// A person said where backups, daily files and logs go, or which stack light there is.
    #[strum(serialize = "order.upkeep")]
    OrderUpkeep,
    /// A person said "seen".
    #[strum(serialize = "order.acknowledge")]
    OrderAcknowledge,
    /// A person said something of a machine's past: why it stood still, what was bad, a note.
    #[strum(serialize = "annotation.told")]
    AnnotationTold,
    /// That was taken back.
    #[strum(serialize = "annotation.withdrawn")]
    AnnotationWithdrawn,
    /// The chain was checked.
    #[strum(serialize = "evidence.checked")]
    EvidenceChecked,
    /// The text of an entry was erased.
    #[strum(serialize = "evidence.erased")]
    EvidenceErased,
    /// The owner claimed the box.
    #[strum(serialize = "person.claimed")]
    PersonClaimed,
    /// A person was invited.
    #[strum(serialize = "person.invited")]
    PersonInvited,
    /// Somebody came in by password, passkey or link.
    #[strum(serialize = "person.signed_in")]
    PersonSignedIn,
    /// A person signed out, or a session was ended.
    #[strum(serialize = "person.signed_out")]
    PersonSignedOut,
    /// Somebody failed to sign in.
    #[strum(serialize = "person.refused")]
    PersonRefused,
    /// A person may no longer come in.
    #[strum(serialize = "person.ended")]
    PersonEnded,
    /// Machines were shared with a customer.
    #[strum(serialize = "person.shares")]
    PersonShares,
    /// A person set a password.
    #[strum(serialize = "person.password")]
    PersonPassword,
    /// A person turned the second factor on or off.
    #[strum(serialize = "person.second_factor")]
    PersonSecondFactor,
    /// A token for a script or a screen was made.
    #[strum(serialize = "token.made")]
    TokenMade,
    /// A token was ended.
    #[strum(serialize = "token.ended")]
    TokenEnded,
    /// A link that shows one lot was made for a customer.
    #[strum(serialize = "lot.shared")]
    LotShared,
    /// A link to a lot was ended before its time.
    #[strum(serialize = "lot.unshared")]
    LotUnshared,
    /// A sign-in link was made at the console.
    #[strum(serialize = "console.link")]
    ConsoleLink,
    /// A device was registered.
    #[strum(serialize = "device.added")]
    DeviceAdded,
    /// A device got another token, machine or role.
    #[strum(serialize = "device.changed")]
    DeviceChanged,
    /// A device may no longer speak.
    #[strum(serialize = "device.ended")]
    DeviceEnded,
    /// A device was limited to sending few readings.
    #[strum(serialize = "device.limited")]
    DeviceLimited,
    /// A device may do everything again.
    #[strum(serialize = "device.freed")]
    DeviceFreed,
    /// A person had the box switch a device off.
    #[strum(serialize = "device.off_ordered")]
    OffOrdered,
    /// How that ended.
    #[strum(serialize = "device.off_ended")]
    OffEnded,
    /// A device got a certificate of its own; its token is used up.
    #[strum(serialize = "device.enrolled")]
    DeviceEnrolled,
    /// A backup was made, restored into a scratch folder and read again.
    #[strum(serialize = "backup.proved")]
    BackupProved,
    /// A backup could not be made or read again.
    #[strum(serialize = "backup.failed")]
    BackupFailed,
    /// The demand of a half hour will pass the contract for electricity, or has.
    #[strum(serialize = "demand.high")]
    DemandHigh,
    /// It will not any more.
    #[strum(serialize = "demand.eased")]
    DemandEased,
    /// Daily files for other programs were written.
    #[strum(serialize = "export.written")]
    ExportWritten,
    /// A daily file could not be written.
    #[strum(serialize = "export.failed")]
    ExportFailed,
    /// Readings were taken from a file.
    #[strum(serialize = "file.taken")]
    FileTaken,
    /// A file that was put into a watched folder could not be taken.
    #[strum(serialize = "file.refused")]
    FileRefused,
    /// A person changed who is told of alarms.
    #[strum(serialize = "order.notices")]
    OrderNotices,
    /// Somebody was told of alarms.
    #[strum(serialize = "notice.sent")]
    NoticeSent,
    /// Somebody could not be told.
    #[strum(serialize = "notice.failed")]
    NoticeFailed,
    /// The stack light shows something else than before.
    #[strum(serialize = "light.told")]
    LightTold,
    /// The box took up what a backup held.
    #[strum(serialize = "backup.restored")]
    BackupRestored,
    /// Readings left the journal for the files of their months.
    #[strum(serialize = "readings.sealed")]
    Sealed,
    /// The file of a month was dropped: its readings are older than they are kept.
    #[strum(serialize = "readings.dropped")]
    Dropped,
    /// Readings could not be read any more.
    #[strum(serialize = "readings.damaged")]
    Damaged,
    /// Something that was kept, or was to be kept, could not be used and was set aside.
    #[strum(serialize = "store.set_aside")]
    SetAside,
    /// Names, devices and who may come in got a hash over what was written of them.
    #[strum(serialize = "register.sealed")]
    RegisterSealed,
    /// Cycles, states and sums of days got a hash over those of an hour or a day.
    #[strum(serialize = "history.sealed")]
    HistorySealed,
    /// Log lines of devices got a hash over them.
    #[strum(serialize = "logs.sealed")]
    LogsSealed,
    /// Old log lines were dropped.
    #[strum(serialize = "logs.dropped")]
    LogsDropped,
    /// Who sets the box's clock, and how well.
    #[strum(serialize = "clock.box")]
    ClockBox,
    /// The box's clock jumped.
    #[strum(serialize = "clock.stepped")]
    ClockStepped,
    /// The program did not run for a while: the PC slept, or was too busy.
    #[strum(serialize = "box.stood_still")]
    BoxStoodStill,
    /// How far the clocks of devices are from the box's.
    #[strum(serialize = "clock.devices")]
    ClockDevices,
    /// A measure was looked at.
    #[strum(serialize = "proof.observed")]
    ProofObserved,
    /// What was seen before no longer counts: the clock was set back.
    #[strum(serialize = "proof.reset")]
    ProofReset,
    /// A person declared that something holds or does not.
    #[strum(serialize = "proof.declared")]
    ProofDeclared,
    /// A person has read a document that a declaration rests on.
    #[strum(serialize = "proof.read")]
    ProofRead,
    /// A service of the program ended and is begun anew.
    #[strum(serialize = "service.ended")]
    ServiceEnded,
    /// A service that had ended again and again runs.
    #[strum(serialize = "service.recovered")]
    ServiceRecovered,
    /// A new process took up the folder; its version is told.
    #[strum(serialize = "program.started")]
    ProgramStarted,
    /// The program stopped in order.
    #[strum(serialize = "program.stopped")]
    ProgramStopped,
}

crate::coded!(EventKind);
