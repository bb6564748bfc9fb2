//! The timeline: what machines did in any stretch of time, on one axis with what was noticed, what
//! people said and what was measured. Zoomed with a pointer, with two fingers, with keys, or with
//! the buttons; the server draws each stretch anew. Its size is that of the picture, whatever the
//! stretch; what it reads grows with the states and cycles in it.

mod rows;
pub(crate) mod way;
mod window;

use app::known::Known;
use app::views::BoardView;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use model::{
    Alarm, Annotation, CycleTime, FindingKind, MachineId, MachineState, Right, Span, StateInterval,
    Time,
};
use report::alarm_words;
use report::remarks::remark_text;
use report::watched::MachineSeries;
use serde::Deserialize;
use store::{Bucket, FindingRow, StoreError};
use text::{Key, key, zoned};

use self::rows::{COLUMNS, MarkKind, RowMark, StateRow, ValueRow};
use self::window::TimeWindow;
use super::left_out::TypedLeftOut;
use super::not_producing::TypedIdleness;
use super::stretch::panel;
use super::{Ctx, Place, frame, shape, typed};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/timeline", LOOK, show)];

/// Points of a machine that are drawn.
const POINTS_SHOWN: usize = 12;
/// What happened, in the list below the picture.
const HAPPENED_SHOWN: usize = 200;
/// Stretches of a state, in the table.
const STATES_SHOWN: usize = 300;
/// Points that are not drawn: they are in the states and cycles.
const UNDRAWN: [&str; 6] = ["cycle", "product", "pulse", "red", "yellow", "green"];
/// Lengths that are offered, in milliseconds, and what they are called.
const LENGTHS: [(i64, Key); 5] = [
    (600_000, key::TIMELINE_TEN_MINUTES),
    (3_600_000, key::TIMELINE_HOUR),
    (28_800_000, key::TIMELINE_EIGHT_HOURS),
    (86_400_000, key::TIMELINE_DAY),
    (604_800_000, key::TIMELINE_WEEK),
];

/// What somebody wants to see.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct WantedTimeline {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    machine: String,
    #[serde(default)]
    versus: String,
}

/// What is kept of one machine in a stretch of time.
struct TimelineRow {
    machine: MachineId,
    states: Vec<StateInterval>,
    findings: Vec<FindingRow>,
    alarms: Vec<Alarm>,
    said: Vec<Annotation>,
    /// What of it was said of stretches of time.
    lasting: Vec<Annotation>,
}

/// What is measured of the one machine that is looked at.
#[derive(Default)]
struct Measurements {
    /// Each point: its name, its values, those of the day it is compared with.
    points: Vec<(String, [Vec<Bucket>; 2])>,
    cycles: [Vec<Bucket>; 2],
    /// Its states on the day it is compared with.
    versus: Vec<StateInterval>,
}

/// The page.
pub(crate) async fn show(
    State(known): State<Known>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedTimeline>,
) -> Result<Response, Failure> {
    let board = known.board();
    let ctx = Ctx::new(&known, &visitor);
    let mut window = wanted.window(&known, &board);
    if wanted.is_of_today() {
        window = begun(&known, &board, window).await?;
    }
    let (rows, measured) = read(&known, &board, &window, &ctx.zone).await?;
    let body = html! {
        (form(&ctx, &board, &window, &wanted))
        section.panel #timeline tabindex="0" aria-label=(ctx.text(key::TIMELINE_TITLE))
            data-from=(window.span.from.ms()) data-to=(window.span.to.ms())
            data-now=(ctx.now.ms()) data-offset=(offset_min(&ctx.zone, window.span.from))
            data-words=(words(&ctx)) {
            (head(&ctx, &window))
            output.tl-read.off-paper {}
            (picture(&ctx, &board, &window, &rows, &measured))
            (legend(&ctx))
            p.quiet.small.off-paper { (ctx.text(key::TIMELINE_HINT)) }
        }
        @if let (Some(machine), Some(row)) = (&window.machine, rows.first()) {
            @let (span, said, factory) = (window.span, &row.lasting, &board.factory);
            (panel::<TypedIdleness>(&ctx, machine, span, said, factory))
            (panel::<TypedLeftOut>(&ctx, machine, span, said, factory))
        }
        (happened(&ctx, &board, &window, &rows))
        (table(&ctx, &window, &rows))
    };
    let title = ctx.text(key::TIMELINE_TITLE);
    Ok(frame(&ctx, Place::Timeline, &title, "", body))
}

