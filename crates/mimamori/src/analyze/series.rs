//! Any numeric columns of a sensor: rows far from the first, normal ones.

use detect::series::SeriesJudge;
use serde_json::{Value, json};

use super::output::{CsvOut, OutputFiles};
use super::table::CycleTable;

/// Share of the rows taken as normal if nobody says how many are.
const LEARN_SHARE: f64 = 0.15;

/// Judges one series.
pub(crate) fn analyze(
    name: &str,
    table: &CycleTable,
    learn_rows: Option<usize>,
    outputs: &mut OutputFiles,
) -> anyhow::Result<Value> {
    let time = table.time_column();
    let columns: Vec<usize> = (0..table.header().len())
        .filter(|c| Some(*c) != time && table.text(0, *c).parse::<f64>().is_ok())
        .collect();
    anyhow::ensure!(!columns.is_empty(), "there is no numeric column");
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(table.len());
    for row in 0..table.len() {
        let before = rows.last();
        let mut values = Vec::with_capacity(columns.len());
        for (i, column) in columns.iter().enumerate() {
            // An empty cell repeats the value before it: nothing new is claimed.
            let repeated = before.and_then(|b| b.get(i)).copied().unwrap_or(0.0);
            values.push(table.number(row, *column)?.unwrap_or(repeated));
        }
        rows.push(values);
    }
    let share = (table.len() as f64 * LEARN_SHARE) as usize;
    let learn = learn_rows.unwrap_or(share).clamp(1, table.len());
    let mut judge = SeriesJudge::learn(rows.get(..learn).unwrap_or_default());
    let mut anomalies = 0;
    for (index, row) in rows.iter().enumerate() {
        let (is_anomaly, news) = if index < learn {
            (false, 0.0)
        } else {
            let oddness = judge.judge(row);
            (oddness.is_anomaly, oddness.news)
        };
        anomalies += usize::from(is_anomaly);
        let flag = if is_anomaly { "1" } else { "0" };
        let score = format!("{news:.6}");
        outputs.row(CsvOut::Anomalies, &[name, &index.to_string(), flag, &score])?;
    }
    Ok(json!({"kind": "series", "rows": rows.len(), "learned_from": learn, "anomalies": anomalies}))
}
