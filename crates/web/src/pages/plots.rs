//! Pictures of two dimensions: time against energy of cycles as points, the hours of many days as
//! a map of shades, and shares of several parts around a middle.

use std::f64::consts::{FRAC_PI_2, TAU};

use jiff::civil::Date;
use maud::{Markup, html};
use model::{CycleVerdict, Time};
use text::key;

use super::chart::{
    self, AxisScale, ChartProbe, HEIGHT, LEFT, RIGHT, ToleratedBand, WIDTH, frame, mark, px,
};
use super::{Ctx, number};

/// Fewer points say nothing of how time and energy belong together.
const POINTS_MIN: usize = 10;
/// Height of one day in a map of hours.
const DAY_HEIGHT: f64 = 13.0;
/// Hours between two labels of a map.
const HOURS_LABELLED: usize = 3;
/// Shades of a map.
const SHADES: f64 = 5.0;

/// From the middle of a radar to its rim.
const RADAR_REACH: f64 = 84.0;
/// How far beyond the rim the words of an axis stand.
const RADAR_WORDS: f64 = 14.0;
/// Height of a radar with the words above and below it.
const RADAR_HEIGHT: f64 = 240.0;
/// Rings of a radar, as shares of the whole.
const RADAR_RINGS: [f64; 4] = [0.25, 0.5, 0.75, 1.0];

/// What a cycle took, how long and how much, and what was found of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct CyclePoint {
    pub(super) at: Time,
    pub(super) duration_s: f64,
    pub(super) energy_wh: f64,
    pub(super) verdict: CycleVerdict,
}

/// Time against energy of the last cycles, what is tolerated as a box; nothing of few cycles.
pub(super) fn scatter(
    ctx: &Ctx,
    points: &[CyclePoint],
    learned: [Option<ToleratedBand>; 2],
) -> Markup {
    if points.len() < POINTS_MIN {
        return html! {};
    }
    let [times, energies] = learned.map(|band| band.map(ToleratedBand::edges));
    let scale = |values: Vec<f64>, edges: Option<[f64; 2]>| {
        let all = values.into_iter().chain(edges.into_iter().flatten());
        AxisScale::around(all, false)
    };
    let across = scale(points.iter().map(|p| p.duration_s).collect(), times);
    let up = scale(points.iter().map(|p| p.energy_wh).collect(), energies);
    let x = |seconds: f64| LEFT + (WIDTH - LEFT - RIGHT) * across.share(seconds);
    let labels = across
        .ticks()
        .into_iter()
        .map(|s| (x(s), chart::tick_text(s)));
    let labels: Vec<(f64, String)> = labels.collect();
    let body = html! {
        @if let (Some([fast, slow]), Some([less, more])) = (times, energies) {
            rect.band x=(px(x(fast))) width=(px(x(slow) - x(fast))) y=(px(up.y(more)))
                height=(px(up.y(less) - up.y(more))) {
            }
        }
        @for point in points { (mark(point.verdict, x(point.duration_s), up.y(point.energy_wh))) }
    };
    let mut probes: Vec<ChartProbe> = points
        .iter()
        .map(|point| ChartProbe {
            x: x(point.duration_s),
            text: format!(
                "{} {} s, {} Wh",
                ctx.second(point.at),
                number(point.duration_s),
                number(point.energy_wh)
            ),
        })
        .collect();
    probes.sort_by(|a, b| a.x.total_cmp(&b.x));
    let title = ctx.text(key::CHART_SCATTER);
    html! {
        section.panel {
            div.panel-head {
                h2 { (title) }
                span.quiet { (ctx.text(key::CHART_SCATTER_AXES)) }
            }
            (frame(&title, &up, &labels, &probes, &body))
            p.quiet.small { (ctx.text(key::CHART_SCATTER_NOTE)) }
        }
    }
}

/// What a machine did in each hour of a day.
#[derive(Debug, Clone)]
pub(super) struct DayHours {
    pub(super) date: Date,
    /// The minute of the clock at which the day begins.
    pub(super) first_minute: usize,
    pub(super) rates: Vec<Option<f64>>,
}

