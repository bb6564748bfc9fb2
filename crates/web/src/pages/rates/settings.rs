//! What people have to say for the figures: planned hours, prices, parts per cycle, lines. What was
//! typed stays in the form until it is right.

use std::collections::BTreeMap;

use app::views::BoardView;
use kpi::{Factory, FactoryError, Line, Schedule, ScheduleError};
use maud::{Markup, html};
use model::MachineId;
use text::{Lang, key};

use super::super::{Ctx, typed};

/// Steps of a line that can be added at once.
const STEPS_SPARE: usize = 2;
/// Steps of a new line.
const STEPS_NEW: usize = 4;

/// What stands in the form.
#[derive(Debug, Default)]
pub(super) struct TypedFactory {
    days: Vec<String>,
    hours: String,
    closed: String,
    yen_per_kwh: String,
    yen_per_hour: String,
    parts: BTreeMap<String, String>,
    lines: Vec<(String, Vec<String>)>,
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
            Self::Factory(FactoryError::YenPerKwh | FactoryError::YenPerHour) => {
                lang.text(key::RATES_WRONG_PRICE)
            }
            Self::Number(what) | Self::Machine(what) => with(key::RATES_WRONG_NUMBER, what),
        }
    }
}

impl TypedFactory {
    /// What holds now, as a person would type it.
    pub(super) fn of(factory: &Factory) -> Self {
        let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
        let words = |words: Option<Vec<String>>| words.unwrap_or_default().join(" ");
        let schedule = factory.schedule.as_ref();
        let lines = factory.lines.iter().map(|line| {
            let machines = line.machines.iter().map(ToString::to_string);
            (line.name.clone(), machines.collect())
        });
        let parts = factory.parts_per_cycle.iter();
        Self {
            days: schedule
                .map(|s| s.days().map(str::to_owned).collect())
                .unwrap_or_default(),
            hours: words(schedule.map(|s| s.hours().collect())),
            closed: words(schedule.map(|s| s.closed().collect())),
            yen_per_kwh: number(factory.yen_per_kwh),
            yen_per_hour: number(factory.yen_per_hour),
            parts: parts
                .map(|(machine, n)| (machine.to_string(), n.to_string()))
                .collect(),
            lines: lines.collect(),
        }
    }

    /// What a browser sent.
    pub(super) fn from_fields(fields: Vec<(String, String)>) -> Self {
        let mut typed = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "day" => typed.days.push(value),
                "hours" => typed.hours = value,
                "closed" => typed.closed = value,
                "yen_per_kwh" => typed.yen_per_kwh = value,
                "yen_per_hour" => typed.yen_per_hour = value,
                "line" => typed.lines.push((value, Vec::new())),
                "step" => {
                    if let Some((_, steps)) = typed.lines.last_mut() {
                        steps.push(value);
                    }
                }
                other => {
                    if let Some(machine) = other.strip_prefix("parts-") {
                        typed.parts.insert(machine.to_owned(), value);
                    }
                }
            }
        }
        typed
    }

    /// What it says, if it is right. What was left empty says nothing.
    pub(super) fn read(&self) -> Result<Factory, WrongField> {
        let mut parts_per_cycle = BTreeMap::new();
        for (machine, typed) in &self.parts {
            if let Some(parts) = number(typed)? {
                parts_per_cycle.insert(machine_id(machine)?, parts);
            }
        }
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
            schedule: self.schedule().map_err(WrongField::Schedule)?,
            yen_per_kwh: number(&self.yen_per_kwh)?,
            yen_per_hour: number(&self.yen_per_hour)?,
            lines,
            parts_per_cycle,
        };
        factory.checked().map_err(WrongField::Factory)
    }

    fn schedule(&self) -> Result<Option<Schedule>, ScheduleError> {
        let hours = plain(&self.hours);
        let closed = days_off(&self.closed);
        if self.days.is_empty() && hours.is_empty() && closed.is_empty() {
            return Ok(None);
        }
        let days = self.days.iter().map(String::as_str);
        Schedule::parse(
            days,
            hours.split_whitespace(),
            closed.iter().map(String::as_str),
        )
        .map(Some)
    }
}

