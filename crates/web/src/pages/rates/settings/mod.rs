//! What people have to say for the figures: planned hours, prices, what each machine makes and is
//! to make, why machines stand still, lines. What was typed stays in the form until it is right.

mod hours;
mod tariff;

use std::collections::BTreeMap;

use app::views::BoardView;
use kpi::{Factory, FactoryError, Line, MachineHours, MachinePlan, OfferedReason, ScheduleError};
use maud::{Markup, html};
use model::{MachineId, StopReason, UsualReason};
use report::downtimes::reason_text;
use text::{Lang, key};

use self::hours::{TypedHours, read_hours, written_hours};
use self::tariff::TypedTariff;
use super::super::{Ctx, seen, typed};

/// Steps of a line that can be added at once.
const STEPS_SPARE: usize = 2;
/// Steps of a new line.
const STEPS_NEW: usize = 4;
/// Reasons that can be added at once.
const REASONS_SPARE: usize = 2;
/// How a reason of which it is no loss to stand still is marked in the form.
const NOT_TO_RUN: &str = "planned";

/// What stands in the form.
#[derive(Debug, Default)]
pub(super) struct TypedFactory {
    hours: TypedHours,
    tariff: TypedTariff,
    yen_per_kwh: String,
    yen_per_hour: String,
    machines: BTreeMap<String, TypedMachine>,
    lines: Vec<(String, Vec<String>)>,
    short_stop_min: String,
    setup_target_min: String,
    reasons: Vec<TypedReason>,
    /// What the form was filled in from.
    seen: String,
}

/// What stands in the row of a machine.
#[derive(Debug, Default)]
struct TypedMachine {
    parts_per_cycle: String,
    parts_per_day: String,
    s_per_part: String,
    /// Its own hours, if they are others than the factory's.
    hours: String,
    is_every_day: bool,
}

/// What stands in the row of a reason.
#[derive(Debug, Default)]
struct TypedReason {
    words: String,
    is_planned: bool,
}

impl TypedReason {
    fn of(offered: &OfferedReason, lang: Lang) -> Self {
        Self {
            words: reason_text(lang, &offered.reason),
            is_planned: offered.is_planned,
        }
    }

    /// The reason of these words: a usual one by its name in either language.
    fn read(&self) -> Result<OfferedReason, WrongField> {
        let words = self.words.trim();
        let is_named = |usual: &&UsualReason| {
            let name = |lang: Lang| lang.coded("stop-reason-", usual.code());
            name(Lang::Ja) == words || name(Lang::En) == words
        };
        let usual = UsualReason::ALL.iter().find(is_named);
        let own = || {
            let own = StopReason::try_from(words.to_owned());
            own.map_err(|_| WrongField::Factory(FactoryError::StopReasons))
        };
        Ok(OfferedReason {
            reason: usual.map_or_else(own, |usual| Ok(StopReason::Usual(*usual)))?,
            is_planned: self.is_planned,
        })
    }
}

/// What is wrong with what was typed.
#[derive(Debug)]
pub(super) enum WrongField {
    Schedule(ScheduleError),
    Factory(FactoryError),
    Number(String),
    Machine(String),
}

impl WrongField {
    pub(super) fn text(&self, lang: Lang) -> String {
        let with = |key, what: &str| lang.with(key, &[("what", what)]);
        match self {
            Self::Schedule(ScheduleError::Hours(what)) => with(key::RATES_WRONG_HOURS, what),
            Self::Schedule(ScheduleError::Date(what)) => with(key::RATES_WRONG_DATE, what),
            Self::Schedule(ScheduleError::Day(_) | ScheduleError::Empty) => {
                lang.text(key::RATES_WRONG_SCHEDULE)
            }
            Self::Factory(FactoryError::Line) => lang.text(key::RATES_WRONG_LINE),
            Self::Factory(FactoryError::PartsPerCycle) => lang.text(key::RATES_WRONG_PARTS),
            Self::Factory(
                FactoryError::YenPerKwh | FactoryError::YenPerHour | FactoryError::Tariff,
            ) => lang.text(key::RATES_WRONG_PRICE),
            Self::Factory(FactoryError::Plan) => lang.text(key::RATES_WRONG_PLAN),
            Self::Factory(FactoryError::Limit) => lang.text(key::RATES_WRONG_LIMIT),
            Self::Factory(FactoryError::StopReasons) => lang.text(key::RATES_WRONG_REASONS),
            Self::Factory(FactoryError::Parts) => lang.text(key::PARTS_WRONG_LIMIT),
            Self::Factory(FactoryError::Shifts) => lang.text(key::SHIFTS_WRONG),
            Self::Factory(FactoryError::Demand) => lang.text(key::DEMAND_WRONG),
            Self::Factory(FactoryError::Limits) => lang.text(key::LIMITS_WRONG),
            Self::Number(what) | Self::Machine(what) => with(key::RATES_WRONG_NUMBER, what),
        }
    }
}