impl WantedTimeline {
    /// What is shown: what was asked for as far as it can be read; else today.
    fn window(&self, known: &Known, board: &BoardView) -> TimeWindow {
        let (zone, now) = (&known.calendar.zone, known.now());
        let to = window::asked(&self.to, zone).unwrap_or(now);
        let usual = || known.calendar.day_start(to - 1);
        let from = window::asked(&self.from, zone).unwrap_or_else(usual);
        let machine = board.machine(self.machine.trim());
        TimeWindow {
            span: Span::new(from.min(to), to.max(from)),
            machine: machine.map(|machine| machine.id.clone()),
            versus: typed::date(&self.versus).filter(|_| machine.is_some()),
        }
        .fitted(now)
    }

    /// Nobody asked for a stretch of time.
    fn is_of_today(&self) -> bool {
        self.from.trim().is_empty() && self.to.trim().is_empty()
    }
}

/// The machines that a window shows.
fn shown(board: &BoardView, window: &TimeWindow) -> Vec<MachineId> {
    match &window.machine {
        Some(machine) => vec![machine.clone()],
        None => board.machines.iter().map(|m| m.id.clone()).collect(),
    }
}

/// The window from a little before the first that was observed in it: on the day on which the box
/// began, most of it would be empty.
async fn begun(
    known: &Known,
    board: &BoardView,
    window: TimeWindow,
) -> Result<TimeWindow, Failure> {
    let (machines, span) = (shown(board, &window), window.span);
    let work = move |reader: &dyn store::Reader| {
        let mut first: Option<Time> = None;
        for machine in &machines {
            let states = reader.states(machine, span)?;
            let seen = states.iter().find(|s| s.state != MachineState::Unknown);
            first = first
                .into_iter()
                .chain(seen.map(|s| s.from.max(span.from)))
                .min();
        }
        Ok(first)
    };
    let first = known.read(work).await?;
    Ok(window.since(first, known.now()))
}

async fn read(
    known: &Known,
    board: &BoardView,
    window: &TimeWindow,
    zone: &TimeZone,
) -> Result<(Vec<TimelineRow>, Measurements), Failure> {
    let machines = shown(board, window);
    let (span, only) = (window.span, window.machine.clone());
    let versus = window.versus_span(zone);
    let work = move |reader: &dyn store::Reader| -> Result<_, StoreError> {
        let said = reader.annotations(only.as_ref(), span)?;
        let row = |machine: MachineId| {
            let mut alarms = reader.alarms_in(&machine, span)?;
            // The others are told by what they come of.
            alarms.retain(|alarm| FindingKind::behind(alarm.kind).is_none());
            let of = |said: &&Annotation| said.machine == machine && said.withdrawn_at.is_none();
            Ok(TimelineRow {
                states: reader.states(&machine, span)?,
                findings: reader.findings_in(&machine, span)?,
                alarms,
                said: said.iter().filter(of).cloned().collect(),
                lasting: reader.lasting(Some(&machine), span)?,
                machine,
            })
        };
        let rows: Result<Vec<TimelineRow>, StoreError> = machines.into_iter().map(row).collect();
        let measured = match only {
            Some(machine) => measurements(reader, &machine, span, versus)?,
            None => Measurements::default(),
        };
        Ok((rows?, measured))
    };
    Ok(known.read(work).await?)
}

