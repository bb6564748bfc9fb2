//! The product's public API, used as any other program would use it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::sync::watch;

use crate::record::Record;

/// How often the open alarms are asked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time for one answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// Gets one address under `/api/v1/`; `None` if the product does not answer.
pub async fn get(http: SocketAddr, path: &str) -> Option<Value> {
    let url = format!("http://{http}/api/v1/{path}");
    let ask = move || -> Option<Value> {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_TIME_MAX))
            .build();
        let agent: ureq::Agent = config.into();
        agent.get(&url).call().ok()?.body_mut().read_json().ok()
    };
    tokio::task::spawn_blocking(ask).await.ok().flatten()
}

/// Gets all pages of a list.
pub(crate) async fn get_all(http: SocketAddr, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = get(http, &format!("{path}{separator}limit=5000{cursor}")).await;
        let mut page = page.with_context(|| format!("the product did not answer {path}"))?;
        if let Some(Value::Array(rows)) = page.get_mut("items").map(Value::take) {
            items.extend(rows);
        }
        match page.get("next").and_then(Value::as_i64) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(items),
        }
    }
}

/// Notes when each alarm is first to be seen.
pub(crate) async fn watch_alarms(
    http: SocketAddr,
    record: Arc<Record>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        if let Some(page) = get(http, "alarms?open=true").await {
            for alarm in page["items"].as_array().into_iter().flatten() {
                if let Some(id) = alarm["id"].as_i64() {
                    record.alarm_seen(id);
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stopped.changed() => return,
        }
    }
}