impl TypedFactory {
    /// What holds now, as a person would type it.
    pub(super) fn of(factory: &Factory, lang: Lang) -> Self {
        let lines = factory.lines.iter().map(|line| {
            let machines = line.machines.iter().map(ToString::to_string);
            (line.name.clone(), machines.collect())
        });
        let minutes = |seconds: Option<f64>| written(seconds.map(|s| s / 60.0));
        let offered = factory.offered_reasons();
        Self {
            hours: TypedHours::of(factory.schedule.as_ref()),
            tariff: TypedTariff::of(&factory.tariff),
            yen_per_kwh: written(factory.yen_per_kwh),
            yen_per_hour: written(factory.yen_per_hour),
            machines: typed_machines(factory),
            lines: lines.collect(),
            short_stop_min: minutes(factory.short_stop_s),
            setup_target_min: minutes(factory.setup_target_s),
            reasons: offered.iter().map(|o| TypedReason::of(o, lang)).collect(),
            seen: String::new(),
        }
    }

    /// What a browser sent.
    pub(super) fn from_fields(fields: Vec<(String, String)>) -> Self {
        let mut typed = Self::default();
        for (name, value) in fields {
            if typed.hours.take(&name, &value) || typed.tariff.take(&name, &value) {
                continue;
            }
            match name.as_str() {
                "yen_per_kwh" => typed.yen_per_kwh = value,
                "yen_per_hour" => typed.yen_per_hour = value,
                "line" => typed.lines.push((value, Vec::new())),
                "step" => {
                    if let Some((_, steps)) = typed.lines.last_mut() {
                        steps.push(value);
                    }
                }
                "seen" => typed.seen = value,
                "short_stop_min" => typed.short_stop_min = value,
                "setup_target_min" => typed.setup_target_min = value,
                "reason" => typed.reasons.push(TypedReason {
                    words: value,
                    is_planned: false,
                }),
                "counts" => {
                    if let Some(reason) = typed.reasons.last_mut() {
                        reason.is_planned = value == NOT_TO_RUN;
                    }
                }
                other => typed.set_machine(other, value),
            }
        }
        typed
    }

    /// Takes a field of a machine's row: what it is about, `-`, and the machine.
    fn set_machine(&mut self, field: &str, value: String) {
        let Some((what, machine)) = field.split_once('-') else {
            return;
        };
        let row = self.machines.entry(machine.to_owned()).or_default();
        match what {
            "parts" => row.parts_per_cycle = value,
            "target" => row.parts_per_day = value,
            "standard" => row.s_per_part = value,
            "hours" => row.hours = value,
            "everyday" => row.is_every_day = true,
            _ => {}
        }
    }

    /// Whether somebody else has changed something since the form was filled in.
    pub(super) fn is_stale(&self, now: &Factory) -> bool {
        seen::is_stale(&self.seen, now)
    }

