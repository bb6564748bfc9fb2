//! The ways to the timeline from other pages: to a moment, to a stretch of time.

use jiff::tz::TimeZone;
use maud::{Markup, html};
use model::{MachineId, Span, Time};
use text::key;

use super::super::Ctx;
use super::window;

/// Before and after a moment that somebody wants to see.
const AROUND_MS: i64 = 15 * 60_000;

/// A moment of a machine, which leads to what came before and after it.
pub(in super::super) fn moment(ctx: &Ctx, machine: Option<&MachineId>, at: Time) -> Markup {
    let time = html! { time { (ctx.when(at)) } };
    let Some(machine) = machine else {
        return time;
    };
    html! {
        a.moment href=(around(machine, at)) title=(ctx.text(key::TIMELINE_SEE)) { (time) }
    }
}

/// Where a moment of a machine is seen with what came before and after it.
pub(in super::super) fn around(machine: &MachineId, at: Time) -> String {
    stretch(machine, Span::new(at - AROUND_MS, at + AROUND_MS))
}

/// The way from a picture of a stretch of time to where it can be zoomed.
pub(in super::super) fn closer(ctx: &Ctx, machine: &MachineId, span: Span) -> Markup {
    html! { a.button.off-paper href=(stretch(machine, span)) { (ctx.text(key::CHART_ZOOM)) } }
}

/// Where a stretch of time of a machine is seen.
pub(in super::super) fn stretch(machine: &MachineId, span: Span) -> String {
    let (from, to) = (span.from.ms(), span.to.ms());
    // On a phone the picture lies below the form.
    format!("/timeline?machine={machine}&from={from}&to={to}#timeline")
}

/// A moment as it was typed on a form, by the factory's clock.
pub(in super::super) fn moment_typed(typed: &str, zone: &TimeZone) -> Option<Time> {
    window::asked(typed, zone)
}
