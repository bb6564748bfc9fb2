//! The way of a lot as a picture: a bar for each machine's work on one axis, and below it the
//! cycles of each step.

use app::views::BoardView;
use maud::{Markup, html};
use model::{CycleVerdict, Span, Time};
use report::daily_words::count;
use report::lots::{LotCycle, LotStep, LotTrace};
use text::key;

use crate::pages::chart::{self, Dot};
use crate::pages::{Ctx, number, timeline};

/// Cycles in the picture of a step.
const DOTS_MAX: usize = 200;
/// A bar is never too thin to be seen, in hundredths of the axis.
const BAR_MIN: f64 = 0.6;

/// For whom the way is shown.
pub(super) struct WayOf<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) board: &'a BoardView,
    /// A customer, who sees parts and times, and nothing of energy, alarms or other pages.
    pub(super) is_guest: bool,
}

impl WayOf<'_> {
    /// The whole way.
    pub(super) fn all(&self, trace: &LotTrace) -> Markup {
        let ctx = self.ctx;
        let Some(span) = trace.span(ctx.now) else {
            return html! {};
        };
        html! {
            section.panel #lot-way {
                div.panel-head {
                    h2 { (ctx.text(key::LOTS_WAY)) }
                    span.quiet.end { (trace.state_text(ctx.lang)) }
                }
                (self.bars(trace, span))
            }
            div.grid.lot-steps { @for step in &trace.steps { (self.step(step)) } }
        }
    }

    /// One bar a step, on one axis from the first to the last moment.
    fn bars(&self, trace: &LotTrace, span: Span) -> Markup {
        let ctx = self.ctx;
        let length = span.to.since(span.from).max(1.0);
        let percent = |t: Time| (t.since(span.from) / length * 100.0).clamp(0.0, 100.0);
        html! {
            ol.lot-bars {
                @for step in &trace.steps {
                    @let left = percent(step.from).min(100.0 - BAR_MIN);
                    @let right = percent(step.until.unwrap_or(span.to));
                    li {
                        span.lot-where { (self.board.called(ctx.lang, step.machine.as_str())) }
                        svg.lot-bar viewBox="0 0 100 10" preserveAspectRatio="none"
                            aria-hidden="true" {
                            rect.rest width="100" height="10" {}
                            rect.{ @if step.until.is_none() { "f-run" } @else { "done" } }
                                x=(format!("{left:.2}")) height="10"
                                width=(format!("{:.2}", (right - left).max(BAR_MIN))) {}
                        }
                        span.lot-when { (self.when(step)) }
                    }
                }
            }
            p.lot-axis.quiet.small aria-hidden="true" {
                span { (ctx.written(span.from)) }
                span { (ctx.written(span.to)) }
            }
        }
    }

    fn when(&self, step: &LotStep) -> String {
        let ctx = self.ctx;
        let until = step.until.map_or_else(String::new, |until| {
            if ctx.date(until) == ctx.date(step.from) {
                ctx.clock(until)
            } else {
                ctx.written(until)
            }
        });
        format!("{} – {until}", ctx.written(step.from))
    }

    /// What came of one step, and its cycles one by one.
    fn step(&self, step: &LotStep) -> Markup {
        let ctx = self.ctx;
        let name = self.board.called(ctx.lang, step.machine.as_str());
        let span = Span::new(step.from, step.until.unwrap_or(ctx.now));
        let length = ctx.lang.length(span.to.since(span.from));
        html! {
            section.panel.lot-step {
                div.panel-head {
                    h2 { (name) }
                    span.quiet { (length) }
                    @if !self.is_guest { (timeline::way::closer(ctx, &step.machine, span)) }
                }
                dl.lot-figures {
                    div { dt { (ctx.text(key::RATES_PARTS)) } dd { (count(step.parts)) } }
                    @if let Some(cycle_s) = step.cycle_s {
                        div {
                            dt { (ctx.text(key::LOTS_CYCLE)) }
                            dd { (number(cycle_s)) small { " " (ctx.text(key::UNIT_S)) } }
                        }
                    }
                    @if step.cycles > 0 {
                        div {
                            dt { (ctx.text(key::LOTS_OUTSIDE)) }
                            dd.is-bad[step.outside > 0] { (ctx.lang.times(step.outside)) }
                        }
                    }
                    @if !self.is_guest {
                        @if let Some(kwh) = step.kwh {
                            div { dt { (ctx.text(key::LOTS_ENERGY)) } dd { (number(kwh)) " kWh" } }
                        }
                        div {
                            dt { (ctx.text(key::LOTS_ALARMS)) }
                            dd.is-bad[step.alarms > 0] { (ctx.lang.times(step.alarms as u64)) }
                        }
                    }
                }
                @let dots = dots(&step.seen);
                @if !dots.is_empty() {
                    (chart::cycles(ctx, &ctx.text(key::MACHINE_CYCLE), &dots, None))
                }
                @if step.cycles == 0 { p.quiet { (ctx.text(key::LOTS_NO_CYCLES)) } }
            }
        }
    }
}

/// So many cycles as can be told apart: of each group the one outside the tolerance, or the first.
fn dots(seen: &[LotCycle]) -> Vec<Dot> {
    let group = seen.len().div_ceil(DOTS_MAX).max(1);
    let chosen = seen.chunks(group).filter_map(|group| {
        let outside = group.iter().find(|cycle| cycle.is_outside);
        outside.or(group.first())
    });
    let dots = chosen.map(|cycle| Dot {
        value: cycle.duration_s,
        at: cycle.end,
        verdict: if cycle.is_outside {
            CycleVerdict::SpeedChanged
        } else {
            CycleVerdict::Good
        },
    });
    dots.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_outside_the_tolerance_is_never_left_out_of_the_picture() {
        let cycle = |n: i64| LotCycle {
            end: Time::from_ms(n),
            duration_s: 60.0,
            is_outside: n == 777,
        };
        let seen: Vec<LotCycle> = (0..1_000).map(cycle).collect();
        let dots = dots(&seen);
        assert_eq!(dots.len(), DOTS_MAX);
        let outside: Vec<i64> = dots
            .iter()
            .filter(|dot| dot.verdict.is_bad())
            .map(|dot| dot.at.ms())
            .collect();
        assert_eq!(outside, [777]);
    }
}