/// Digits and signs as a Japanese keyboard types them, made plain; commas part words.
fn plain(typed: &str) -> String {
    let typed = typed::half_width(typed);
    let plain = typed.chars().map(|c| match c {
        '〜' | '~' | '–' | '―' | 'ー' | '−' => '-',
        '、' | ',' | '/' => ' ',
        _ => c,
    });
    plain.collect::<String>().trim().to_owned()
}

/// The days that were typed, as they are kept; what is none stays as it was typed.
fn days_off(typed: &str) -> Vec<String> {
    let parted = typed.split(|c: char| c.is_whitespace() || matches!(c, '、' | ',' | '，'));
    let days = parted.filter(|day| !day.is_empty());
    days.map(|day| typed::date(day).map_or_else(|| day.to_owned(), |day| day.to_string()))
        .collect()
}

fn number(typed: &str) -> Result<Option<f64>, WrongField> {
    if typed.trim().is_empty() {
        return Ok(None);
    }
    let number = typed::number(typed);
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
                    (hours(ctx, typed))
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
                    }
                    fieldset {
                        legend { (ctx.text(key::RATES_PARTS_PER_CYCLE)) }
                        @for machine in &board.machines {
                            @let id = machine.id.as_str();
                            @let value = typed.parts.get(id).map_or("", String::as_str);
                            (number_field(
                                machine.names.of(ctx.lang).to_owned(),
                                &format!("parts-{id}"),
                                value,
                            ))
                        }
                    }
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

fn hours(ctx: &Ctx, typed: &TypedFactory) -> Markup {
    html! {
        fieldset {
            legend { (ctx.text(key::RATES_PLANNED_HOURS)) }
            div.weekdays {
                @for day in Schedule::weekdays() {
                    label {
                        input type="checkbox" name="day" value=(day)
                            checked[typed.days.iter().any(|d| d == day)];
                        (ctx.lang.coded("weekday-", day))
                    }
                }
            }
            label for="f-hours" { (ctx.text(key::RATES_HOURS)) }
            input #f-hours name="hours" value=(typed.hours) placeholder="08:00-12:00 13:00-17:00"
                autocomplete="off";
            label for="f-closed" { (ctx.text(key::RATES_CLOSED)) }
            input #f-closed name="closed" value=(typed.closed) placeholder="2026-12-29 2026-12-30"
                autocomplete="off";
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
            ("line", "Bracket"),
            ("step", "press-1"),
            ("step", ""),
            ("step", "robot-1"),
            ("line", ""),
            ("step", ""),
        ];
        let factory = typed(&fields).read().unwrap();
        assert_eq!(factory.yen_per_kwh, Some(27.5));
        assert_eq!(factory.yen_per_hour, Some(6_000.0));
        assert_eq!(factory.lines.len(), 1);
        assert_eq!(factory.lines[0].machines.len(), 2);
        let again = TypedFactory::of(&factory);
        assert_eq!(again.hours, "08:00-12:00 13:00-17:00");
        assert_eq!(again.closed, "2026-12-29 2026-12-30 2027-01-02");
        assert_eq!(again.read().unwrap(), factory);
        assert_eq!(typed(&[]).read().unwrap(), Factory::default());
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
            ("line", "alone"),
        ] {
            let wrong = typed(&[(name, value)]).read().unwrap_err();
            for lang in [Lang::Ja, Lang::En] {
                assert!(wrong.text(lang).chars().count() > 8, "{name}");
            }
        }
        let wrong = typed(&[("day", "mon"), ("hours", "8-17")])
            .read()
            .unwrap_err();
        assert!(wrong.text(Lang::En).contains("8-17"));
    }
}
