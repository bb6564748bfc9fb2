//! How long one cycle is, where nobody signals it: pictures of the power of the last minutes, cut
//! in the ways that it can be cut, and the one that is right by a tap; or the length by a
//! stopwatch.

use app::commands::{Command, OrderError, Orders};
use app::known::Known;
use app::views::MachineView;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use model::{CycleLength, MachineId, Right, Span, Time};
use report::watched::MachineSeries;
use serde::Deserialize;
use store::Bucket;
use text::key;

use super::chart::{self, AxisScale, BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, px};
use super::entry::{RefusedEntry, WrongEntry, refused_page};
use super::{Ctx, Place, frame, number, typed, way_back};
use crate::http::access::{JUDGE, LOOK};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/machines/{id}/cycle", LOOK, show),
    page!(post "/machines/{id}/cycle", JUDGE, set),
];

part! {
    /// What saying how long a cycle is needs.
    CycleLengthPart {
        known: Known,
        orders: Orders,
    }
}

/// Beats in the picture.
const BEATS_SHOWN: usize = 8;
/// A cycle may be offered as so many beats.
const BEATS_OFFERED: [f64; 5] = [0.5, 1.0, 2.0, 3.0, 4.0];
/// Halves of a beat are alike if their mean power differs by no more than this share.
const HALVES_ALIKE: f64 = 0.3;
/// Parts of the picture's width that readings fall into.
const PIXELS: usize = 400;

/// How long a cycle is, as it was tapped or typed, in seconds; empty: as it is found.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedCycleLength {
    seconds: String,
}

/// The power of the last beats, and where they begin and end.
struct BeatPicture {
    length: CycleLength,
    beat_s: f64,
    span: Span,
    buckets: Vec<Bucket>,
    /// Borders of beats, the first and the last included.
    borders: Vec<Time>,
}

impl BeatPicture {
    /// Reads it; `None` before so many beats were seen that anything can be told apart.
    async fn read(
        known: &Known,
        machine: &MachineId,
        length: CycleLength,
    ) -> Result<Option<Self>, Failure> {
        let machine = machine.clone();
        let read = known.read(move |reader| {
            let cycles = reader.cycles(&machine, Span::ALWAYS, BEATS_SHOWN)?.items;
            let cycles = cycles.iter().rev();
            let cycles = cycles.map(|row| Span::new(row.cycle.start, row.cycle.end));
            let Some(picture) = Self::of_cycles(cycles.collect(), length) else {
                return Ok(None);
            };
            let series = MachineSeries::read(reader)?;
            for power in series.powers_of(&machine, picture.span) {
                let buckets = reader.picture(power.info.id, picture.span, PIXELS)?;
                if !buckets.is_empty() {
                    return Ok(Some(Self { buckets, ..picture }));
                }
            }
            Ok(None)
        });
        Ok(read.await?)
    }

    /// The newest cycles that follow each other, oldest first, each cut into its beats.
    fn of_cycles(cycles: Vec<Span>, length: CycleLength) -> Option<Self> {
        let beats = length.beats.max(1);
        let mut borders: Vec<Time> = Vec::new();
        for cycle in cycles {
            if borders.last() != Some(&cycle.from) {
                borders = vec![cycle.from];
            }
            let beat_s = cycle.to.since(cycle.from) / f64::from(beats);
            let border = |beat| cycle.from.seconds() + beat_s * f64::from(beat);
            let inner = (1..beats).map(|beat| Time::from_seconds(border(beat)));
            borders.extend(inner.chain([cycle.to]));
        }
        let newest = borders.len().saturating_sub(BEATS_SHOWN + 1);
        let borders = borders.split_off(newest);
        let span = Span::new(*borders.first()?, *borders.last()?);
        let beat_s = length.beat_s?;
        (borders.len() > 2).then_some(Self {
            length,
            beat_s,
            span,
            buckets: Vec::new(),
            borders,
        })
    }

