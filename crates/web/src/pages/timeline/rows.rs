//! The rows of a timeline, all on one axis of time: states, what was noticed and said, and values
//! as range and mean of each column. Nothing is written into a picture that is stretched, so
//! letters keep their size on every screen.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use maud::{Markup, html};
use model::{Annotation, MachineState, Remark, Span, StateInterval};
use store::Bucket;

use super::super::chart::{AxisScale, tick_text};
use super::super::number;
use super::super::strip::{columns, strip_svg};
use super::window::{AxisMark, TimeWindow};

/// Columns that a stretch of time is drawn in.
pub(super) const COLUMNS: usize = 720;
/// Height of a picture of values, in units of its own.
const HEIGHT: f64 = 100.0;
/// So many times what nearly all values reach is far above them.
const FAR_ABOVE: f64 = 1.6;
/// Columns without readings that still belong together, as a multiple of the usual distance.
const JOINED: f64 = 3.0;

/// Something that happened at a moment.
pub(super) struct RowMark {
    /// Where, from 0 to 1.
    pub(super) share: f64,
    pub(super) kind: MarkKind,
    pub(super) text: String,
}

/// What kind of thing happened; each has a shape of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MarkKind {
    Alarm,
    Noticed,
    Said,
    Product,
}

impl MarkKind {
    fn code(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Noticed => "noticed",
            Self::Said => "said",
            Self::Product => "product",
        }
    }

    /// Its outline around the moment, in pixels.
    fn outline(self) -> &'static str {
        match self {
            Self::Alarm => "M0 1 6 11H-6Z",
            Self::Noticed => "M0 1 5 6 0 11-5 6Z",
            Self::Said => "M-5 1H5V8H1L0 11-1 8H-5Z",
            Self::Product => "M-1 1H1V11H-1Z",
        }
    }
}

/// Of marks in the order of time those that are seen: of several of a kind in one column the first.
pub(super) fn apart(marks: Vec<RowMark>) -> Vec<RowMark> {
    let mut drawn = BTreeSet::new();
    let column = |mark: &RowMark| (mark.share * COLUMNS as f64) as usize;
    let mut is_new = |mark: &RowMark| drawn.insert((column(mark), mark.kind));
    marks.into_iter().filter(|mark| is_new(mark)).collect()
}

fn percent(share: f64) -> String {
    format!("{:.3}%", share * 100.0)
}

/// What a machine did, and what is said of it.
pub(super) struct StateRow<'a> {
    pub(super) states: &'a [StateInterval],
    pub(super) marks: &'a [RowMark],
    /// What was said of stretches of time.
    pub(super) lasting: &'a [Annotation],
}

