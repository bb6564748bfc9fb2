//! The bottleneck of each line: who waited for whom, as a picture, and what that rests on.

use kpi::{Bottleneck, By, Line, Turn};
use maud::{Markup, html};
use model::{MachineId, Span, Time};
use report::accounts::bottleneck;
use report::machine_account::MachineAccount;
use text::key;

use super::super::words::help;
use super::super::{Ctx, number};

/// Width of a line of time.
const WIDTH: f64 = 1_000.0;

/// The lines of the factory.
pub(super) fn section(
    ctx: &Ctx,
    span: Span,
    lines: &[Line],
    accounts: &[MachineAccount],
    name_of: &dyn Fn(&MachineId) -> String,
) -> Markup {
    html! {
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::RATES_BOTTLENECK)) }
                (help(ctx, "bottleneck"))
            }
            @if lines.is_empty() { p.quiet { (ctx.text(key::RATES_NO_LINE)) } }
            @for line in lines {
                @let (known, found) = bottleneck(line, accounts);
                h3.line { (line.name) }
                p { (said(ctx, &known, &found, name_of)) }
                (steps(ctx, span, &known, &found, name_of))
            }
            @if !lines.is_empty() { p.quiet.small { (ctx.text(key::RATES_BOTTLENECK_HOW)) } }
        }
    }
}

/// The bottleneck in a sentence.
fn said(
    ctx: &Ctx,
    known: &[&MachineAccount],
    found: &Bottleneck,
    name_of: &dyn Fn(&MachineId) -> String,
) -> Markup {
    let named = found
        .named
        .and_then(|(at, by)| Some((at, *known.get(at)?, by)));
    let Some((at, machine, by)) = named else {
        return html! { span.quiet { (ctx.text(key::RATES_BOTTLENECK_NONE)) } };
    };
    let share = found.shares.get(at).copied().unwrap_or(0.0);
    let value = match by {
        By::Waits => format!("{:.0}", share * 100.0),
        By::CycleTime => machine.s_per_part().map_or_else(|| "–".to_owned(), number),
    };
    let reason = ctx
        .lang
        .coded_with("bottleneck-by-", by.code(), &[("value", &value)]);
    html! { strong { (name_of(&machine.machine)) } " – " (reason) }
}

/// The machines in order, each with when it was the bottleneck.
fn steps(
    ctx: &Ctx,
    span: Span,
    known: &[&MachineAccount],
    found: &Bottleneck,
    name_of: &dyn Fn(&MachineId) -> String,
) -> Markup {
    html! {
        ol.steps {
            @for (at, machine) in known.iter().enumerate() {
                @let share = found.shares.get(at).copied().unwrap_or(0.0);
                li {
                    span.row {
                        span { (name_of(&machine.machine)) }
                        span.quiet {
                            @if let Some(seconds) = machine.s_per_part() {
                                (ctx.with(key::RATES_S_PER_PART, &[("value", &number(seconds))]))
                                " · "
                            }
                            (format!("{:.0} %", share * 100.0))
                        }
                    }
                    (turns(found.turns.iter().filter(|turn| turn.station == at), span))
                }
            }
        }
    }
}

fn turns<'a>(turns: impl Iterator<Item = &'a Turn>, span: Span) -> Markup {
    let width = |a: Time, b: Time| WIDTH * b.since(a) / span.seconds().max(1.0);
    html! {
        svg.strip viewBox={ "0 0 " (WIDTH) " 10" } preserveAspectRatio="none" aria-hidden="true" {
            @for turn in turns {
                rect.turn x=(format!("{:.1}", width(span.from, turn.from))) y="0"
                    width=(format!("{:.1}", width(turn.from, turn.to).max(1.0))) height="10" {}
            }
        }
    }
}
