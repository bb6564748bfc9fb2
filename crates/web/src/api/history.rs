//! What was measured, as scripts ask for it: raw readings, a picture of so many pixels, and sums by
//! day or by product.

use app::known::Known;
use axum::Json;
use axum::extract::{Path, State};
use model::{MachineId, Span, Time, Unit};
use report::watched::{MachineSeries, WatchedSeries};
use report::watched::{wh_drawn, wh_fed_in};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{
    Bucket, Damage, DaySum, Page, ProductSum, Reader, ReadingRow, SeriesInfo, StoreError, Telemetry,
};

use super::{AskedSpan, Paging, known};
use crate::http::access::LOOK;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Queried, whole};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(
        get "/api/v1/machines/{id}/readings", LOOK, readings,
        "Raw readings by time, in the unit of each point"
    ),
    api!(
        get "/api/v1/machines/{id}/picture", LOOK, picture,
        "Smallest, largest and mean value of each pixel, for each point"
    ),
    api!(
        get "/api/v1/machines/{id}/sums", LOOK, sums,
        "Sums by business day of each point (energy of a power by the trapezoid rule; no energy \
            over gaps of more than 6 minutes), or by product from the cycles; of all that was \
            recorded, also what people left out of the figures"
    ),
];

/// Pixels of a picture if the caller does not say.
const PIXELS_DEFAULT: usize = 800;

/// Which points are wanted, from when to when.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct AskedPoints {
    /// This point alone; all of them if none is named.
    point: Option<String>,
    #[serde(flatten)]
    span: AskedSpan,
}

/// Which series are wanted: all of a machine, or one point of each of its devices.
struct WantedSeries {
    machine: MachineId,
    point: Option<String>,
    span: Span,
}

impl WantedSeries {
    /// Those of a machine.
    fn of(known: &Known, id: &str, asked: AskedPoints) -> Result<Self, Failure> {
        Ok(Self {
            machine: self::known(&known.board(), id)?,
            point: asked.point,
            span: asked.span.span(known.now())?,
        })
    }

    fn read(&self, reader: &dyn Reader) -> Result<Vec<WatchedSeries>, StoreError> {
        let mut all = MachineSeries::read(reader)?.of(&self.machine, self.span);
        let is_wanted = |one: &WatchedSeries| {
            let point = self.point.as_ref();
            point.is_none_or(|point| *point == one.info.point)
        };
        all.retain(is_wanted);
        Ok(all)
    }
}

fn name(series: &SeriesInfo) -> String {
    format!("{}/{}", series.device, series.point)
}

/// Raw readings.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Readings {
    /// By time.
    items: Vec<ReadingRow>,
    next: Option<i64>,
    /// What can no longer be read and is therefore not among them.
    damaged: Vec<Damage>,
}

/// Lists raw readings of a machine's devices in a span of time, by time.
pub(crate) async fn readings(
    State(known): State<Known>,
    Path(id): Path<String>,
    Queried(asked): Queried<AskedPoints>,
    Queried(paging): Queried<Paging>,
) -> Answer<Readings> {
    let wanted = WantedSeries::of(&known, &id, asked)?;
    let (after, limit) = (paging.after(), paging.limit());
    let found = known.read(move |reader| {
        let series = wanted.read(reader)?;
        let names = series.iter().map(|one| (one.info.id, name(&one.info)));
        let mut found = reader.readings(&names.collect(), wanted.span, after, limit)?;
        // What a device said while it watched another machine is that one's.
        found.page.items.retain(|row| {
            let is_of = |one: &WatchedSeries| name(&one.info) == row.point && one.has(row.t);
            series.iter().any(is_of)
        });
        Ok(found)
    });
    let found = found.await?;
    Ok(Json(Readings {
        items: found.page.items,
        next: found.page.next,
        damaged: found.damaged,
    }))
}

/// How wide a picture is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct AskedPixels {
    /// Pixels the span is drawn on.
    pixels: Option<usize>,
}

/// A point over time, as so many pixels show it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Picture {
    /// Its device and its name.
    point: String,
    unit: String,
    /// Smallest, largest and mean value of each pixel.
    buckets: Vec<Bucket>,
}