fn measurements(
    reader: &dyn store::Reader,
    machine: &MachineId,
    span: Span,
    versus: Option<Span>,
) -> Result<Measurements, StoreError> {
    let series = MachineSeries::read(reader)?;
    let pictures = |span: Span| -> Result<Vec<(String, Vec<Bucket>)>, StoreError> {
        let mut points: Vec<(String, Vec<Bucket>)> = Vec::new();
        for one in series.of(machine, span) {
            if UNDRAWN.contains(&one.info.point.as_str()) {
                continue;
            }
            let mut buckets = reader.picture(one.info.id, span, COLUMNS)?;
            buckets.retain(|bucket| one.has(bucket.from));
            // A point that another device took over goes on in the same row.
            match points
                .iter_mut()
                .find(|(point, _)| *point == one.info.point)
            {
                Some((_, known)) => {
                    known.extend(buckets);
                    known.sort_by_key(|bucket| bucket.from);
                }
                None => points.push((one.info.point, buckets)),
            }
        }
        Ok(points)
    };
    let moved = |mut buckets: Vec<Bucket>, other: Span| {
        for bucket in &mut buckets {
            bucket.from = bucket.from + (span.from.ms() - other.from.ms());
        }
        buckets
    };
    let mut others = match versus {
        Some(other) => pictures(other)?,
        None => Vec::new(),
    };
    let points = pictures(span)?.into_iter().map(|(point, buckets)| {
        let at = others.iter().position(|(other, _)| *other == point);
        let same = at.map(|at| others.swap_remove(at).1).unwrap_or_default();
        let same = versus.map(|other| moved(same, other)).unwrap_or_default();
        (point, [buckets, same])
    });
    // What was not measured then needs no room.
    let points = points.filter(|(_, drawn)| drawn.iter().any(|buckets| !buckets.is_empty()));
    let points = points.take(POINTS_SHOWN).collect();
    let cycles = |span: Span| -> Result<Vec<Bucket>, StoreError> {
        Ok(cycle_times(&reader.cycle_times(machine, span)?, span))
    };
    let of_versus = |other: Span| -> Result<_, StoreError> {
        let states = reader.states(machine, other)?;
        Ok((moved(cycles(other)?, other), shifted(states, span, other)))
    };
    let (cycles_then, states_then) = versus.map(of_versus).transpose()?.unwrap_or_default();
    Ok(Measurements {
        points,
        cycles: [cycles(span)?, cycles_then],
        versus: states_then,
    })
}

/// States of one stretch of time, as if they had been in another.
fn shifted(states: Vec<StateInterval>, to: Span, from: Span) -> Vec<StateInterval> {
    let by = to.from.ms() - from.from.ms();
    let states = states.into_iter().map(|state| StateInterval {
        from: state.from + by,
        to: Some(state.to.map_or(to.to, |end| end + by)),
        ..state
    });
    states.collect()
}

/// Cycle times by column: the shortest, the longest and the mean of the cycles that end in it.
fn cycle_times(cycles: &[CycleTime], span: Span) -> Vec<Bucket> {
    let length = (span.to.ms() - span.from.ms()).max(1);
    let column =
        |cycle: &CycleTime| (cycle.end.ms() - span.from.ms()).max(0) * COLUMNS as i64 / length;
    let seen: Vec<CycleTime> = cycles
        .iter()
        .filter(|cycle| cycle.is_seen)
        .copied()
        .collect();
    let joined = seen.chunk_by(|a, b| column(a) == column(b));
    let buckets = joined.filter_map(|cycles| {
        let times = || cycles.iter().map(|cycle| cycle.duration_s);
        Some(Bucket {
            from: cycles.first()?.end,
            n: cycles.len() as u64,
            min: times().fold(f64::INFINITY, f64::min),
            max: times().fold(0.0, f64::max),
            mean: times().sum::<f64>() / cycles.len() as f64,
        })
    });
    buckets.collect()
}

/// Minutes by which the wall's clock is ahead of UTC.
fn offset_min(zone: &TimeZone, at: Time) -> i32 {
    zoned(at, zone).offset().seconds() / 60
}