    /// What it says, if it is right; what is set elsewhere stays as it was before. What was left
    /// empty says nothing.
    pub(super) fn read(&self, before: &Factory) -> Result<Factory, WrongField> {
        // Machines that are off the board keep what was said of them.
        let mut parts_per_cycle = self.elsewhere(&before.parts_per_cycle);
        let mut plans = self.elsewhere(&before.plans);
        let mut machine_hours = self.elsewhere(&before.machine_hours);
        for (machine, typed) in &self.machines {
            if let Some(parts) = number(&typed.parts_per_cycle, typed::PARTS)? {
                parts_per_cycle.insert(machine_id(machine)?, parts);
            }
            let plan = MachinePlan {
                parts_per_day: number(&typed.parts_per_day, typed::PARTS)?,
                s_per_part: number(&typed.s_per_part, typed::SECONDS)?,
            };
            if plan != MachinePlan::default() {
                plans.insert(machine_id(machine)?, plan);
            }
            if typed.is_every_day || !typed.hours.trim().is_empty() {
                let own = MachineHours {
                    hours: read_hours(&typed.hours).map_err(WrongField::Schedule)?,
                    is_every_day: typed.is_every_day,
                };
                machine_hours.insert(machine_id(machine)?, own);
            }
        }
        let minutes = |typed: &str| {
            let minutes = number(typed, typed::MINUTES)?;
            Ok(minutes.map(|minutes| minutes * 60.0))
        };
        let mut lines = Vec::new();
        for (name, steps) in &self.lines {
            let steps = steps.iter().filter(|step| !step.is_empty());
            let machines: Vec<MachineId> =
                steps.map(|s| machine_id(s)).collect::<Result<_, _>>()?;
            let name = name.trim().to_owned();
            if !(name.is_empty() && machines.is_empty()) {
                lines.push(Line { name, machines });
            }
        }
        let factory = Factory {
            schedule: self.hours.read().map_err(WrongField::Schedule)?,
            machine_hours,
            tariff: self.tariff.read()?,
            yen_per_kwh: number(&self.yen_per_kwh, typed::YEN_PER_KWH)?,
            yen_per_hour: number(&self.yen_per_hour, typed::YEN_PER_HOUR)?,
            lines,
            parts_per_cycle,
            plans,
            short_stop_s: minutes(&self.short_stop_min)?,
            setup_target_s: minutes(&self.setup_target_min)?,
            stop_reasons: self.stop_reasons()?,
            name: before.name.clone(),
            parts: before.parts.clone(),
            limits: before.limits.clone(),
            demand: before.demand.clone(),
            shifts: before.shifts.clone(),
        };
        factory.checked().map_err(WrongField::Factory)
    }

    /// The reasons; none where they are the usual ones.
    fn stop_reasons(&self) -> Result<Vec<OfferedReason>, WrongField> {
        let typed = self.reasons.iter().filter(|r| !r.words.trim().is_empty());
        let reasons: Vec<OfferedReason> = typed.map(TypedReason::read).collect::<Result<_, _>>()?;
        let are_usual = reasons == Factory::default().offered_reasons();
        Ok(if are_usual { Vec::new() } else { reasons })
    }

    /// What was said of machines that are not in the form.
    fn elsewhere<T: Clone>(&self, said: &BTreeMap<MachineId, T>) -> BTreeMap<MachineId, T> {
        let mut said = said.clone();
        said.retain(|machine, _| !self.machines.contains_key(machine.as_str()));
        said
    }
}

/// What holds of each machine.
fn typed_machines(factory: &Factory) -> BTreeMap<String, TypedMachine> {
    let mut machines: BTreeMap<String, TypedMachine> = BTreeMap::new();
    for (machine, parts) in &factory.parts_per_cycle {
        let row = machines.entry(machine.to_string()).or_default();
        row.parts_per_cycle = parts.to_string();
    }
    for (machine, plan) in &factory.plans {
        let row = machines.entry(machine.to_string()).or_default();
        row.parts_per_day = written(plan.parts_per_day);
        row.s_per_part = written(plan.s_per_part);
    }
    for (machine, own) in &factory.machine_hours {
        let row = machines.entry(machine.to_string()).or_default();
        row.hours = written_hours(&own.hours);
        row.is_every_day = own.is_every_day;
    }
    machines
}

/// A number as it is typed; nothing where there is none.
fn written(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn number(typed: &str, units: typed::UnitWords) -> Result<Option<f64>, WrongField> {
    if typed.trim().is_empty() {
        return Ok(None);
    }
    let number = typed::amount(typed, units);
    number
        .map(Some)
        .ok_or_else(|| WrongField::Number(typed.to_owned()))
}

fn machine_id(text: &str) -> Result<MachineId, WrongField> {
    MachineId::new(text).map_err(|_| WrongField::Machine(text.to_owned()))
}

/// The form; open if something in it has to be put right.
pub(super) fn form(ctx: &Ctx, typed: &TypedFactory, board: &BoardView, is_open: bool) -> Markup {
    html! {
        section.panel #settings {
            details open[is_open] {
                summary { h2 { (ctx.text(key::RATES_SETTINGS)) } }
                form.stack.wide method="post" action="/rates" {
                    input type="hidden" name="seen" value=(seen::mark(&*board.factory));
                    (typed.hours.fields(ctx))
                    fieldset {
                        legend { (ctx.text(key::RATES_PRICES)) }
                        (number_field(
                            ctx.text(key::RATES_YEN_PER_KWH),
                            "yen_per_kwh",
                            &typed.yen_per_kwh,
                        ))
                        (number_field(
                            ctx.text(key::RATES_YEN_PER_HOUR),
                            "yen_per_hour",
                            &typed.yen_per_hour,
                        ))
                        (typed.tariff.fields(ctx))
                    }
                    (machines(ctx, typed, board))
                    (stops(ctx, typed))
                    (lines(ctx, typed, board))
                    button.primary type="submit" { (ctx.text(key::MACHINE_SAVE)) }
                }
            }
        }
    }
}