/// Gives smallest, largest and mean value of each pixel, for each point of a machine's devices.
pub(crate) async fn picture(
    State(known): State<Known>,
    Path(id): Path<String>,
    Queried(asked): Queried<AskedPoints>,
    Queried(width): Queried<AskedPixels>,
) -> Answer<Page<Picture>> {
    let wanted = WantedSeries::of(&known, &id, asked)?;
    let pixels = width.pixels.unwrap_or(PIXELS_DEFAULT);
    let pictures = known.read(move |reader| {
        let points = wanted.read(reader)?.into_iter().map(|one| {
            let mut buckets = reader.picture(one.info.id, wanted.span, pixels)?;
            buckets.retain(|bucket| one.span == wanted.span || one.has(bucket.from));
            Ok(Picture {
                point: name(&one.info),
                unit: one.info.unit,
                buckets,
            })
        });
        points.collect::<Result<Vec<Picture>, StoreError>>()
    });
    Ok(whole(pictures.await?))
}

/// By what sums are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct AskedSums {
    /// By business day of each point, or by product from the machine's cycles.
    by: Option<SumsBy>,
}

/// By what something is summed up.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SumsBy {
    /// Each point over each business day.
    #[default]
    Day,
    /// All cycles of each product.
    Product,
}

/// A point over one business day.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PointDay {
    /// Its device and its name.
    point: String,
    unit: String,
    start: Time,
    /// Null while the day lasts.
    end: Option<Time>,
    /// Readings.
    n: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// Energy of a power that was drawn, by the trapezoid rule, in watt-hours.
    energy_wh: Option<f64>,
    /// Energy of a power that was fed back, in watt-hours.
    fed_in_wh: Option<f64>,
}

impl PointDay {
    /// A stretch of a point; `below` is what of it lay below zero, if that is known.
    fn of(point: &SeriesInfo, sum: &DaySum, below: Option<f64>, end: Option<Time>) -> Self {
        let is_power = point.unit == Unit::Watt.symbol();
        Self {
            point: name(point),
            unit: point.unit.clone(),
            start: sum.start,
            end,
            n: sum.n,
            min: sum.min,
            max: sum.max,
            mean: sum.sum / sum.n.max(1) as f64,
            energy_wh: is_power.then(|| wh_drawn(sum.integral, below)),
            fed_in_wh: wh_fed_in(below).filter(|_| is_power),
        }
    }
}

/// What a machine did, in one row: over a day, or for a product.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum MachineSum {
    /// A point over a business day.
    Day(PointDay),
    /// All cycles of a product.
    Product(ProductSum),
}

/// Sums a machine up over a span of time: by business day of each point (energy of a power by the
/// trapezoid rule), or by product from its cycles.
pub(crate) async fn sums(
    State(known): State<Known>,
    Path(id): Path<String>,
    Queried(asked): Queried<AskedPoints>,
    Queried(wanted): Queried<AskedSums>,
) -> Answer<Page<MachineSum>> {
    match wanted.by.unwrap_or_default() {
        SumsBy::Day => {
            let series = WantedSeries::of(&known, &id, asked)?;
            let days = known.read(move |reader| by_day(reader, &series.read(reader)?, series.span));
            Ok(whole(days.await?.into_iter().map(MachineSum::Day)))
        }
        SumsBy::Product => {
            let machine = self::known(&known.board(), &id)?;
            let span = asked.span.span(known.now())?;
            let sums = known.read(move |r| r.sums_by_product(&machine, span));
            Ok(whole(sums.await?.into_iter().map(MachineSum::Product)))
        }
    }
}

/// What of a day lay below zero; of days an older program summed up it is looked up in what came.
fn below(reader: &dyn Telemetry, day: &DaySum) -> Result<Option<f64>, StoreError> {
    if day.below.is_some() {
        return Ok(day.below);
    }
    let again = reader.sum(day.series, Span::new(day.start, day.end))?;
    Ok(again.and_then(|sum| sum.below))
}