/// The states by the letters of the picture, for whoever points at it.
fn words(ctx: &Ctx) -> String {
    let states = ["run", "idle", "stop", "setup", "off"]
        .iter()
        .zip(["r", "i", "s", "u", "o"]);
    let words = states.map(|(code, letter)| format!("{letter}={}", ctx.lang.coded("state-", code)));
    words.collect::<Vec<_>>().join("|")
}

/// The machine, the stretch of time, and the day to compare with.
fn form(ctx: &Ctx, board: &BoardView, window: &TimeWindow, wanted: &WantedTimeline) -> Markup {
    let machines = board.machines.iter().chain(&board.archived);
    let is_unknown = !wanted.machine.trim().is_empty() && window.machine.is_none();
    html! {
        form.tl-form.panel.off-paper #timeline-form method="get" action="/timeline" {
            label { span { (ctx.text(key::TIMELINE_MACHINE)) }
                select name="machine" {
                    option value="" { (ctx.text(key::TIMELINE_ALL)) }
                    @for machine in machines {
                        @let is_shown = window.machine.as_ref() == Some(&machine.id);
                        option value=(machine.id) selected[is_shown] {
                            (machine.names.of(ctx.lang))
                        }
                    }
                }
            }
            label { span { (ctx.text(key::TIMELINE_FROM)) }
                input type="datetime-local" name="from" step="1"
                    value=(ctx.local(window.span.from));
            }
            label { span { (ctx.text(key::TIMELINE_TO)) }
                input type="datetime-local" name="to" step="1" value=(ctx.local(window.span.to));
            }
            @if window.machine.is_some() {
                label { span { (ctx.text(key::TIMELINE_VERSUS)) }
                    input type="date" name="versus"
                        value=(window.versus.map_or_else(String::new, |day| day.to_string()));
                }
            }
            button type="submit" { (ctx.text(key::DAY_SHOW)) }
            @if is_unknown { (super::problem_box(&ctx.text(key::MACHINE_NOT_HERE))) }
        }
    }
}

/// From when to when, and the ways to other stretches.
fn head(ctx: &Ctx, window: &TimeWindow) -> Markup {
    let way = |span: Span, words: String, label: String| {
        html! { a.button href=(window.href(span)) data-to-span aria-label=(label) { (words) } }
    };
    let sign = |span: Span, sign: &str, label: Key| way(span, sign.to_owned(), ctx.text(label));
    html! {
        div.panel-head {
            h2.tl-span {
                (ctx.written(window.span.from)) " – " (ctx.written(window.span.to))
            }
            span.quiet { (ctx.lang.length(window.length_ms() as f64 / 1_000.0)) }
        }
        div.tl-tools.off-paper {
            (sign(window.moved(-0.5), "‹", key::TIMELINE_EARLIER))
            (sign(window.zoomed(0.5), "＋", key::TIMELINE_CLOSER))
            (sign(window.zoomed(2.0), "－", key::TIMELINE_WIDER))
            (sign(window.moved(0.5), "›", key::TIMELINE_LATER))
            @for (ms, words) in LENGTHS {
                (way(window.last(ms), ctx.text(words), ctx.text(words)))
            }
            (way(
                Span::new(ctx.now - window.length_ms(), ctx.now),
                ctx.text(key::TIMELINE_NOW),
                ctx.text(key::TIMELINE_NOW),
            ))
        }
    }
}