/// The hours of many days, the newest below, each as dark as much of it a machine ran.
pub(super) fn hours(ctx: &Ctx, days: &[DayHours]) -> Markup {
    let seen = |day: &DayHours| day.rates.iter().any(Option::is_some);
    let Some(first) = days.iter().position(seen) else {
        return html! {};
    };
    let days = days.get(first..).unwrap_or_default();
    let hours = days
        .iter()
        .map(|day| day.rates.len())
        .max()
        .unwrap_or(24)
        .max(24);
    let width = (WIDTH - LEFT - RIGHT) / hours as f64;
    let foot = DAY_HEIGHT * days.len() as f64;
    let first_minute = days.first().map_or(0, |day| day.first_minute);
    let clock = |n: usize| {
        let minute = (first_minute + n * 60) % (24 * 60);
        format!("{}:{:02}", minute / 60, minute % 60)
    };
    let title = ctx.text(key::CHART_HOURS);
    let shade = |rate: f64| format!("h{}", (rate * SHADES).ceil().clamp(1.0, SHADES));
    html! {
        section.panel.hours {
            div.panel-head {
                h2 { (title) }
                span.quiet { (ctx.text(key::CHART_HOURS_NOTE)) }
            }
            svg.chart viewBox={ "0 0 " (WIDTH) " " (px((foot + 18.0).min(HEIGHT * 2.0))) }
                role="img" aria-label=(title) {
                @for (row, day) in days.iter().enumerate() {
                    @let y = DAY_HEIGHT * row as f64;
                    text.axis x=(LEFT - 5.0) y=(px(y + DAY_HEIGHT - 3.0)) text-anchor="end" {
                        (day.date.strftime("%-m/%-d"))
                    }
                    @for (n, rate) in day.rates.iter().enumerate() {
                        @if let Some(rate) = rate {
                            rect.hour.(shade(*rate)) x=(px(LEFT + width * n as f64 + 0.5))
                                y=(px(y + 0.5)) width=(px(width - 1.0))
                                height=(px(DAY_HEIGHT - 1.0)) rx="2" {
                                title {
                                    (day.date.strftime("%-m/%-d")) " " (clock(n)) " "
                                    (format!("{:.0} %", rate * 100.0))
                                }
                            }
                        }
                    }
                }
                @for n in (0..hours).step_by(HOURS_LABELLED) {
                    text.axis x=(px(LEFT + width * n as f64)) y=(px(foot + 13.0))
                        text-anchor="middle" { (clock(n)) }
                }
            }
        }
    }
}

/// One axis of a radar.
#[derive(Debug, Clone)]
pub(super) struct RadarAxis {
    pub(super) name: String,
    /// What is written below the name.
    pub(super) figure: String,
    /// How much of it there is for certain, from 0 to 1.
    pub(super) certain: f64,
    /// And with what rests on somebody's word alone, at least as much.
    pub(super) with_words: f64,
}

/// A place of a radar: on the axis of this number of so many, at a share of the way to the rim.
fn around(n: usize, of: usize, share: f64) -> [f64; 2] {
    let angle = n as f64 / of as f64 * TAU - FRAC_PI_2;
    let (up, across) = angle.sin_cos();
    [
        WIDTH / 2.0 + RADAR_REACH * share * across,
        RADAR_HEIGHT / 2.0 + RADAR_REACH * share * up,
    ]
}

fn outline(shares: &[f64]) -> String {
    let places = shares.iter().enumerate();
    let places = places.map(|(n, share)| around(n, shares.len(), *share));
    let places = places.map(|[x, y]| format!("{},{}", px(x), px(y)));
    places.collect::<Vec<_>>().join(" ")
}

/// Shares of several parts, each on an axis of its own, the first upwards and on by the clock.
pub(super) fn radar(title: &str, axes: &[RadarAxis]) -> Markup {
    let said = axes
        .iter()
        .map(|axis| format!("{} {}", axis.name, axis.figure));
    let said = format!("{title}: {}", said.collect::<Vec<_>>().join(", "));
    let shares = |of: fn(&RadarAxis) -> f64| axes.iter().map(of).collect::<Vec<_>>();
    html! {
        svg.chart.radar viewBox={ "0 0 " (WIDTH) " " (RADAR_HEIGHT) } role="img" aria-label=(said) {
            @for ring in RADAR_RINGS {
                polygon.ring points=(outline(&vec![ring; axes.len()])) {}
            }
            polygon.with-words points=(outline(&shares(|axis| axis.with_words))) {}
            polygon.certain points=(outline(&shares(|axis| axis.certain))) {}
            @for (n, axis) in axes.iter().enumerate() {
                @let [x, y] = around(n, axes.len(), 1.0);
                line.grid x1=(px(WIDTH / 2.0)) y1=(px(RADAR_HEIGHT / 2.0)) x2=(px(x)) y2=(px(y)) {}
                @let [x, y] = around(n, axes.len(), axis.certain);
                circle.dot.good cx=(px(x)) cy=(px(y)) r="3" {}
                (axis_words(n, axes.len(), axis))
            }
        }
    }
}

/// The name and the figure of an axis beyond the rim, on the side on which there is room.
fn axis_words(n: usize, of: usize, axis: &RadarAxis) -> Markup {
    let [x, y] = around(n, of, 1.0 + RADAR_WORDS / RADAR_REACH);
    let side = match x - WIDTH / 2.0 {
        aside if aside > 1.0 => "start",
        aside if aside < -1.0 => "end",
        _ => "middle",
    };
    // Words over the middle stand above the rim, words under it below.
    let first = y + (y - RADAR_HEIGHT / 2.0) / RADAR_REACH * 8.0 - 2.0;
    html! {
        text.axis x=(px(x)) y=(px(first)) text-anchor=(side) { (axis.name) }
        text.axis.figure x=(px(x)) y=(px(first + 14.0)) text-anchor=(side) { (axis.figure) }
    }
}