    /// Whether the halves of a beat draw about as much: otherwise they are no cycles.
    fn halves_are_alike(&self) -> bool {
        let halves = self.cut(0.5);
        let mut sums = [(0.0, 0.0); 2];
        for bucket in &self.buckets {
            let half = halves.partition_point(|border| *border <= bucket.from);
            let (sum, count) = &mut sums[half % 2];
            *sum += bucket.mean;
            *count += 1.0;
        }
        let [first, second] = sums.map(|(sum, count)| sum / f64::max(count, 1.0));
        (first - second).abs() <= HALVES_ALIKE * f64::max(first, second)
    }

    /// Where cycles of so many beats begin and end; of half a beat, in the middle of each too.
    fn cut(&self, beats: f64) -> Vec<Time> {
        if beats < 1.0 {
            let pairs = self.borders.iter().zip(self.borders.iter().skip(1));
            let halves = pairs.flat_map(|(from, to)| {
                let middle = f64::midpoint(from.seconds(), to.seconds());
                [*from, Time::from_seconds(middle)]
            });
            return halves.chain([self.span.to]).collect();
        }
        self.borders
            .iter()
            .step_by(beats as usize)
            .copied()
            .collect()
    }

    /// The power, every second cycle of so many beats shaded.
    fn draw(&self, title: &str, beats: f64) -> Markup {
        let values = self.buckets.iter().flat_map(|b| [b.min, b.max]);
        let scale = AxisScale::around(values, true);
        let whole_s = self.span.to.since(self.span.from).max(1e-3);
        let x = |t: Time| {
            let share = t.since(self.span.from) / whole_s;
            LEFT + (WIDTH - LEFT - RIGHT) * share.clamp(0.0, 1.0)
        };
        let points = self.buckets.iter();
        let points = points.map(|b| format!("{},{}", px(x(b.from)), px(scale.y(b.mean))));
        let points: Vec<String> = points.collect();
        let cut = self.cut(beats);
        let cycles = cut.iter().zip(cut.iter().skip(1)).step_by(2);
        let labels: Vec<(f64, String)> = (0..=4)
            .map(|quarter| whole_s * f64::from(quarter) / 4.0)
            .map(|s| {
                let at = Time::from_seconds(self.span.from.seconds() + s);
                (x(at), chart::tick_text((s * 10.0).round() / 10.0))
            })
            .collect();
        let body = html! {
            @for (from, to) in cycles {
                rect.cycle-shade x=(px(x(*from))) y=(px(TOP)) width=(px(x(*to) - x(*from)))
                    height=(px(HEIGHT - TOP - BOTTOM)) {
                }
            }
            @for border in &cut {
                line.cycle-border x1=(px(x(*border))) x2=(px(x(*border))) y1=(px(TOP))
                    y2=(px(HEIGHT - BOTTOM)) {
                }
            }
            polyline.mean points=(points.join(" ")) {}
        };
        chart::frame(title, &scale, &labels, &[], &body)
    }
}

/// The page.
pub(crate) async fn show(
    State(site): State<CycleLengthPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let board = site.known.board();
    let machine = board.machine(&id).ok_or_else(Failure::not_found)?;
    let ctx = Ctx::new(&site.known, &visitor);
    let body = page(&ctx, &site.known, machine, None).await?;
    let title = ctx.text(key::CYCLE_LENGTH_TITLE);
    Ok(frame(&ctx, Place::Board, &title, "", body).into_response())
}

