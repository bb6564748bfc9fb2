//! What was measured, as scripts ask for it: raw readings, a picture of so many pixels, and sums by
//! day or by product.

use app::known::Known;
use axum::Json;
use axum::extract::{Path, State};
use model::{MachineId, Span, Time, Unit};
use report::accounts::{wh_drawn, wh_fed_in};
use report::watched::{MachineSeries, WatchedSeries};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{
    Bucket, Damage, DaySum, Page, ProductSum, ReadingRow, SeriesInfo, StoreError, Telemetry,
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
            over gaps of more than 6 minutes), or by product from the cycles"
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

    fn read(&self, reader: &dyn Telemetry) -> Result<Vec<WatchedSeries>, StoreError> {
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

/// Whole days as they were summed up, then what has been measured since.
fn by_day(
    reader: &dyn Telemetry,
    series: &[WatchedSeries],
    span: Span,
) -> Result<Vec<PointDay>, StoreError> {
    let days = reader.days(span)?;
    let mut items = Vec::new();
    for watched in series {
        let (one, part) = (&watched.info, watched.span);
        let is_power = one.unit == Unit::Watt.symbol();
        let mut rest = part.from;
        // A day that was asked for in part is told whole, but not what is another machine's of it.
        let is_own = |day: &&DaySum| {
            let ends = day.end <= part.to || part.to == span.to;
            day.series == one.id && day.start >= part.from && ends
        };
        for day in days.iter().filter(is_own) {
            rest = rest.max(day.end);
            let below = below(reader, day)?;
            items.push(PointDay {
                point: name(one),
                unit: one.unit.clone(),
                start: day.start,
                end: Some(day.end),
                n: day.n,
                min: day.min,
                max: day.max,
                mean: day.sum / day.n.max(1) as f64,
                energy_wh: is_power.then(|| wh_drawn(day.integral, below)),
                fed_in_wh: wh_fed_in(below).filter(|_| is_power),
            });
        }
        if let Some(sum) = watched.sum(reader, Span::new(rest, part.to))? {
            items.push(PointDay {
                point: name(one),
                unit: one.unit.clone(),
                start: rest,
                end: None,
                n: sum.n,
                min: sum.min,
                max: sum.max,
                mean: sum.mean(),
                energy_wh: is_power.then(|| wh_drawn(sum.integral, sum.below)),
                fed_in_wh: wh_fed_in(sum.below).filter(|_| is_power),
            });
        }
    }
    Ok(items)
}
