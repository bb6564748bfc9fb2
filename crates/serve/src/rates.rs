//! What time and energy went into, read from what is kept: the accounts of the machines over one
//! business day, their rates over many, the bottlenecks of the lines.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::civil::Date;
use kpi::{Account, Bottleneck, Factory, Measured, PowerMinute, Station};
use model::{MachineId, MachineState, POWER_POINTS, SeriesId, Time, Unit};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{MinuteRow, Reader, SeriesInfo, StoreError};

use crate::Site;
use crate::api::{answer, bad_request, order, read, respond};
use crate::auth::Who;
use crate::guard::Failure;
use crate::history::WS_PER_WH;
use crate::orders::Command;
use crate::text::Lang;
use crate::view::BoardView;

/// The middle of cycle times that is told beside the median.
const USUAL: (f64, f64) = (0.1, 0.9);

/// The account of a machine and what it is worth.
#[derive(Debug, Clone)]
pub(crate) struct MachineAccount {
    pub(crate) machine: MachineId,
    pub(crate) account: Account,
    parts_per_cycle: f64,
    yen_per_kwh: Option<f64>,
    yen_per_hour: Option<f64>,
}

impl MachineAccount {
    /// Parts made.
    pub(crate) fn parts(&self) -> f64 {
        self.account.cycles as f64 * self.parts_per_cycle
    }

    /// What energy costs.
    pub(crate) fn yen_of(&self, wh: Option<f64>) -> Option<f64> {
        Some(wh? / 1_000.0 * self.yen_per_kwh?)
    }

    /// What standing still costs.
    pub(crate) fn stop_yen(&self) -> Option<f64> {
        Some(self.account.seconds(MachineState::Stop) / 3_600.0 * self.yen_per_hour?)
    }

    /// All energy of the day for one part, in watt-hours, what was used at rest included.
    pub(crate) fn wh_per_part(&self) -> Option<f64> {
        self.account
            .energy_wh
            .filter(|_| self.account.cycles > 0)
            .map(|wh| wh / self.parts())
    }

    /// The middle cycle time, and the range of the middle four fifths, in seconds.
    pub(crate) fn cycle_time(&self) -> Option<[f64; 3]> {
        let times = &self.account.cycle_times;
        Some([
            times.quantile(USUAL.0)?,
            times.quantile(0.5)?,
            times.quantile(USUAL.1)?,
        ])
    }

    fn json(&self) -> Value {
        let account = &self.account;
        let states = MachineState::ALL.iter();
        let states = states.map(|s| (format!("{}_s", s.code()), json!(account.seconds(*s))));
        json!({
            "machine": self.machine,
            "start": account.span.0, "end": account.span.1,
            "states": states.collect::<serde_json::Map<_, _>>(),
            "operating_rate_observed": account.rate_observed(),
            "operating_rate_planned": account.rate_planned(),
            "planned_s": account.planned_s,
            "setups": account.setups,
            "cycles": account.cycles,
            "cycle_wait_s": account.cycle_wait_s,
            "parts": self.parts(),
            "cycle_time": self.cycle_time().map(|[low, median, high]|
                json!({"p10_s": low, "median_s": median, "p90_s": high})),
            "energy_wh": account.energy_wh,
            "standby_wh": account.standby_wh,
            "energy_per_part_wh": self.wh_per_part(),
            "energy_yen": self.yen_of(account.energy_wh),
            "standby_yen": self.yen_of(account.standby_wh),
            "stop_yen": self.stop_yen(),
        })
    }
}

/// From one moment to another.
type Span = (Time, Time);

/// A machine and the devices that watch it.
struct Watched {
    machine: MachineId,
    devices: Vec<String>,
}

/// The devices of a machine.
pub(crate) fn devices_of(board: &BoardView, machine: &str) -> Vec<String> {
    let devices = board
        .devices
        .iter()
        .filter(|device| device.machine == machine);
    devices.map(|device| device.id.clone()).collect()
}

