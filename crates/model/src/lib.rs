//! The factory's nouns. Every other room speaks with these words, so they live below all of them:
//! no input or output, no clock, no async. Times arrive as [`Time`], units are named in types.

mod alarm;
mod annotation;
mod binding;
mod coded;
mod cycle;
mod described;
mod event;
mod finding;
mod id;
mod left_out;
mod letters;
mod limit;
mod log;
mod nameplate;
mod neighbour;
mod notice;
mod own;
mod person;
mod reading;
mod reference;
mod register;
mod source;
mod state;
mod table;
mod teaching;
mod time;
mod unit;

pub use alarm::{Alarm, AlarmKind};
pub use annotation::{Annotation, LeftOutWhat, Remark, StopReason, UsualReason};
pub use binding::{Binding, Place, Seen};
pub use cycle::{Cycle, CycleLength, CycleTime, CycleVerdict};
pub use event::EventKind;
pub use finding::{
    Contrast, CyclePart, DeviationReason, Finding, FindingKind, Forecast, Lasting, Quantity,
};
pub use id::{
    DeviceId, IdError, MachineId, PointName, ProductId, SeriesId, SiteId, Title, UNNAMED_PRODUCT,
};
pub use left_out::LeftOut;
pub use letters::{half_width, lot_number};
pub use limit::OwnLimit;
pub use log::LogLine;
pub use nameplate::Nameplate;
pub use neighbour::{Coverage, Neighbour, SeenBy};
pub use notice::{
    About, ChatService, Due, MailSecurity, MailServer, NoticeWrong, Notices, QuietHours, Recipient,
    SheetStanding, Standing, Told, Tongue, Way, alarm_key, clock_text, minute_of_day,
};
pub use own::{KNOCKS_FROM, PROBER, SELF_CHECK, TWIN};
pub use person::{Right, Role};
pub use reading::{GAP_MS_MAX, Quality, Reading, RefusalReason, Refused, VALUE_MAX};
pub use reference::{Approval, Band, Reference, Tolerance};
pub use register::{
    DeviceRole, FileLayout, GivenPoint, Login, ReadBy, RegisterFile, Registered, Registration,
    Speaks,
};
pub use source::{
    Field, FieldKind, FieldValue, Fields, Found, OffConsent, OffOutcome, ReadDevice, SWITCH_OFF,
    Search, Source, SourceKind, SourceState, Trial, TrialAnswer, Trouble, Wrong, WrongWhy,
};
pub use state::{MachineState, Standstill, StateInterval};
pub use table::{
    Column, CommaMeaning, FileLook, FileProblem, FileUse, Import, Importing, Table, TableState,
};
pub use teaching::{Hindsight, KnownFault, NoticedCycle, PowerBand};
pub use time::{DAY_MS, HOUR_MS, Span, Time};
pub use unit::{POWER_POINTS, STATUS_POINTS, Unit, UnitScale, VIBRATION_POINTS};