fn picture(
    ctx: &Ctx,
    board: &BoardView,
    window: &TimeWindow,
    timeline: &[TimelineRow],
    measured: &Measurements,
) -> Markup {
    let is_all = window.machine.is_none();
    let name = |row: &TimelineRow| {
        let called = board.called(ctx.lang, row.machine.as_str());
        let one = TimeWindow {
            machine: Some(row.machine.clone()),
            ..window.clone()
        };
        html! {
            @if is_all { a href=(one.href(window.span)) { (called) } } @else { strong { (called) } }
        }
    };
    let value = |name: String, [now, then]: &[Vec<Bucket>; 2], unit: &str, has_strays: bool| {
        let row = ValueRow {
            name,
            unit,
            buckets: now,
            versus: then,
            has_strays,
        };
        rows::values(&row, window.span)
    };
    html! {
        div.tl-rows {
            @for row in timeline {
                @let marks = rows::apart(marks(ctx, window, row));
                @let drawn = StateRow {
                    states: &row.states,
                    marks: &marks,
                    lasting: &row.lasting,
                };
                (rows::states(&name(row), &drawn, window))
            }
            @if let Some(day) = window.versus {
                @let called = html! { span { (day) } };
                @let drawn = StateRow {
                    states: &measured.versus,
                    marks: &[],
                    lasting: &[],
                };
                (rows::states(&called, &drawn, window))
            }
            @if !measured.cycles[0].is_empty() || !measured.cycles[1].is_empty() {
                @let name = ctx.text(key::MACHINE_CYCLE);
                (value(name, &measured.cycles, &ctx.text(key::UNIT_S), true))
            }
            @for (point, buckets) in &measured.points {
                (value(ctx.lang.coded_or_code("point-", point), buckets, "", false))
            }
            (rows::axis(&window.marks(&ctx.zone)))
        }
        @if timeline.is_empty() { p.quiet { (ctx.text(key::BOARD_EMPTY)) } }
        @if !is_all && measured.points.is_empty() {
            p.quiet.small { (ctx.text(key::TIMELINE_NO_VALUES)) }
        }
    }
}

/// What happened to a machine, oldest first.
fn marks(ctx: &Ctx, window: &TimeWindow, row: &TimelineRow) -> Vec<RowMark> {
    let mark = |at: Time, kind: MarkKind, text: String| RowMark {
        share: window.share(at),
        kind,
        text: format!("{} {text}", ctx.second(at)),
    };
    let findings = row.findings.iter().map(|finding| {
        let (kind, product) = (finding.kind, &finding.product);
        let text = alarm_words::finding(ctx.lang, kind, product, finding.reason.as_ref());
        mark(finding.at, kind_of(finding.kind), text)
    });
    let alarms = row.alarms.iter().map(|alarm| {
        let text = alarm_words::title(ctx.lang, alarm);
        mark(alarm.since, MarkKind::Alarm, text)
    });
    let said = row.said.iter();
    let said = said.map(|said| mark(said.at, MarkKind::Said, remark_text(ctx.lang, &said.said)));
    let mut marks: Vec<RowMark> = findings.chain(alarms).chain(said).collect();
    marks.sort_by(|a, b| a.share.total_cmp(&b.share));
    marks
}

fn kind_of(finding: FindingKind) -> MarkKind {
    match finding {
        FindingKind::ProductChanged => MarkKind::Product,
        alarming if alarming.alarm().is_some() => MarkKind::Alarm,
        _ => MarkKind::Noticed,
    }
}

fn legend(ctx: &Ctx) -> Markup {
    let marks = [
        (MarkKind::Alarm, key::TIMELINE_ALARM),
        (MarkKind::Noticed, key::TIMELINE_NOTICED),
        (MarkKind::Said, key::TIMELINE_SAID),
        (MarkKind::Product, key::TIMELINE_PRODUCT),
    ];
    html! {
        ul.legend {
            @for state in MachineState::ALL.iter().copied() {
                li { (shape(state)) (ctx.lang.coded("state-", state.code())) }
            }
            @for (kind, words) in marks { li { (rows::mark_picture(kind)) (ctx.text(words)) } }
        }
    }
}