/// Says how long a cycle is.
pub(crate) async fn set(
    State(site): State<CycleLengthPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    Form(typed): Form<TypedCycleLength>,
) -> Result<Response, Failure> {
    let board = site.known.board();
    let machine = board.machine(&id).ok_or_else(Failure::not_found)?;
    let seconds = match typed.seconds.trim() {
        "" => Some(None),
        typed => typed::amount(typed, typed::SECONDS).map(Some),
    };
    let said = match seconds {
        Some(seconds) => {
            let command = Command::SetCycleLength(machine.id.clone(), seconds);
            site.orders.give(command, &visitor.who.actor()).await
        }
        None => Err(OrderError::OutOfRange),
    };
    match said {
        Ok(()) => Ok(Redirect::to(&format!("/machines/{id}")).into_response()),
        Err(OrderError::OutOfRange) => {
            let ctx = Ctx::new(&site.known, &visitor);
            let wrong = WrongEntry::new("seconds", key::CYCLE_LENGTH_WRONG);
            let refused = RefusedEntry::of(typed, wrong, ctx.lang);
            let body = page(&ctx, &site.known, machine, Some(&refused)).await?;
            let title = ctx.text(key::CYCLE_LENGTH_TITLE);
            Ok(refused_page(&ctx, Place::Board, &title, body))
        }
        Err(problem) => Err(problem.into()),
    }
}

async fn page(
    ctx: &Ctx,
    known: &Known,
    machine: &MachineView,
    refused: Option<&RefusedEntry<TypedCycleLength>>,
) -> Result<Markup, Failure> {
    let Some(length) = machine.cycle_length else {
        return Ok(html! {
            (way_back(ctx, machine))
            div.empty { p { (ctx.text(key::CYCLE_LENGTH_SIGNALLED)) } }
        });
    };
    let picture = BeatPicture::read(known, &machine.id, length).await?;
    Ok(html! {
        (way_back(ctx, machine))
        p { (in_words(ctx, length)) }
        @if length.turns.is_some() { p { (ctx.text(key::CYCLE_LENGTH_TURNS_WHY)) } }
        @if ctx.may(Right::Judge) { p.quiet { (ctx.text(key::CYCLE_LENGTH_THEN)) } }
        @if let Some(picture) = &picture {
            div.grid.cycle-choices {
                @for beats in BEATS_OFFERED {
                    @if beats >= 1.0 || picture.halves_are_alike() {
                        (choice(ctx, machine, picture, beats))
                    }
                }
            }
        } @else {
            p.quiet { (ctx.text(key::CYCLE_LENGTH_NOTHING)) }
        }
        @if ctx.may(Right::Judge) { (stopwatch(ctx, machine, length, refused)) }
    })
}

/// One way to cut, as a picture, and the button that says it is right.
fn choice(ctx: &Ctx, machine: &MachineView, picture: &BeatPicture, beats: f64) -> Markup {
    let length = picture.length;
    let seconds = picture.beat_s * beats;
    let is_now = (beats - f64::from(length.beats)).abs() < 0.1;
    let is_asked = length
        .turns
        .is_some_and(|turns| (beats - f64::from(turns)).abs() < 0.1);
    let time = about(ctx, seconds);
    let title = if beats < 1.0 {
        ctx.with(key::CYCLE_LENGTH_HALF, &[("time", &time)])
    } else {
        let count = chart::tick_text(beats);
        ctx.with(
            key::CYCLE_LENGTH_CHOICE,
            &[("count", &count), ("time", &time)],
        )
    };
    let word = if is_now {
        key::CYCLE_LENGTH_RIGHT
    } else {
        key::CYCLE_LENGTH_CHOOSE
    };
    html! {
        figure.panel.cycle-choice {
            figcaption {
                strong { (title) }
                @if is_now { " " span.badge { (ctx.text(key::CYCLE_LENGTH_NOW)) } }
            }
            (picture.draw(&title, beats))
            @if ctx.may(Right::Judge) && (!is_now || length.said_s.is_none()) {
                form.off-paper method="post" action={ "/machines/" (machine.id) "/cycle" } {
                    input type="hidden" name="seconds" value=(seconds);
                    button.primary[is_asked] type="submit" { (ctx.text(word)) }
                }
            }
        }
    }
}