/// Whole days as they were summed up, then what has been measured since. Of a device that came or
/// went in the middle of a day, the part of that day in which it watched the machine.
fn by_day(
    reader: &dyn Telemetry,
    series: &[WatchedSeries],
    span: Span,
) -> Result<Vec<PointDay>, StoreError> {
    let days = reader.days(span)?;
    let mut items = Vec::new();
    for watched in series {
        let (one, part) = (&watched.info, watched.span);
        let lasts = part.to == span.to;
        // A day that was asked for in part is told whole, but not what is another machine's of it.
        let is_own = |day: &&DaySum| {
            day.series == one.id && day.start >= part.from && (day.end <= part.to || lasts)
        };
        let own: Vec<&DaySum> = days.iter().filter(is_own).collect();
        let rest = own.last().map_or(part.from, |day| day.end);
        let first = own.first().map(|day| Span::new(part.from, day.start));
        if let Some(first) = first.filter(|_| part.from > span.from)
            && let Some(sum) = watched.sum(reader, first)?
        {
            let end = Some(first.to);
            items.push(PointDay::of(one, &DaySum::of(first, &sum), sum.below, end));
        }
        for day in own {
            let below = below(reader, day)?;
            items.push(PointDay::of(one, day, below, Some(day.end)));
        }
        let rest = Span::new(rest, part.to);
        if let Some(sum) = watched.sum(reader, rest)? {
            let end = (!lasts).then_some(rest.to);
            items.push(PointDay::of(one, &DaySum::of(rest, &sum), sum.below, end));
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use embedded::Embedded;
    use model::{DeviceId, Quality, Reading};
    use store::{Batch, DayOf, Engine as _, Record, SealPlan};

    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;
    const START: i64 = 20_000 * DAY;

    fn days() -> DayOf {
        Arc::new(|t: Time| {
            let start = t.ms() - t.ms().rem_euclid(DAY);
            Span::new(Time::from_ms(start), Time::from_ms(start + DAY))
        })
    }

    /// A clamp that measures 1,000 W over four days and a half, and is put on another machine in
    /// the middle of the second.
    #[test]
    fn the_days_of_a_device_that_changed_its_machine_are_divided_at_that_moment() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Embedded.open(folder.path()).unwrap();
        let series = store.series("clamp", "power_w", "W").unwrap();
        let end = START + 4 * DAY + DAY / 2;
        let readings = (START..end).step_by(60_000).map(|t| Reading {
            series,
            t: Time::from_ms(t),
            value: 1_000.0,
            quality: Quality::Good,
        });
        let [device, other] = ["m1", "m2"].map(|name| MachineId::new(name).unwrap());
        let assigned = |machine: &MachineId, at| {
            let device = DeviceId::new("clamp").unwrap();
            Record::Assigned(device, machine.clone(), Time::from_ms(at))
        };
        let arrived = Time::from_ms(end);
        let batch = Batch {
            readings: readings.collect(),
            arrived,
            records: vec![
                assigned(&device, START),
                assigned(&other, START + DAY + DAY / 2),
            ],
            ..Batch::default()
        };
        store.commit(&batch).unwrap();
        let plan = SealPlan {
            upto: store.unsealed().0,
            at: arrived,
        };
        let sealed = Embedded.sealer(folder.path(), days()).seal(plan).unwrap();
        let records = sealed.unwrap().steps;
        let batch = Batch {
            records,
            arrived,
            ..Batch::default()
        };
        store.commit(&batch).unwrap();

        let reader = Embedded.reader(folder.path());
        let span = Span::new(Time::from_ms(START), arrived);
        assert!(!reader.days(span).unwrap().is_empty(), "days are summed up");
        let all = MachineSeries::read(&*reader).unwrap();
        let told = |machine: &MachineId| -> Vec<(i64, Option<i64>, i64)> {
            let days = by_day(&*reader, &all.of(machine, span), span).unwrap();
            let hours = |t: Time| (t.ms() - START) / HOUR;
            let told = |day: &PointDay| {
                let kwh = day.energy_wh.unwrap() / 1_000.0;
                (hours(day.start), day.end.map(hours), kwh.round() as i64)
            };
            days.iter().map(told).collect()
        };
        let before = [(0, Some(24), 24), (24, Some(36), 12)];
        assert_eq!(told(&device), before);
        let since = [
            (36, Some(48), 12),
            (48, Some(72), 24),
            (72, Some(96), 24),
            (96, None, 12),
        ];
        assert_eq!(told(&other), since);
        let minutes = all.power_minutes(&*reader, &other, span).unwrap();
        assert_eq!(minutes.len(), 3 * 24 * 60, "from when on it watched");
    }
}
