//! Charts as SVG from the server: the points of the last cycles against the learned band, and a
//! day of power as the range and mean of each column of pixels.

use std::fmt::Write as _;

use kpi::Spread;
use maud::{Markup, html};
use model::{Contrast, CyclePart, CycleVerdict, Forecast, Span, Time};
use store::MinuteRow;
use text::key;

use super::{Ctx, number};

pub(super) const WIDTH: f64 = 400.0;
pub(super) const HEIGHT: f64 = 200.0;
pub(super) const LEFT: f64 = 44.0;
pub(super) const RIGHT: f64 = 8.0;
pub(super) const TOP: f64 = 10.0;
pub(super) const BOTTOM: f64 = 24.0;
/// Room that a figure under the picture takes.
const LABEL_WIDTH: f64 = 44.0;
/// Bars of a picture of how values scatter.
const BARS: usize = 30;
/// Height of a single line of time.
const LINE_HEIGHT: f64 = 64.0;

/// One point of a cycle chart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dot {
    pub(crate) value: f64,
    pub(crate) at: Time,
    pub(crate) verdict: CycleVerdict,
}

/// A place of a chart at which a reader may ask for the value: where it is, and what is said there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ChartProbe {
    pub(super) x: f64,
    pub(super) text: String,
}

/// What was learned of a value, and how far it may lie from that.
#[derive(Debug, Clone, Copy)]
pub(super) struct ToleratedBand {
    pub(super) middle: f64,
    /// On either side, as a share of the middle.
    pub(super) share: f64,
}

impl ToleratedBand {
    /// The smallest value that is tolerated, and the largest.
    pub(super) fn edges(self) -> [f64; 2] {
        [1.0 - self.share, 1.0 + self.share].map(|share| self.middle * share)
    }
}

/// A linear scale that leaves a margin around its values.
pub(super) struct AxisScale {
    low: f64,
    high: f64,
}

impl AxisScale {
    pub(super) fn around(values: impl Iterator<Item = f64>, from_zero: bool) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        });
        if low > high {
            return Self {
                low: 0.0,
                high: 1.0,
            };
        }
        let margin = ((high - low) * 0.08).max(high.abs() * 0.02).max(1e-9);
        let low = if from_zero {
            0.0
        } else {
            (low - margin).max(0.0)
        };
        Self {
            low,
            high: high + margin,
        }
    }

    /// Where a value lies on it, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        TOP + (1.0 - self.share(value)) * (HEIGHT - TOP - BOTTOM)
    }

    /// Round values to write at the axis.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let span = self.high - self.low;
        let rough = span / 4.0;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .iter()
            .map(|m| m * magnitude)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last.min(first + 8))
            .map(|i| i as f64 * step)
            .collect()
    }
}

pub(super) fn frame(
    title: &str,
    scale: &AxisScale,
    labels: &[(f64, String)],
    probes: &[ChartProbe],
    body: &Markup,
) -> Markup {
    let asked = probes
        .iter()
        .map(|probe| format!("{:.1}|{}", probe.x, probe.text));
    let asked = (!probes.is_empty()).then(|| asked.collect::<Vec<_>>().join("\n"));
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(title)
            data-probes=[asked] tabindex=[(!probes.is_empty()).then_some("0")] {
            @for tick in scale.ticks() {
                line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(px(scale.y(tick)))
                    y2=(px(scale.y(tick))) {
                }
                text.axis x=(LEFT - 5.0) y=(px(scale.y(tick) + 4.0)) text-anchor="end" {
                    (tick_text(tick))
                }
            }
            (body)
            @for (x, text) in labels {
                text.axis x=(px(*x)) y=(HEIGHT - 6.0) text-anchor=(anchor(*x)) { (text) }
            }
        }
    }
}

fn anchor(x: f64) -> &'static str {
    if x < LEFT + 30.0 {
        "start"
    } else if x > WIDTH - 40.0 {
        "end"
    } else {
        "middle"
    }
}