/// Where a machine's power is kept, if it is measured.
pub(crate) fn power_series(
    reader: &Reader,
    devices: &[String],
) -> Result<Option<SeriesId>, StoreError> {
    Ok(power_of(&reader.series()?, devices))
}

fn power_of(series: &[SeriesInfo], devices: &[String]) -> Option<SeriesId> {
    let is_power = |s: &&SeriesInfo| {
        let is_named = POWER_POINTS.contains(&s.point.as_str());
        is_named && s.unit == Unit::Watt.symbol() && devices.contains(&s.device)
    };
    series.iter().find(is_power).map(|series| series.id)
}

/// A business day as far as it has come.
pub(crate) fn day_span(site: &Site, date: Option<Date>) -> (Time, Time) {
    let now = (site.clock)();
    let wanted = date.and_then(|date| site.calendar.day_of(date));
    let start = wanted.unwrap_or_else(|| site.calendar.day_start(now));
    (start, site.calendar.day_end(start).min(now).max(start))
}

/// The accounts of some machines, or of all, over a stretch of time.
pub(crate) async fn accounts(
    site: &Site,
    only: Option<&MachineId>,
    span: (Time, Time),
) -> Result<Vec<MachineAccount>, Failure> {
    let board = site.board.borrow().clone();
    let wanted = board
        .machines
        .iter()
        .filter(|m| only.is_none_or(|only| *only == m.id));
    let watched: Vec<Watched> = wanted
        .map(|m| Watched {
            machine: m.id.clone(),
            devices: devices_of(&board, m.id.as_str()),
        })
        .collect();
    let factory = Arc::clone(&board.factory);
    let planned = factory
        .schedule
        .as_ref()
        .map(|s| site.calendar.planned(s, span));
    let work = move |reader: &Reader| {
        let series = reader.series()?;
        let each = watched.into_iter().map(|watched| {
            let power = power_of(&series, &watched.devices);
            let account = account(reader, &watched.machine, (power, planned.as_deref()), span)?;
            Ok(MachineAccount {
                account,
                parts_per_cycle: factory.parts_per_cycle(&watched.machine),
                machine: watched.machine,
                yen_per_kwh: factory.yen_per_kwh,
                yen_per_hour: factory.yen_per_hour,
            })
        });
        each.collect()
    };
    read(site, work).await
}

fn account(
    reader: &Reader,
    machine: &MachineId,
    (power, planned): (Option<SeriesId>, Option<&[Span]>),
    span: (Time, Time),
) -> Result<Account, StoreError> {
    let states = reader.states(machine, span.0, span.1)?;
    let changes = reader.product_changes(machine, span)?;
    let cycles = reader.cycle_times(machine, span)?;
    let (minutes, energy_wh) = match power {
        Some(series) => {
            let sum = reader.sum(series, span)?;
            let minutes = reader.minutes(series, span.0, span.1)?;
            (minutes, sum.map(|sum| sum.integral / WS_PER_WH))
        }
        None => (Vec::new(), None),
    };
    let power: Vec<PowerMinute> = minutes.iter().map(power_minute).collect();
    let measured = Measured {
        states: &states,
        changes: &changes,
        planned,
        power: &power,
        energy_wh,
        cycles: &cycles,
    };
    Ok(Account::of(span, measured))
}

fn power_minute(row: &MinuteRow) -> PowerMinute {
    PowerMinute {
        minute: row.minute,
        min_w: row.min,
        mean_w: row.sum / f64::from(row.n.max(1)),
    }
}

/// The operating rates of a machine on one day: against observed and against planned time.
pub(crate) type Rates = (Option<f64>, Option<f64>);

