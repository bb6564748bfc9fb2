//! Shifts: what each came to, in the report of a day, and where a person names them.

use std::sync::Arc;

use app::commands::{Command, Orders};
use app::known::Known;
use app::setting_changes::FactoryChange;
use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use kpi::{Factory, Shift, WorkHours};
use maud::{Markup, html};
use model::{Right, Title};
use report::daily::{DailyReport, ShiftReport};
use report::daily_words::SHIFT_COLUMNS;
use text::key;

use super::entry::{RefusedEntry, WrongEntry};
use super::{Ctx, daily, seen, typed};
use crate::http::access::JUDGE;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the form of shifts needs.
    ShiftsPart {
        known: Known,
        orders: Orders,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(post "/daily/shifts", JUDGE, set)];

/// A shift as it was typed.
#[derive(Debug, Clone, Default)]
pub(super) struct TypedShift {
    name: String,
    from: String,
    to: String,
}

impl TypedShift {
    fn of(shift: &Shift) -> Self {
        let text = shift.hours.texts().next().unwrap_or_default();
        let (from, to) = text.split_once('-').unwrap_or_default();
        let clock = |text: &str| text.replace("24:00", "00:00");
        Self {
            name: shift.name.to_string(),
            from: clock(from),
            to: clock(to),
        }
    }

    /// Whether it is none: whoever empties the name takes it away.
    fn is_empty(&self) -> bool {
        self.name.trim().is_empty()
    }

    fn read(&self) -> Option<Shift> {
        let [from, to] = [&self.from, &self.to].map(|clock| typed::half_width(clock));
        let hours = format!("{from}-{to}");
        Some(Shift {
            name: Title::new(self.name.trim()).ok()?,
            hours: WorkHours::parse(std::iter::once(hours.as_str())).ok()?,
        })
    }
}

/// The rows of the form, in the order in which they were sent.
fn rows(sent: Vec<(String, String)>) -> Vec<TypedShift> {
    let mut rows: Vec<TypedShift> = Vec::new();
    for (field, value) in sent {
        match (field.as_str(), rows.last_mut()) {
            ("name", _) => rows.push(TypedShift {
                name: value,
                ..TypedShift::default()
            }),
            ("from", Some(row)) => row.from = value,
            ("to", Some(row)) => row.to = value,
            _ => {}
        }
    }
    rows
}

/// Keeps the shifts that were typed; a row that is empty is none.
pub(crate) async fn set(
    State(site): State<ShiftsPart>,
    Asked(visitor): Asked<Visitor>,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let seen = sent.iter().find(|(field, _)| field == "seen");
    let seen = seen.map_or("", |(_, mark)| mark).to_owned();
    let typed = rows(sent);
    if seen::is_stale(&seen, &site.known.board().factory.shifts) {
        let wrong = WrongEntry::new("shift", key::CHANGED_MEANWHILE);
        let refused = RefusedEntry::of(typed, wrong, visitor.lang);
        return daily::today(&site.known, &visitor, Some(&refused)).await;
    }
    let shifts = typed
        .iter()
        .filter(|row| !row.is_empty())
        .map(TypedShift::read);
    let shifts: Option<Vec<Shift>> = shifts.collect();
    let now = Arc::clone(&site.known.board().factory);
    let factory = now.as_ref().clone();
    let checked = shifts.and_then(|shifts| Factory { shifts, ..factory }.checked().ok());
    let Some(factory) = checked else {
        let wrong = WrongEntry::new("shift", key::SHIFTS_WRONG);
        let refused = RefusedEntry::of(typed, wrong, visitor.lang);
        return daily::today(&site.known, &visitor, Some(&refused)).await;
    };
    let by = visitor.who.actor();
    site.orders
        .give(
            Command::SetFactory(FactoryChange::of(&now, factory).into()),
            &by,
        )
        .await?;
    Ok(Redirect::to("/daily").into_response())
}

/// What each shift came to.
pub(super) fn table(ctx: &Ctx, report: &DailyReport) -> Markup {
    html! {
        @if !report.shifts.is_empty() {
            section.panel #daily-shifts {
                div.panel-head { h2 { (ctx.text(key::SHIFTS_TITLE)) } }
                table.of-machines {
                    thead { tr {
                        @for column in SHIFT_COLUMNS { th scope="col" { (ctx.text(column)) } }
                    } }
                    tbody { @for shift in &report.shifts { (row(ctx, shift)) } }
                }
            }
        }
    }
}

fn row(ctx: &Ctx, shift: &ShiftReport) -> Markup {
    let [name, figures @ ..] = shift.cells(ctx.lang, &ctx.zone);
    html! {
        tr {
            th scope="row" { (name) }
            @for (column, figure) in SHIFT_COLUMNS.iter().skip(1).zip(figures) {
                td data-label=(ctx.text(*column)) {
                    @for part in figure.split(" · ") { span.part { (part) } }
                }
            }
        }
    }
}

/// Where shifts are named: those there are, and a row for another one.
pub(super) fn form(
    ctx: &Ctx,
    shifts: &[Shift],
    refused: Option<&RefusedEntry<Vec<TypedShift>>>,
) -> Markup {
    let mut rows: Vec<TypedShift> = match refused {
        Some(refused) => refused.typed.clone(),
        None => shifts.iter().map(TypedShift::of).collect(),
    };
    rows.resize_with((rows.len() + 1).clamp(3, Shift::MAX), TypedShift::default);
    html! {
        @if ctx.may(Right::Judge) {
            details.panel.off-paper #shifts open[refused.is_some()] {
                summary { h2 { (ctx.text(key::SHIFTS_SET)) } }
                p.quiet { (ctx.text(key::SHIFTS_NOTE)) }
                form.plain method="post" action="/daily/shifts" {
                    input type="hidden" name="seen" value=(seen::mark(&shifts));
                    @for row in &rows {
                        fieldset.shift {
                            label { (ctx.text(key::SHIFTS_NAME))
                                input name="name" value=(row.name) maxlength="64"
                                    autocomplete="off"
                                    aria-invalid=[RefusedEntry::invalid(refused, "shift")]; }
                            label { (ctx.text(key::SHIFTS_FROM))
                                input type="time" name="from" value=(row.from); }
                            label { (ctx.text(key::SHIFTS_TO))
                                input type="time" name="to" value=(row.to); }
                        }
                    }
                    (RefusedEntry::why(refused))
                    button.primary type="submit" { (ctx.text(key::MACHINE_SAVE)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_their_order_and_one_that_is_half_empty_is_wrong() {
        let sent = [
            ("name", "早番"),
            ("from", "06:00"),
            ("to", "14:00"),
            ("name", " "),
            ("from", ""),
            ("to", ""),
            ("name", "夜勤"),
            ("from", "22:00"),
            ("to", "00:00"),
            ("name", "x"),
            ("from", "06:00"),
            ("to", ""),
        ];
        let sent = sent
            .iter()
            .map(|(field, value)| ((*field).to_owned(), (*value).to_owned()));
        let rows = rows(sent.collect());
        let read: Vec<_> = rows
            .iter()
            .map(|row| (row.is_empty(), row.read()))
            .collect();
        let hours = |n: usize| read[n].1.as_ref().unwrap().hours.texts().next().unwrap();
        assert_eq!(
            (hours(0), hours(2)),
            ("06:00-14:00".to_owned(), "22:00-24:00".to_owned())
        );
        assert!(read[1].0 && read[3].1.is_none() && !read[3].0);
        assert_eq!(TypedShift::of(read[2].1.as_ref().unwrap()).to, "00:00");
    }
}