pub(super) fn tick_text(tick: f64) -> String {
    let text = if tick.abs() >= 100.0 {
        format!("{tick:.0}")
    } else {
        format!("{tick:.3}")
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

pub(super) fn px(value: f64) -> String {
    format!("{value:.1}")
}

/// The mark of a cycle at a place, by its verdict in shape and colour.
pub(super) fn mark(verdict: CycleVerdict, cx: f64, cy: f64) -> Markup {
    html! {
        @match verdict {
            CycleVerdict::SpeedChanged | CycleVerdict::EnergyChanged => {
                rect.dot.bad x=(px(cx - 3.5)) y=(px(cy - 3.5)) width="7" height="7" {}
            }
            CycleVerdict::Good | CycleVerdict::Waiting => {
                circle.dot.good cx=(px(cx)) cy=(px(cy)) r="2.6" {}
            }
            CycleVerdict::Odd => {
                path.dot.odd d={ "M" (px(cx)) " " (px(cy - 4.0)) "l4 4-4 4-4-4z" } {}
            }
            _ => circle.dot.plain cx=(px(cx)) cy=(px(cy)) r="2.4" {},
        }
    }
}

/// The last cycles, oldest left, with the reference as a line and the tolerance as a band.
pub(crate) fn cycles(ctx: &Ctx, title: &str, dots: &[Dot], band: Option<ToleratedBand>) -> Markup {
    let edges = band.into_iter().flat_map(ToleratedBand::edges);
    let scale = AxisScale::around(dots.iter().map(|dot| dot.value).chain(edges), false);
    let step = (WIDTH - LEFT - RIGHT) / dots.len().max(2) as f64;
    let x = |i: usize| LEFT + step * (i as f64 + 0.5);
    let mut labels = Vec::new();
    if let (Some(first), Some(last)) = (dots.first(), dots.last()) {
        labels.push((LEFT, ctx.when(first.at)));
        labels.push((WIDTH - RIGHT, ctx.when(last.at)));
    }
    let body = html! {
        @if let Some(band) = band {
            @let [low, high] = band.edges();
            rect.band x=(LEFT) width=(WIDTH - LEFT - RIGHT) y=(px(scale.y(high)))
                height=(px(scale.y(low) - scale.y(high))) {
            }
            line.reference x1=(LEFT) x2=(WIDTH - RIGHT) y1=(px(scale.y(band.middle)))
                y2=(px(scale.y(band.middle))) {
            }
        }
        @for (i, dot) in dots.iter().enumerate() {
            (mark(dot.verdict, x(i), scale.y(dot.value)))
        }
    };
    let probes = dots.iter().enumerate().map(|(i, dot)| ChartProbe {
        x: x(i),
        text: format!("{} {}", ctx.second(dot.at), number(dot.value)),
    });
    frame(title, &scale, &labels, &probes.collect::<Vec<_>>(), &body)
}

/// How cycle times scatter: bars from the shortest to the longest, the middle as a line, the range
/// of the middle four fifths as a band.
pub(crate) fn spread(ctx: &Ctx, times: &Spread, [low, median, high]: [f64; 3]) -> Markup {
    // Rare outliers are gathered in the outermost bars, or they would press the rest together.
    let margin = (high - low).max(median * 0.01);
    let ends = ((low - margin).max(median * 0.01), high + margin);
    let bars = times.bars(ends.0, ends.1, BARS);
    let tallest = bars.iter().copied().max().unwrap_or(1).max(1) as f64;
    let scale = AxisScale {
        low: 0.0,
        high: tallest * 1.05,
    };
    let width = WIDTH - LEFT - RIGHT;
    let x = |value: f64| LEFT + width * (value - ends.0) / (ends.1 - ends.0);
    let bar = width / bars.len() as f64;
    // The middle is marked by its line; its figure gives way where it would stand in another.
    let is_apart = |v: f64| (x(v) - x(median)).abs() >= LABEL_WIDTH;
    let middle = (is_apart(low) && is_apart(high)).then_some(median);
    let labels = [Some(low), middle, Some(high)].into_iter().flatten();
    let labels: Vec<(f64, String)> = labels.map(|v| (x(v), number(v))).collect();
    let foot = scale.y(0.0);
    let body = html! {
        rect.band x=(px(x(low))) width=(px(x(high) - x(low))) y=(px(TOP)) height=(px(foot - TOP)) {}
        @for (i, count) in bars.iter().enumerate() {
            @let top = scale.y(*count as f64);
            rect.bar x=(px(LEFT + bar * i as f64 + 0.5)) width=(px((bar - 1.0).max(0.5)))
                y=(px(top)) height=(px(foot - top)) {
            }
        }
        line.reference x1=(px(x(median))) x2=(px(x(median))) y1=(px(TOP)) y2=(px(foot)) {}
    };
    html! {
        (frame(&ctx.text(key::RATES_SPREAD), &scale, &labels, &[], &body))
        p.quiet.small { (ctx.text(key::RATES_SPREAD_NOTE)) }
    }
}

/// Power over a cycle as it was noticed against the usual one; where they differ is shaded.
pub(crate) fn contrast(ctx: &Ctx, contrast: &Contrast) -> Markup {
    let (usual, seen) = (&contrast.usual_w, &contrast.seen_w);
    let values = usual.iter().chain(seen).map(|watts| f64::from(*watts));
    let scale = AxisScale::around(values, true);
    let whole_s = contrast.step_s * usual.len().max(seen.len()).max(1) as f64;
    let x = |seconds: f64| LEFT + (WIDTH - LEFT - RIGHT) * (seconds / whole_s).clamp(0.0, 1.0);
    let stairs = |watts: &[f32]| {
        let mut path = String::new();
        for (i, watts) in watts.iter().enumerate() {
            let from = if i == 0 { "M" } else { "L" };
            let at = |steps: usize| px(x(contrast.step_s * steps as f64));
            let y = px(scale.y(f64::from(*watts)));
            write!(path, "{from}{} {y}H{}", at(i), at(i + 1)).ok();
        }
        path
    };
    let labels: Vec<(f64, String)> = (0..=4)
        .map(|quarter| whole_s * f64::from(quarter) / 4.0)
        .map(|seconds| (x(seconds), tick_text((seconds * 100.0).round() / 100.0)))
        .collect();
    let is_part = contrast.part() != CyclePart::Whole;
    let body = html! {
        @if is_part {
            rect.differs x=(px(x(contrast.from_s))) y=(px(TOP))
                width=(px((x(contrast.to_s) - x(contrast.from_s)).max(2.0)))
                height=(px(HEIGHT - TOP - BOTTOM)) {
            }
        }
        path.mean d=(stairs(seen)) {}
        path.usual d=(stairs(usual)) {}
    };
    html! {
        figure.contrast {
            figcaption.quiet.small { (ctx.text(key::WHY_CONTRAST)) }
            (frame(&ctx.text(key::WHY_CONTRAST), &scale, &labels, &[], &body))
            p.quiet.small {
                (ctx.text(key::WHY_CONTRAST_LEGEND))
                @if is_part { (ctx.text(key::WHY_CONTRAST_PART)) }
            }
        }
    }
}

/// A line of time from the beginning of a drift to its limit: the range of the forecast as a band,
/// its middle and now as marks.
pub(crate) fn forecast(ctx: &Ctx, forecast: &Forecast) -> Markup {
    let first = forecast.since.min(ctx.now);
    let last = forecast
        .to
        .unwrap_or(forecast.at)
        .max(ctx.now)
        .max(forecast.at);
    let span = (last.ms() - first.ms()).max(1) as f64;
    let x = |t: Time| LEFT + (t.ms() - first.ms()) as f64 / span * (WIDTH - 2.0 * LEFT);
    let until = forecast.to.map_or(WIDTH - RIGHT, x);
    let y = LINE_HEIGHT / 2.0;
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (LINE_HEIGHT) } role="img"
            aria-label=(ctx.text(key::MACHINE_FORECAST)) {
            line.grid x1=(px(x(first))) x2=(px(WIDTH - RIGHT)) y1=(px(y)) y2=(px(y)) {}
            rect.range x=(px(x(forecast.from))) width=(px((until - x(forecast.from)).max(2.0)))
                y=(px(y - 7.0)) height="14" {
            }
            line.reference x1=(px(x(forecast.at))) x2=(px(x(forecast.at))) y1=(px(y - 10.0))
                y2=(px(y + 10.0)) {
            }
            circle.dot.good cx=(px(x(ctx.now))) cy=(px(y)) r="4" {}
            text.axis x=(px(x(ctx.now))) y=(px(y - 13.0)) text-anchor=(anchor(x(ctx.now))) {
                (ctx.text(key::MACHINE_NOW))
            }
            text.axis x=(px(x(first))) y=(px(y + 22.0)) text-anchor="start" { (ctx.when(first)) }
            text.axis x=(px(x(forecast.at))) y=(px(y + 22.0)) text-anchor=(anchor(x(forecast.at))) {
                (ctx.when(forecast.at))
            }
        }
    }
}