/// What happened, in words.
fn happened(ctx: &Ctx, board: &BoardView, window: &TimeWindow, timeline: &[TimelineRow]) -> Markup {
    let mut all: Vec<(RowMark, &TimelineRow)> = timeline
        .iter()
        .flat_map(|row| {
            marks(ctx, window, row)
                .into_iter()
                .map(move |mark| (mark, row))
        })
        .collect();
    all.sort_by(|a, b| a.0.share.total_cmp(&b.0.share));
    let more = all.len().saturating_sub(HAPPENED_SHOWN);
    html! {
        section.panel #timeline-happened {
            div.panel-head { h2 { (ctx.text(key::TIMELINE_HAPPENED)) } }
            @if all.is_empty() { p.quiet { (ctx.text(key::TIMELINE_NOTHING)) } }
            ul.tl-happened {
                @for (mark, row) in all.iter().take(HAPPENED_SHOWN) {
                    li {
                        (rows::mark_picture(mark.kind))
                        @if window.machine.is_none() {
                            a href={ "/machines/" (row.machine) } {
                                (board.called(ctx.lang, row.machine.as_str()))
                            }
                        }
                        span { (mark.text) }
                    }
                }
            }
            @if more > 0 {
                p.quiet { (ctx.with(key::TIMELINE_MORE, &[("n", &more.to_string())])) }
            }
            @if let (Some(machine), true) = (&window.machine, ctx.may(Right::Acknowledge)) {
                p.off-paper {
                    a.button href={ "/stops?machine=" (machine) } { (ctx.text(key::STOPS_TITLE)) }
                }
            }
        }
    }
}

/// The states of one machine as a table, for who reads instead of looking.
fn table(ctx: &Ctx, window: &TimeWindow, timeline: &[TimelineRow]) -> Markup {
    let (Some(row), Some(_)) = (timeline.first(), &window.machine) else {
        return html! {};
    };
    let clipped = row.states.iter().map(|state| {
        let span = Span::new(
            state.from.max(window.span.from),
            state.to.unwrap_or(window.span.to).min(window.span.to),
        );
        (state.state, span)
    });
    let clipped: Vec<(MachineState, Span)> = clipped.collect();
    let more = clipped.len().saturating_sub(STATES_SHOWN);
    html! {
        details.panel #timeline-table {
            summary { h2 { (ctx.text(key::TIMELINE_TABLE)) } }
            div.scroll { table {
                thead { tr {
                    th scope="col" { (ctx.text(key::TIMELINE_FROM)) }
                    th scope="col" { (ctx.text(key::TIMELINE_TO)) }
                    th scope="col" { (ctx.text(key::TIMELINE_STATE)) }
                    th.number scope="col" { (ctx.text(key::TIMELINE_LENGTH)) }
                } }
                tbody {
                    @for (state, span) in clipped.iter().take(STATES_SHOWN) {
                        tr {
                            td { (ctx.second(span.from)) }
                            td { (ctx.second(span.to)) }
                            td { (shape(*state)) (ctx.lang.coded("state-", state.code())) }
                            td.number { (ctx.lang.length(span.seconds())) }
                        }
                    }
                }
            } }
            @if more > 0 {
                p.quiet { (ctx.with(key::TIMELINE_MORE, &[("n", &more.to_string())])) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_of_one_column_become_its_range_and_mean() {
        let cycle = |end: i64, duration_s: f64, is_seen: bool| CycleTime {
            end: Time::from_ms(end),
            duration_s,
            work_s: duration_s,
            is_seen,
        };
        let span = Span::new(Time::from_ms(0), Time::from_ms(720_000));
        let cycles = [
            cycle(100, 2.0, true),
            cycle(900, 4.0, true),
            cycle(950, 99.0, false),
            cycle(5_000, 3.0, true),
        ];
        let buckets = cycle_times(&cycles, span);
        assert_eq!(buckets.len(), 2);
        let first = buckets[0];
        assert_eq!(
            (first.n, first.min, first.max, first.mean),
            (2, 2.0, 4.0, 3.0)
        );
    }

    #[test]
    fn states_of_another_day_lie_on_this_one() {
        let interval = StateInterval {
            state: MachineState::Run,
            from: Time::from_ms(1_000),
            to: None,
        };
        let at = |from: i64, to: i64| Span::new(Time::from_ms(from), Time::from_ms(to));
        let moved = shifted(vec![interval], at(10_000, 12_000), at(1_000, 3_000));
        assert_eq!(moved[0].from, Time::from_ms(10_000));
        assert_eq!(moved[0].to, Some(Time::from_ms(12_000)));
    }
}
