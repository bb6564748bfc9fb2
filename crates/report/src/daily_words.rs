//! How the figures of a daily report are written, on the page and on paper.

use jiff::tz::TimeZone;
use model::{MachineState, Time};
use text::{Key, Lang, energy, grouped, key};

use crate::daily::{DailyReport, ReportPeriod, ShiftReport};
use crate::downtimes::LossCause;
use crate::losses::Loss;
use crate::machine_account::{AgainstPlan, MachineAccount};

/// What is told of each machine.
pub const MACHINE_COLUMNS: [Key; 11] = [
    key::RATES_PARTS,
    key::DAILY_TARGET,
    key::DAILY_SCRAP,
    key::DAILY_AVAILABILITY,
    key::DAILY_PERFORMANCE,
    key::DAILY_QUALITY,
    key::DAILY_OEE,
    key::DAILY_LOST,
    key::STOP_SHORT,
    key::DAILY_SETUP,
    key::RATES_ENERGY,
];

/// What is not known.
pub const NOTHING: &str = "–";

/// A number of parts.
pub fn count(parts: f64) -> String {
    grouped(parts.max(0.0).round() as u64)
}

/// The figures of a machine in the order of the columns; what may stand on lines of its own is
/// parted by " · ".
pub fn machine_cells(
    lang: Lang,
    machine: &MachineAccount,
    setup_target_s: Option<f64>,
) -> [String; MACHINE_COLUMNS.len()] {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let percent = |share: Option<f64>| or_nothing(share.map(|s| format!("{:.1} %", s * 100.0)));
    let target = machine.against_plan().map(|against| {
        let target = count(against.planned);
        if against.is_planned() {
            format!("{target} · ({:.0} %)", against.percent())
        } else {
            target
        }
    });
    let oee = machine.oee();
    let lost = lang.length(machine.lost_s());
    let cost = machine.stop_yen().map(|cost| lang.yen(cost));
    let setups = machine.account.setups();
    [
        count(machine.parts()),
        or_nothing(target),
        or_nothing(machine.scrap().map(count)),
        percent(oee.availability),
        percent(oee.performance),
        percent(oee.quality),
        percent(oee.whole()),
        cost.map_or_else(|| lost.clone(), |cost| format!("{lost} · {cost}")),
        machine.short_stops().to_string(),
        or_nothing((setups > 0).then(|| set_up(lang, machine, setup_target_s))),
        or_nothing(machine.account.energy.drawn_wh.map(energy)),
    ]
}

/// How often a machine was set up and how long that took, against what is aimed at.
fn set_up(lang: Lang, machine: &MachineAccount, target_s: Option<f64>) -> String {
    let (times, seconds) = (
        machine.account.setups(),
        machine.account.seconds(MachineState::Setup),
    );
    let each = seconds / f64::from(times.max(1));
    let text = format!("{} · {}", lang.times(times), lang.length(seconds));
    match target_s.filter(|target| each > *target) {
        Some(target) => {
            let over = [("target", &*lang.length(target))];
            format!("{text} · ({})", lang.with(key::DAILY_SETUP_OVER, &over))
        }
        None => text,
    }
}

impl AgainstPlan {
    /// How much was planned, and what share of that was made.
    pub fn text(self, lang: Lang) -> String {
        let (planned, share) = (count(self.planned), format!("{:.0}", self.percent()));
        let values = [("planned", &*planned), ("share", &share)];
        lang.with(key::DAILY_AGAINST_PLAN, &values)
    }
}

/// What stands above the figures of shifts.
pub const SHIFT_COLUMNS: [Key; 6] = [
    key::SHIFTS_NAME,
    key::DAILY_FROM_TO,
    key::RATES_PARTS,
    key::SHIFTS_OF_PLAN,
    key::DAILY_LOST,
    key::STOP_SHORT,
];

impl ShiftReport {
    /// Its figures, below [`SHIFT_COLUMNS`].
    pub fn cells(&self, lang: Lang, zone: &TimeZone) -> [String; 6] {
        let report = &self.report;
        let (from, to) = (
            text::clock(report.span.from, zone),
            text::clock(report.ends, zone),
        );
        let of_plan = report.against_plan().map(|against| against.text(lang));
        let lost = lang.length(report.lost_s());
        let lost = match report.lost_yen() {
            Some(yen) => format!("{lost} · {}", lang.yen(yen)),
            None => lost,
        };
        let lasts = if report.is_closed() {
            String::new()
        } else {
            format!(" ({})", lang.text(key::SHIFT_LASTS))
        };
        [
            self.name.to_string(),
            format!("{from} – {to}{lasts}"),
            count(report.parts()),
            of_plan.unwrap_or_else(|| NOTHING.to_owned()),
            lost,
            lang.times(report.short_stops()),
        ]
    }
}

impl DailyReport {
    /// What one bar of its output is called: its hour or its day.
    pub fn bar_name(&self, from: Time, zone: &TimeZone) -> String {
        match self.period {
            ReportPeriod::Day => text::clock(from, zone),
            ReportPeriod::Week | ReportPeriod::Month => text::month_day(from, zone),
        }
    }

    /// What there is to know of it, in a few sentences.
    pub fn sentences(&self, lang: Lang) -> Vec<String> {
        let parts = count(self.parts());
        let mut said = vec![match self.against_plan() {
            Some(against) => {
                let (of_plan, planned) = (count(against.parts), count(against.planned));
                let share = format!("{:.0}", against.percent());
                // Machines without a target make parts that are compared with nothing.
                if of_plan == parts {
                    let values = [("parts", &*parts), ("planned", &planned), ("share", &share)];
                    lang.with(key::DAILY_SAID_PLANNED, &values)
                } else {
                    let values = [
                        ("parts", &*parts),
                        ("of_plan", &of_plan),
                        ("planned", &planned),
                        ("share", &share),
                    ];
                    lang.with(key::DAILY_SAID_PART_PLANNED, &values)
                }
            }
            None => lang.with(key::DAILY_SAID_PARTS, &[("parts", &parts)]),
        }];
        let length = lang.length(self.lost_s());
        said.push(match self.lost_yen() {
            Some(yen) => {
                let values = [("length", &*length), ("yen", &lang.yen(yen))];
                lang.with(key::DAILY_SAID_LOST_YEN, &values)
            }
            None => lang.with(key::DAILY_SAID_LOST, &[("length", &length)]),
        });
        let is_told = |loss: &&Loss| matches!(loss.cause, LossCause::Told(_));
        if let Some(loss) = self.losses.iter().find(is_told) {
            let (cause, length) = (loss.cause.text(lang), lang.length(loss.lost_s));
            let values = [("cause", &*cause), ("length", &length)];
            said.push(lang.with(key::DAILY_SAID_CAUSE, &values));
        }
        let open = self.open_questions();
        if open > 0 {
            said.push(lang.with(key::DAILY_SAID_OPEN, &[("n", &open.to_string())]));
        }
        said
    }

    /// The days it is about.
    pub fn days(&self) -> String {
        if self.first == self.last {
            self.first.to_string()
        } else {
            format!("{} – {}", self.first, self.last)
        }
    }
}