/// A stretch of power: for each column of pixels its range, through the columns its mean. Minutes
/// without data leave a hole.
pub(crate) fn power(ctx: &Ctx, minutes: &[MinuteRow], span: Span) -> Markup {
    let Span { from, to } = span;
    let scale = AxisScale::around(minutes.iter().map(|m| m.max), true);
    let width = WIDTH - LEFT - RIGHT;
    let columns = columns(minutes, span, width as usize);
    let x = |column: usize| LEFT + column as f64;
    // Neighbouring minutes are joined, a missing one is a hole.
    let minute_px = (width * 60_000.0 / (to.ms() - from.ms()).max(1) as f64).ceil() as usize + 1;
    let mut paths: Vec<String> = Vec::new();
    let mut before = None;
    for (column, (_, _, mean)) in &columns {
        let point = format!("{} {}", px(x(*column)), px(scale.y(*mean)));
        match paths.last_mut() {
            Some(path) if before.is_some_and(|b: usize| column - b <= minute_px) => {
                path.push_str(" L");
                path.push_str(&point);
            }
            _ => paths.push(format!("M{point}")),
        }
        before = Some(*column);
    }
    let at = |quarter: i64| from + quarter * (to.ms() - from.ms()) / 4;
    let labels: Vec<(f64, String)> = (0..=4)
        .map(|i| (LEFT + width * i as f64 / 4.0, ctx.clock(at(i))))
        .collect();
    let body = html! {
        @for (column, (low, high, _)) in &columns {
            rect.range x=(px(x(*column))) y=(px(scale.y(*high))) width=(minute_px)
                height=(px((scale.y(*low) - scale.y(*high)).max(1.0))) {}
        }
        @for path in &paths { path.mean d=(path) {} }
    };
    let span_ms = (to.ms() - from.ms()) as f64;
    let probes = columns.iter().map(|(column, (low, high, mean))| {
        let at = from + (span_ms * *column as f64 / width) as i64;
        let range = [
            ("mean", number(*mean)),
            ("low", number(*low)),
            ("high", number(*high)),
        ];
        let range = range
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let text = ctx.with(key::CHART_POWER, &range);
        ChartProbe {
            x: x(*column),
            text: format!("{} {text}", ctx.clock(at)),
        }
    });
    let probes: Vec<ChartProbe> = probes.collect();
    frame(
        &ctx.text(key::MACHINE_POWER),
        &scale,
        &labels,
        &probes,
        &body,
    )
}

