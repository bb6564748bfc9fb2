//! A table in memory: its header, its rows as text, and its times however they are written.

use std::path::Path;

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use model::{POWER_POINTS, Time, UnitScale};
use sources::{ToldRow, ToldTable, tell};
use wire::payload::Scalar;

use super::InputKind;

/// Rows read from one file; more do not fit a judgement on a small PC.
const ROWS_MAX: usize = 20_000_000;

/// A file.
#[derive(Debug)]
pub(crate) struct CycleTable {
    header: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

impl CycleTable {
    /// Reads a file: a plain table under the program's own names, else whatever loggers and
    /// spreadsheets write, as the page reads it. Says what is wrong with one that is neither.
    pub(crate) fn read(path: &Path, zone: &TimeZone) -> anyhow::Result<Self> {
        let shown = path.display();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
        let plain = match Self::plain(&bytes) {
            // Its columns have the program's own names: nothing has to be guessed.
            Ok(plain) if plain.kind() != InputKind::Series => return Ok(plain),
            plain => plain,
        };
        match (tell(&bytes, zone).map(Self::told), plain) {
            (Ok(told), Err(_)) => Ok(told),
            (Ok(told), Ok(_)) if told.kind() == InputKind::Trace => Ok(told),
            // Rows of a sensor, which need no time and no names.
            (_, Ok(plain)) => Ok(plain),
            (Err(problem), Err(error)) => {
                let problem = problem.code();
                Err(error).with_context(|| format!("{shown} is not a table ({problem})"))
            }
        }
    }

    fn plain(bytes: &[u8]) -> anyhow::Result<Self> {
        let mut reader = csv::Reader::from_reader(bytes);
        let header: Vec<String> = reader
            .headers()?
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
            .collect();
        let mut rows = Vec::new();
        for row in reader.records() {
            rows.push(row?);
            if rows.len() > ROWS_MAX {
                bail!("more than {ROWS_MAX} rows");
            }
        }
        if rows.is_empty() {
            bail!("no rows");
        }
        Ok(Self { header, rows })
    }

    fn told(told: ToldTable) -> Self {
        let header = std::iter::once("t".to_owned()).chain(told.points);
        let text = |cell: Option<Scalar<'static>>| match cell {
            Some(Scalar::Number(number)) => number.to_string(),
            Some(Scalar::Bool(is_so)) => u8::from(is_so).to_string(),
            Some(Scalar::Text(text)) => text.into_owned(),
            None => String::new(),
        };
        let row = |row: ToldRow| {
            let t = format!("{:.3}", row.t.seconds());
            let cells = row.cells.into_iter().map(text);
            std::iter::once(t).chain(cells).collect()
        };
        Self {
            header: header.collect(),
            rows: told.rows.into_iter().map(row).collect(),
        }
    }

    /// What the rows are, as the header tells.
    pub(crate) fn kind(&self) -> InputKind {
        if self.column(&["duration_s"]).is_some() && self.column(&["cycle"]).is_some() {
            InputKind::Cycles
        } else if self.time_column().is_some() && self.power().is_some() {
            InputKind::Trace
        } else {
            InputKind::Series
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// The first column with one of these names.
    pub(crate) fn column(&self, names: &[&str]) -> Option<usize> {
        names
            .iter()
            .find_map(|name| self.header.iter().position(|column| column == name))
    }

    pub(crate) fn time_column(&self) -> Option<usize> {
        self.column(&["t", "timestamp", "datetime"])
    }

    /// The column of power and what turns it into watts.
    pub(crate) fn power(&self) -> Option<(usize, f64)> {
        let column = self.column(&POWER_POINTS)?;
        let scale = UnitScale::of_point(self.header.get(column)?);
        Some((column, scale.factor))
    }

    pub(crate) fn text(&self, row: usize, column: usize) -> &str {
        self.rows
            .get(row)
            .and_then(|row| row.get(column))
            .unwrap_or_default()
            .trim()
    }

    /// A number; `None` for an empty cell, an error for anything else.
    pub(crate) fn number(&self, row: usize, column: usize) -> anyhow::Result<Option<f64>> {
        let text = self.text(row, column);
        if text.is_empty() {
            return Ok(None);
        }
        let value: f64 = text
            .parse()
            .with_context(|| format!("row {}: {text:?} is not a number", row + 1))?;
        Ok(value.is_finite().then_some(value))
    }

    /// The time of a row: seconds, RFC 3339, or `YYYY-MM-DD hh:mm:ss` in the zone.
    pub(crate) fn time(&self, row: usize, column: usize, zone: &TimeZone) -> anyhow::Result<Time> {
        let text = self.text(row, column);
        if let Ok(seconds) = text.parse::<f64>() {
            return Ok(Time::from_seconds(seconds));
        }
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Time::from_ms(moment.as_millisecond()));
        }
        let civil: DateTime = text
            .parse()
            .with_context(|| format!("row {}: {text:?} is not a time", row + 1))?;
        let moment = civil.to_zoned(zone.clone())?.timestamp();
        Ok(Time::from_ms(moment.as_millisecond()))
    }
}