/// The operating rates of machines on days that are given by their spans.
pub(crate) async fn rates(
    site: &Site,
    machines: Vec<MachineId>,
    days: Vec<(Time, Time)>,
) -> Result<Vec<Vec<Rates>>, Failure> {
    let factory = Arc::clone(&site.board.borrow().factory);
    let plan = |span| {
        factory
            .schedule
            .as_ref()
            .map(|s| site.calendar.planned(s, span))
    };
    let planned: Vec<_> = days.iter().map(|span| plan(*span)).collect();
    let work = move |reader: &Reader| {
        let of_day = |machine: &MachineId, span: (Time, Time), planned: Option<&[_]>| {
            let states = reader.states(machine, span.0, span.1)?;
            let account = Account::of(
                span,
                Measured {
                    states: &states,
                    planned,
                    ..Measured::default()
                },
            );
            Ok((account.rate_observed(), account.rate_planned()))
        };
        let of_machine = |machine: &MachineId| {
            let days = days.iter().zip(&planned);
            days.map(|(span, planned)| of_day(machine, *span, planned.as_deref()))
                .collect()
        };
        machines.iter().map(of_machine).collect()
    };
    read(site, work).await
}

/// The bottleneck of a line from the accounts of its machines; machines nobody knows are left out.
pub(crate) fn bottleneck<'a>(
    line: &kpi::Line,
    accounts: &'a [MachineAccount],
) -> (Vec<&'a MachineAccount>, Bottleneck) {
    let named = |id: &MachineId| accounts.iter().find(|account| account.machine == *id);
    let known: Vec<&MachineAccount> = line.machines.iter().filter_map(named).collect();
    let stations: Vec<Station<'_>> = known
        .iter()
        .map(|machine| Station {
            active: &machine.account.active,
            s_per_part: machine.s_per_part(),
        })
        .collect();
    let found = Bottleneck::of(&stations);
    (known, found)
}

impl MachineAccount {
    /// What it usually works on one part, in seconds.
    pub(crate) fn s_per_part(&self) -> Option<f64> {
        Some(self.account.work_times.quantile(0.5)? / self.parts_per_cycle)
    }
}

/// Which day is wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    day: Option<String>,
}

impl Wanted {
    /// The date; an error if what is written is none.
    pub(crate) fn date(&self) -> Result<Option<Date>, Failure> {
        self.day
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|_| bad_request())
    }
}

/// The accounts of all machines over one business day, and the bottlenecks of the lines.
pub(crate) async fn day(
    State(site): State<Site>,
    lang: Lang,
    Query(wanted): Query<Wanted>,
) -> Response {
    let work = async {
        let span = day_span(&site, wanted.date()?);
        let accounts = accounts(&site, None, span).await?;
        let factory = Arc::clone(&site.board.borrow().factory);
        let lines = factory.lines.iter().map(|line| {
            let (known, found) = bottleneck(line, &accounts);
            let machines = known.iter().zip(&found.shares).map(|(machine, share)| {
                json!({"machine": machine.machine, "s_per_part": machine.s_per_part(),
                    "bottleneck_share": share})
            });
            let named = found.named.and_then(|(at, by)| Some((known.get(at)?, by)));
            json!({
                "name": line.name,
                "machines": machines.collect::<Vec<_>>(),
                "bottleneck": named.map(|(machine, _)| &machine.machine),
                "by": named.map(|(_, by)| by.code()),
            })
        });
        let items: Vec<Value> = accounts.iter().map(MachineAccount::json).collect();
        let lines: Vec<Value> = lines.collect();
        Ok(answer(
            json!({"items": items, "lines": lines, "next": null}),
        ))
    };
    respond(lang, work.await)
}

/// What people said of the factory as a whole.
pub(crate) async fn factory(State(site): State<Site>) -> Response {
    let factory = Arc::clone(&site.board.borrow().factory);
    answer(&*factory)
}

/// Puts what a script says of the factory in force.
pub(crate) async fn set_factory(
    State(site): State<Site>,
    lang: Lang,
    who: Who,
    body: Result<Json<Factory>, JsonRejection>,
) -> Response {
    let Ok(Json(factory)) = body else {
        return bad_request().answer(lang);
    };
    order(&site, lang, &who, Command::SetFactory(factory)).await
}