type ChartColumn = (usize, (f64, f64, f64));

fn columns(minutes: &[MinuteRow], span: Span, width: usize) -> Vec<ChartColumn> {
    let Span { from, to } = span;
    let span = (to.ms() - from.ms()).max(1) as f64;
    let mut columns: Vec<(usize, f64, f64, f64, u32)> = Vec::new();
    for minute in minutes {
        let share = (minute.minute.ms() - from.ms()) as f64 / span;
        if !(0.0..=1.0).contains(&share) {
            continue;
        }
        let column = ((share * width as f64) as usize).min(width.saturating_sub(1));
        match columns.last_mut() {
            Some((last, low, high, sum, n)) if *last == column => {
                *low = low.min(minute.min);
                *high = high.max(minute.max);
                *sum += minute.sum;
                *n += minute.n;
            }
            _ => columns.push((column, minute.min, minute.max, minute.sum, minute.n)),
        }
    }
    let mean = |sum: f64, n: u32| sum / f64::from(n.max(1));
    columns
        .into_iter()
        .map(|(c, low, high, sum, n)| (c, (low, high, mean(sum, n))))
        .collect()
}

/// The latest value of a chart, written beside its title.
pub(crate) fn latest(dots: &[Dot]) -> Option<String> {
    dots.last().map(|dot| number(dot.value))
}
