//! Pictures of what came out and of what was lost: bars by hour or by day against the plan, and
//! causes from the largest to the smallest (Pareto).

use maud::{Markup, html};
use report::daily::{DailyReport, OutputBar};
use report::daily_words::{NOTHING, count};
use report::losses::Loss;
use text::key;

use super::chart::{AxisScale, ChartProbe, HEIGHT, LEFT, RIGHT, WIDTH, frame, px};
use super::{Ctx, number};

/// Bars between which one is named below the picture.
const LABELS: usize = 8;
/// The share of its room that a bar takes.
const BAR_SHARE: f64 = 0.72;

/// What came out by hour or by day: bars, and a line where the plan lies.
pub(crate) fn output(ctx: &Ctx, report: &DailyReport) -> Markup {
    let bars = &report.output;
    let scale = AxisScale::around(bars.iter().map(OutputBar::top), true);
    let room = (WIDTH - LEFT - RIGHT) / bars.len().max(1) as f64;
    let x = |i: usize| LEFT + room * i as f64;
    let foot = scale.y(0.0);
    let width = room * BAR_SHARE;
    let called = |bar: &OutputBar| report.bar_name(bar.from, &ctx.zone);
    let every = bars.len().div_ceil(LABELS).max(1);
    let title = ctx.text(key::DAILY_OUTPUT);
    let body = html! {
        @for (i, bar) in bars.iter().enumerate() {
            @let left = x(i) + (room - width) / 2.0;
            rect.bar.less[bar.is_less()] x=(px(left)) width=(px(width)) y=(px(scale.y(bar.parts)))
                height=(px(foot - scale.y(bar.parts))) {}
            @if i % every == 0 {
                text.axis x=(px(x(i) + room / 2.0)) y=(HEIGHT - 6.0) text-anchor="middle" {
                    (called(bar))
                }
            }
            @if let Some(planned) = bar.planned.filter(|planned| *planned > 0.0) {
                line.plan x1=(px(x(i))) x2=(px(x(i) + room)) y1=(px(scale.y(planned)))
                    y2=(px(scale.y(planned))) {}
            }
        }
    };
    let probes = bars.iter().enumerate().map(|(i, bar)| ChartProbe {
        x: x(i) + room / 2.0,
        text: format!("{} {}", called(bar), number_of(ctx, bar)),
    });
    let probes: Vec<ChartProbe> = probes.collect();
    html! {
        (frame(&title, &scale, &[], &probes, &body))
        @if bars.iter().any(|bar| bar.planned.is_some()) {
            p.quiet.small { (ctx.text(key::DAILY_OUTPUT_NOTE)) }
        }
    }
}

/// Parts of a bar, and the plan beside them.
fn number_of(ctx: &Ctx, bar: &OutputBar) -> String {
    let parts = count(bar.parts);
    match bar.planned.map(count) {
        Some(planned) => ctx.with(
            key::DAILY_OF_PLANNED,
            &[("n", &parts), ("planned", &planned)],
        ),
        None => ctx.with(key::DAILY_PARTS_N, &[("n", &parts)]),
    }
}

/// Causes of standing still, the largest first: how long, how often, what it cost, and what share
/// of all this and the larger ones make.
pub(crate) fn pareto(ctx: &Ctx, losses: &[Loss]) -> Markup {
    let all: f64 = losses.iter().map(|loss| loss.lost_s).sum();
    let longest = losses.first().map_or(0.0, |loss| loss.lost_s);
    let mut before = 0.0;
    html! {
        table.pareto {
            thead { tr {
                th scope="col" { (ctx.text(key::DAILY_CAUSE)) }
                th.wide scope="col" { span.sr { (ctx.text(key::DAILY_SHARE)) } }
                th scope="col" { (ctx.text(key::DAILY_TIME)) }
                th.older scope="col" { (ctx.text(key::DAILY_TIMES)) }
                th scope="col" { (ctx.text(key::DAILY_COST)) }
                th.older scope="col" { (ctx.text(key::DAILY_CUMULATED)) }
            } }
            tbody {
                @for loss in losses {
                    @let width = 100.0 * loss.lost_s / longest.max(1.0);
                    @let share = { before += loss.lost_s; 100.0 * before / all.max(1.0) };
                    tr {
                        th scope="row" { (loss.cause.text(ctx.lang)) }
                        td.wide {
                            svg.pareto-bar viewBox="0 0 100 10" preserveAspectRatio="none"
                                aria-hidden="true" {
                                rect.bar width=(number(width)) height="10" {}
                            }
                        }
                        td { (ctx.lang.length(loss.lost_s)) }
                        td.older { (ctx.lang.times(loss.times)) }
                        td { @match loss.yen {
                            Some(cost) => (ctx.lang.yen(cost)),
                            None => (NOTHING),
                        } }
                        td.older { (format!("{share:.0} %")) }
                    }
                }
            }
        }
    }
}