/// The length by a stopwatch, and the way back to what was found.
fn stopwatch(
    ctx: &Ctx,
    machine: &MachineView,
    length: CycleLength,
    refused: Option<&RefusedEntry<TypedCycleLength>>,
) -> Markup {
    let action = format!("/machines/{}/cycle", machine.id);
    let said = length.said_s.map(number).unwrap_or_default();
    let typed = refused.map_or(&said, |refused| &refused.typed.seconds);
    html! {
        section.panel.off-paper {
            form.limit-form method="post" action=(action) {
                label {
                    span { (ctx.text(key::CYCLE_LENGTH_STOPWATCH)) }
                    input name="seconds" value=(typed) inputmode="decimal" autocomplete="off"
                        required aria-invalid=[RefusedEntry::invalid(refused, "seconds")];
                }
                (RefusedEntry::why(refused))
                button type="submit" { (ctx.text(key::CYCLE_LENGTH_SET)) }
            }
            @if length.said_s.is_some() {
                form.off-paper method="post" action=(action) {
                    input type="hidden" name="seconds" value="";
                    button type="submit" { (ctx.text(key::CYCLE_LENGTH_UNDO)) }
                }
            }
        }
    }
}

/// A length of time as people say it.
fn about(ctx: &Ctx, seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{} {}", number(seconds), ctx.text(key::UNIT_S))
    } else {
        ctx.lang.length(seconds)
    }
}

/// How long a cycle is taken to be, and who said so.
fn in_words(ctx: &Ctx, length: CycleLength) -> String {
    let about = |s: Option<f64>| s.map_or_else(|| "–".to_owned(), |s| about(ctx, s));
    let (now, said) = (about(length.cycle_s()), about(length.said_s));
    match length.said_s {
        Some(_) if length.beat_s.is_none() => {
            ctx.with(key::CYCLE_LENGTH_SOUGHT, &[("said", &said)])
        }
        Some(_) => ctx.with(key::CYCLE_LENGTH_SAID, &[("time", &now), ("said", &said)]),
        None => ctx.with(key::CYCLE_LENGTH_FOUND, &[("time", &now)]),
    }
}

/// How a machine's cycles are counted, and the way to say otherwise; nothing where a signal tells.
pub(super) fn told(ctx: &Ctx, machine: &MachineView) -> Markup {
    let Some(length) = machine.cycle_length else {
        return html! {};
    };
    let way = format!("/machines/{}/cycle", machine.id);
    html! {
        @if let Some(turns) = length.turns {
            p { strong { (ctx.with(key::CYCLE_LENGTH_TURNS, &[("count", &turns.to_string())])) } }
            p { a.button.primary href=(way) { (ctx.text(key::CYCLE_LENGTH_LOOK)) } }
        } @else {
            p.quiet {
                (in_words(ctx, length)) " "
                a href=(way) { (ctx.text(key::CYCLE_LENGTH_LOOK)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(lengths: &[i64]) -> Vec<Span> {
        let mut at = 0;
        let mut next = |length: &i64| {
            let from = Time::from_ms(at);
            at += length;
            Span::new(from, Time::from_ms(at))
        };
        lengths.iter().map(&mut next).collect()
    }

    fn length(beats: u32) -> CycleLength {
        CycleLength {
            beat_s: Some(1.0),
            beats,
            said_s: None,
            turns: None,
        }
    }

    #[test]
    fn cycles_are_cut_in_every_way_that_is_offered() {
        let picture = BeatPicture::of_cycles(spans(&[1_000; 8]), length(1)).unwrap();
        assert_eq!(picture.cut(1.0).len(), 9);
        assert_eq!(picture.cut(2.0).len(), 5);
        assert_eq!(picture.cut(0.5).len(), 17);
        let of_two = BeatPicture::of_cycles(spans(&[2_000; 8]), length(2)).unwrap();
        assert_eq!(of_two.borders.len(), BEATS_SHOWN + 1);
        assert_eq!(of_two.span.to.ms() - of_two.span.from.ms(), 8_000);
    }

    #[test]
    fn what_does_not_follow_is_not_in_one_picture() {
        let mut apart = spans(&[1_000; 8]);
        apart.remove(3);
        let picture = BeatPicture::of_cycles(apart, length(1)).unwrap();
        assert_eq!(picture.borders.len(), 5);
        assert!(BeatPicture::of_cycles(spans(&[1_000]), length(1)).is_none());
    }
}