fn number_field(label: String, name: &str, value: &str) -> Markup {
    html! {
        label.pair-row {
            span { (label) } input name=(name) value=(value) inputmode="decimal" autocomplete="off";
        }
    }
}

/// What each machine makes and is to make.
fn machines(ctx: &Ctx, typed: &TypedFactory, board: &BoardView) -> Markup {
    let nothing = TypedMachine::default();
    html! {
        fieldset {
            legend { (ctx.text(key::RATES_MACHINE_PLANS)) }
            @for machine in &board.machines {
                @let id = machine.id.as_str();
                @let row = typed.machines.get(id).unwrap_or(&nothing);
                div.plan-row {
                    strong { (machine.names.of(ctx.lang)) }
                    @for (what, label, value) in [
                        ("target", key::RATES_PARTS_PER_DAY, &row.parts_per_day),
                        ("standard", key::RATES_S_PER_PART_PLANNED, &row.s_per_part),
                        ("parts", key::RATES_PARTS_PER_CYCLE, &row.parts_per_cycle),
                    ] {
                        label {
                            span { (ctx.text(label)) }
                            input name={ (what) "-" (id) } value=(value) inputmode="decimal"
                                autocomplete="off";
                        }
                    }
                    label {
                        span { (ctx.text(key::RATES_MACHINE_HOURS)) }
                        input name={ "hours-" (id) } value=(row.hours) autocomplete="off"
                            placeholder=(ctx.text(key::RATES_AS_THE_FACTORY));
                    }
                    label.check {
                        input type="checkbox" name={ "everyday-" (id) }
                            checked[row.is_every_day];
                        span { (ctx.text(key::RATES_EVERY_DAY)) }
                    }
                }
            }
        }
    }
}

/// What is a short stop, how long a set-up may take, and which reasons are offered.
fn stops(ctx: &Ctx, typed: &TypedFactory) -> Markup {
    let spare = (0..REASONS_SPARE).map(|_| TypedReason::default());
    let spare: Vec<TypedReason> = spare.collect();
    html! {
        fieldset {
            legend { (ctx.text(key::RATES_STOPS)) }
            (number_field(ctx.text(key::RATES_SHORT_STOP), "short_stop_min", &typed.short_stop_min))
            (number_field(
                ctx.text(key::RATES_SETUP_TARGET),
                "setup_target_min",
                &typed.setup_target_min,
            ))
            p.quiet.small { (ctx.text(key::RATES_REASONS_NOTE)) }
            @for reason in typed.reasons.iter().chain(&spare) {
                div.reason-row {
                    input name="reason" value=(reason.words) maxlength="64" autocomplete="off"
                        aria-label=(ctx.text(key::DAILY_CAUSE));
                    select name="counts" aria-label=(ctx.text(key::RATES_COUNTS)) {
                        option value="loss" { (ctx.text(key::RATES_COUNTS_LOSS)) }
                        option value=(NOT_TO_RUN) selected[reason.is_planned] {
                            (ctx.text(key::RATES_COUNTS_PLANNED))
                        }
                    }
                }
            }
        }
    }
}