/// States and marks of a machine; hatched where something was said of a stretch of time.
pub(super) fn states(name: &Markup, row: &StateRow<'_>, window: &TimeWindow) -> Markup {
    let StateRow { states, marks, .. } = *row;
    let span = window.span;
    let lasting = row.lasting.iter().filter_map(|said| {
        let within = said.span()?.within(span)?;
        let from = window.share(within.from);
        Some((said, from, window.share(within.to) - from))
    });
    html! {
        div.tl-row {
            div.tl-name { (name) }
            div.tl-plot.of-states data-states=(codes(&columns(states, span, COLUMNS))) {
                (strip_svg(states, span, COLUMNS))
                svg.tl-marks aria-hidden="true" {
                    @for (said, from, width) in lasting {
                        rect.(lasting_class(said)) x=(percent(from)) width=(percent(width))
                            y="16" height="28" {}
                    }
                    @for mark in marks {
                        svg x=(percent(mark.share)) overflow="visible" {
                            path.mark.{ "m-" (mark.kind.code()) } d=(mark.kind.outline()) {
                                title { (mark.text) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn lasting_class(said: &Annotation) -> &'static str {
    match said.said {
        Remark::Maintenance { .. } => "tl-maintained",
        Remark::NotProducing { .. } => "tl-not-producing",
        _ => "tl-left-out",
    }
}

/// The picture of a mark, for a list.
pub(super) fn mark_picture(kind: MarkKind) -> Markup {
    html! {
        svg.shape viewBox="-7 -1 14 14" aria-hidden="true" {
            path.mark.{ "m-" (kind.code()) } d=(kind.outline()) {}
        }
    }
}

/// A letter for each column.
fn codes(columns: &[Option<MachineState>]) -> String {
    let letter = |state: &Option<MachineState>| match state {
        Some(MachineState::Run) => 'r',
        Some(MachineState::Idle) => 'i',
        Some(MachineState::Stop) => 's',
        Some(MachineState::Setup) => 'u',
        Some(MachineState::Off) => 'o',
        Some(MachineState::Unknown) | None => '-',
    };
    columns.iter().map(letter).collect()
}

/// A value over time.
pub(super) struct ValueRow<'a> {
    pub(super) name: String,
    pub(super) unit: &'a str,
    pub(super) buckets: &'a [Bucket],
    /// The same of another day, moved here.
    pub(super) versus: &'a [Bucket],
    /// A few values may be far above all others and mean nothing by it.
    pub(super) has_strays: bool,
}

/// The values of one point: for each column its range, through the columns its mean.
pub(super) fn values(row: &ValueRow<'_>, span: Span) -> Markup {
    let column = |bucket: &Bucket| {
        let share = (bucket.from.ms() - span.from.ms()) as f64
            / (span.to.ms() - span.from.ms()).max(1) as f64;
        share * COLUMNS as f64
    };
    let all = || row.buckets.iter().chain(row.versus);
    let means = all().map(|bucket| bucket.mean).filter(|_| row.has_strays);
    let most = most_shown(means);
    let ends = all().flat_map(|bucket| [bucket.min.min(most), bucket.max.min(most)]);
    let lowest = ends.clone().fold(f64::INFINITY, f64::min);
    let scale = AxisScale::around(ends, lowest >= 0.0);
    let y = |value: f64| (1.0 - scale.share(value.min(most))) * HEIGHT;
    html! {
        div.tl-row {
            div.tl-name {
                span { (row.name) }
                @if !row.unit.is_empty() { span.quiet { (row.unit) } }
            }
            div.tl-plot.of-values data-name=(row.name) data-unit=(row.unit)
                data-values=(told(row.buckets, span)) {
                svg.tl-picture aria-label=(row.name) role="img"
                    viewBox={ "0 0 " (COLUMNS) " " (HEIGHT) } preserveAspectRatio="none" {
                    @for bucket in row.buckets {
                        @let (top, foot) = (y(bucket.max), y(bucket.min));
                        rect.range x=(format!("{:.1}", column(bucket))) y=(format!("{top:.1}"))
                            width="1.2" height=(format!("{:.1}", (foot - top).max(0.6))) {}
                    }
                    @for (class, buckets) in [("versus", row.versus), ("mean", row.buckets)] {
                        path.{ (class) } d=(path(buckets, &column, &y)) {}
                    }
                }
                svg.tl-scale aria-hidden="true" {
                    @for tick in scale.ticks() {
                        @let at = percent(1.0 - scale.share(tick));
                        line.grid x1="0" x2="100%" y1=(at) y2=(at) {}
                        text.axis x="4" y=(at) dy="-3" { (tick_text(tick)) }
                    }
                }
            }
        }
    }
}

/// The highest value that is drawn to scale: a few that are far above all others, as the cycle of a
/// whole break, touch the upper edge, or they would press the rest together.
fn most_shown(means: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = means.collect();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted.get(sorted.len() * 9 / 10).copied();
    let usual = usual.filter(|usual| *usual > 0.0);
    usual.map_or(f64::INFINITY, |usual| usual * FAR_ABOVE)
}

/// So many columns may lie between readings that belong together.
fn joined(buckets: &[Bucket], column: impl Fn(&Bucket) -> f64) -> f64 {
    let mut apart: Vec<f64> = buckets
        .windows(2)
        .map(|pair| column(&pair[1]) - column(&pair[0]))
        .collect();
    apart.sort_by(f64::total_cmp);
    let usual = apart.get(apart.len() / 2).copied().unwrap_or(1.0);
    (usual * JOINED).max(2.0)
}

/// The means as one line; where readings are missing it is interrupted.
fn path(buckets: &[Bucket], column: &impl Fn(&Bucket) -> f64, y: &impl Fn(f64) -> f64) -> String {
    let most = joined(buckets, column);
    let mut line = String::new();
    let mut before = f64::NEG_INFINITY;
    for bucket in buckets {
        let x = column(bucket);
        let turn = if x - before <= most { 'L' } else { 'M' };
        write!(line, "{turn}{x:.1} {:.1}", y(bucket.mean)).ok();
        before = x;
    }
    line
}

/// What each column says, for whoever points at it: mean, lowest, highest; between readings that
/// belong together what the one before said; `-` where nothing is.
fn told(buckets: &[Bucket], span: Span) -> String {
    let mut columns = vec![String::from("-"); COLUMNS];
    let length = (span.to.ms() - span.from.ms()).max(1);
    let column = |bucket: &Bucket| (bucket.from.ms() - span.from.ms()) * COLUMNS as i64 / length;
    let most = joined(buckets, |bucket| column(bucket) as f64) as i64;
    for (i, bucket) in buckets.iter().enumerate() {
        let first = column(bucket);
        let next = buckets.get(i + 1).map(column);
        let until = next
            .filter(|next| next - first <= most)
            .unwrap_or(first + 1);
        let said = if bucket.min == bucket.max {
            number(bucket.mean)
        } else {
            let [mean, low, high] = [bucket.mean, bucket.min, bucket.max].map(number);
            format!("{mean}({low}–{high})")
        };
        for n in first..until.max(first + 1) {
            let column = usize::try_from(n).ok().and_then(|n| columns.get_mut(n));
            if let Some(column) = column {
                column.clone_from(&said);
            }
        }
    }
    columns.join(" ")
}

/// The axis below the rows.
pub(super) fn axis(marks: &[AxisMark]) -> Markup {
    html! {
        div.tl-row.tl-axis {
            div.tl-name {}
            svg.tl-times aria-hidden="true" {
                @for mark in marks {
                    @let at = percent(mark.share);
                    line.grid x1=(at) x2=(at) y1="0" y2="5" {}
                    text.axis x=(at) y="18" text-anchor=(anchor(mark.share)) { (mark.text) }
                }
            }
        }
    }
}

fn anchor(share: f64) -> &'static str {
    match share {
        ..0.03 => "start",
        0.97.. => "end",
        _ => "middle",
    }
}

#[cfg(test)]
mod tests {
    use model::Time;

    use super::*;

    fn bucket(ms: i64, mean: f64) -> Bucket {
        Bucket {
            from: Time::from_ms(ms),
            n: 1,
            min: mean,
            max: mean,
            mean,
        }
    }

    #[test]
    fn a_line_is_interrupted_where_readings_are_missing() {
        let column = |bucket: &Bucket| bucket.from.ms() as f64;
        let y = |value: f64| value;
        let buckets: Vec<Bucket> = [0, 10, 20, 30, 100, 110].map(|ms| bucket(ms, 1.0)).into();
        let line = path(&buckets, &column, &y);
        assert_eq!(line.matches('M').count(), 2, "{line}");
        assert_eq!(path(&[], &column, &y), "");
    }

    #[test]
    fn every_column_says_what_was_measured_in_it() {
        let span = Span::new(Time::from_ms(0), Time::from_ms(7_200));
        let wide = Bucket {
            min: 1.0,
            max: 3.0,
            ..bucket(10, 2.0)
        };
        let told = told(&[bucket(0, 5.0), wide], span);
        let columns: Vec<&str> = told.split(' ').collect();
        assert_eq!(columns.len(), COLUMNS);
        assert_eq!(columns[..3], ["5.00", "2.00(1.00–3.00)", "-"]);
    }

    #[test]
    fn between_readings_that_belong_together_the_one_before_is_told() {
        let span = Span::new(Time::from_ms(0), Time::from_ms(7_200));
        let told = told(
            &[
                bucket(0, 1.0),
                bucket(30, 2.0),
                bucket(60, 3.0),
                bucket(600, 4.0),
            ],
            span,
        );
        let columns: Vec<&str> = told.split(' ').collect();
        assert_eq!(
            columns[..7],
            ["1.00", "1.00", "1.00", "2.00", "2.00", "2.00", "3.00"]
        );
        assert_eq!((columns[7], columns[59], columns[60]), ("-", "-", "4.00"));
    }
}
