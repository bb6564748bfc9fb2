//! What was measured, as scripts ask for it: raw readings, a picture of so many pixels, and sums by
//! day or by product.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use model::{SeriesId, Span, Unit};
use report::accounts::{WS_PER_WH, devices_of};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{SeriesInfo, StoreError, Telemetry};
use text::Lang;

use crate::Site;
use crate::api::{Paging, answer, bad_request, known, read, respond};
use crate::http::asked::Asked;
use crate::http::failure::Failure;

/// Pixels of a picture if the caller does not say.
const PIXELS_DEFAULT: usize = 800;

/// Which series are wanted: those of some devices, or one point of each.
struct WantedSeries {
    devices: Vec<String>,
    point: Option<String>,
}

impl WantedSeries {
    /// Those of a machine's devices.
    fn of(site: &Site, id: &str, point: Option<&str>) -> Result<Self, Failure> {
        let board = site.known.board();
        known(&board, id)?;
        Ok(Self {
            devices: devices_of(&board, id),
            point: point.map(str::to_owned),
        })
    }

    fn read(&self, reader: &dyn Telemetry) -> Result<Vec<SeriesInfo>, StoreError> {
        let mut all = reader.series()?;
        all.retain(|s| self.devices.contains(&s.device));
        all.retain(|s| self.point.as_ref().is_none_or(|point| *point == s.point));
        Ok(all)
    }
}

fn name(series: &SeriesInfo) -> String {
    format!("{}/{}", series.device, series.point)
}

/// Raw readings of a machine's devices in a span of time, by time.
pub(crate) async fn readings(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Response {
    let work = async {
        let wanted = WantedSeries::of(&site, &id, paging.point())?;
        let (span, limit) = (paging.span(site.known.now())?, paging.limit());
        let after = paging.cursor().unwrap_or(i64::MIN);
        let found = read(&site, move |reader| {
            let series = wanted.read(reader)?;
            let names: BTreeMap<SeriesId, String> =
                series.iter().map(|s| (s.id, name(s))).collect();
            reader.readings(&names, span, after, limit)
        });
        let found = found.await?;
        let (items, next) = (found.page.items, found.page.next);
        Ok(answer(
            json!({"items": items, "next": next, "damaged": found.damaged}),
        ))
    };
    respond(lang, work.await)
}

/// How a picture or sums are wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct Shape {
    pixels: Option<usize>,
    by: Option<String>,
}

/// Smallest, largest and mean value of each pixel, for each point of a machine's devices.
pub(crate) async fn picture(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
    Query(shape): Query<Shape>,
) -> Response {
    let work = async {
        let wanted = WantedSeries::of(&site, &id, paging.point())?;
        let span = paging.span(site.known.now())?;
        let pixels = shape.pixels.unwrap_or(PIXELS_DEFAULT);
        let found = read(&site, move |reader| {
            let points = wanted.read(reader)?.into_iter().map(|s| {
                let buckets = reader.picture(s.id, span, pixels)?;
                Ok(json!({"point": name(&s), "unit": s.unit, "buckets": buckets}))
            });
            points.collect::<Result<Vec<Value>, StoreError>>()
        });
        Ok(answer(json!({"items": found.await?, "next": null})))
    };
    respond(lang, work.await)
}

/// Sums of a machine in a span of time: by business day of each point (energy of a power by the
/// trapezoid rule), or by product from its cycles.
pub(crate) async fn sums(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
    Query(shape): Query<Shape>,
) -> Response {
    let work = async {
        let span = paging.span(site.known.now())?;
        let items = match shape.by.as_deref() {
            None | Some("day") => {
                let wanted = WantedSeries::of(&site, &id, paging.point())?;
                read(&site, move |reader| {
                    by_day(reader, &wanted.read(reader)?, span)
                })
                .await?
            }
            Some("product") => {
                let machine = known(&site.known.board(), &id)?;
                let sums = read(&site, move |r| r.sums_by_product(&machine, span)).await?;
                sums.iter().map(|sum| json!(sum)).collect()
            }
            Some(_) => return Err(bad_request()),
        };
        Ok(answer(json!({"items": items, "next": null})))
    };
    respond(lang, work.await)
}

/// Whole days as they were summed up, then what has been measured since.
fn by_day(
    reader: &dyn Telemetry,
    series: &[SeriesInfo],
    span: Span,
) -> Result<Vec<Value>, StoreError> {
    let days = reader.days(span)?;
    let mut items = Vec::new();
    for one in series {
        let energy =
            |integral: f64| (one.unit == Unit::Watt.symbol()).then_some(integral / WS_PER_WH);
        let mut rest = span.from;
        for day in days.iter().filter(|day| day.series == one.id) {
            rest = rest.max(day.end);
            items.push(json!({
                "point": name(one), "unit": one.unit, "start": day.start, "end": day.end,
                "n": day.n, "min": day.min, "max": day.max,
                "mean": day.sum / day.n.max(1) as f64, "energy_wh": energy(day.integral),
            }));
        }
        if let Some(sum) = reader.sum(one.id, Span::new(rest, span.to))? {
            items.push(json!({
                "point": name(one), "unit": one.unit, "start": rest, "end": null,
                "n": sum.n, "min": sum.min, "max": sum.max, "mean": sum.mean(),
                "energy_wh": energy(sum.integral),
            }));
        }
    }
    Ok(items)
}