fn lines(ctx: &Ctx, typed: &TypedFactory, board: &BoardView) -> Markup {
    let line = |name: &str, steps: &[String], count: usize| {
        html! {
            div.line-row {
                input name="line" value=(name) maxlength="60"
                aria-label=(ctx.text(key::RATES_LINE_NAME))
                    placeholder=(ctx.text(key::RATES_LINE_NAME)) autocomplete="off";
                @for i in 0..count {
                    select name="step"
                        aria-label=(ctx.with(key::RATES_STEP, &[("n", &(i + 1).to_string())])) {
                        option value="" {
                            (ctx.with(key::RATES_STEP, &[("n", &(i + 1).to_string())]))
                        }
                        @for machine in &board.machines {
                            option value=(machine.id)
                                selected[
                                    steps.get(i).is_some_and(|step| step == machine.id.as_str())
                                ] {
                                (machine.names.of(ctx.lang))
                            }
                        }
                    }
                }
            }
        }
    };
    html! {
        fieldset {
            legend { (ctx.text(key::RATES_LINES)) }
            p.quiet.small { (ctx.text(key::RATES_LINES_NOTE)) }
            @for (name, steps) in &typed.lines {
                @let filled = steps.iter().filter(|step| !step.is_empty()).count();
                (line(name, steps, (filled + STEPS_SPARE).max(STEPS_NEW)))
            }
            @if typed.lines.last().is_none_or(|(name, _)| !name.is_empty()) {
                (line("", &[], STEPS_NEW))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Title;

    use super::*;

    fn typed(fields: &[(&str, &str)]) -> TypedFactory {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        TypedFactory::from_fields(fields.iter().map(owned).collect())
    }

    #[test]
    fn what_holds_comes_back_as_it_was_typed() {
        let fields = [
            ("day", "mon"),
            ("day", "fri"),
            ("hours", "８：００～１２：００、13:00-17:00"),
            ("closed", "2026/12/29、令和8年12月30日 2027-01-02"),
            ("yen_per_kwh", "２７．５"),
            ("yen_per_hour", "¥6,000"),
            ("parts-press-1", "4"),
            ("target-press-1", "1,200"),
            ("standard-press-1", "２２．５"),
            ("hours-press-1", "0:00-24:00"),
            ("everyday-press-1", "on"),
            ("short_stop_min", "３"),
            ("setup_target_min", ""),
            ("reason", "Tool or die change"),
            ("counts", "loss"),
            ("reason", "朝礼"),
            ("counts", "planned"),
            ("reason", ""),
            ("counts", "planned"),
            ("line", "Bracket"),
            ("step", "press-1"),
            ("step", ""),
            ("step", "robot-1"),
            ("line", ""),
            ("step", ""),
        ];
        let before = Factory {
            name: Some(Title::new("飯山製作所").unwrap()),
            ..Factory::default()
        };
        let factory = typed(&fields).read(&before).unwrap();
        assert_eq!(factory.name, before.name);
        let plan = factory.plan(&MachineId::new("press-1").unwrap());
        assert_eq!(
            (plan.parts_per_day, plan.s_per_part),
            (Some(1_200.0), Some(22.5))
        );
        assert_eq!(
            (factory.short_stop_s(), factory.setup_target_s),
            (180.0, None)
        );
        let reasons: Vec<_> = factory
            .stop_reasons
            .iter()
            .map(|r| r.reason.as_str())
            .collect();
        assert_eq!(reasons, ["tool", "朝礼"]);
        assert_eq!(factory.yen_per_kwh, Some(27.5));
        assert_eq!(factory.yen_per_hour, Some(6_000.0));
        assert_eq!(factory.lines.len(), 1);
        assert_eq!(factory.lines[0].machines.len(), 2);
        let again = TypedFactory::of(&factory, Lang::En);
        assert_eq!(again.hours.hours, "08:00-12:00 13:00-17:00");
        assert_eq!(again.hours.closed, "2026-12-29 2026-12-30 2027-01-02");
        let own = &factory.machine_hours[&MachineId::new("press-1").unwrap()];
        assert!(own.is_every_day && own.hours.seconds() == 86_400.0);
        assert_eq!(again.read(&before).unwrap(), factory);
        assert_eq!(
            typed(&[]).read(&Factory::default()).unwrap(),
            Factory::default()
        );
    }

    #[test]
    fn what_is_wrong_is_named_in_both_languages() {
        for (name, value) in [
            ("hours", "all day"),
            ("closed", "12/29"),
            ("day", "mon"),
            ("yen_per_kwh", "cheap"),
            ("yen_per_hour", "-5000"),
            ("parts-m1", "0"),
            ("target-m1", "0"),
            ("standard-m1", "abc"),
            ("hours-m1", "all night"),
            ("short_stop_min", "600"),
            ("setup_target_min", "-1"),
            ("reason", "bell\u{7}"),
            ("line", "alone"),
        ] {
            let wrong = typed(&[(name, value)])
                .read(&Factory::default())
                .unwrap_err();
            for lang in [Lang::Ja, Lang::En] {
                assert!(wrong.text(lang).chars().count() > 8, "{name}");
            }
        }
        let wrong = typed(&[("day", "mon"), ("hours", "8-17")])
            .read(&Factory::default())
            .unwrap_err();
        assert!(wrong.text(Lang::En).contains("8-17"));
    }
}
