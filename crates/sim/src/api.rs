//! The product's public API, used as any other program would use it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::record::SimRecord;

/// How often the open alarms are asked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time for one answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// Time for the answer to much that is sent.
const SENT_TIME_MAX: Duration = Duration::from_secs(30);

/// Where the API is and what lets a script in.
#[derive(Debug, Clone)]
pub struct Api {
    /// Where the product's pages answer.
    pub address: SocketAddr,
    /// The file that holds the token, once there is one.
    pub token_file: PathBuf,
}

fn agent(time: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(time))
        .max_redirects(0)
        .build();
    config.into()
}

impl Api {
    /// Gets one address under `/api/v1/`; `None` if the product does not answer.
    pub async fn get(&self, path: &str) -> Option<Value> {
        let url = format!("http://{}/api/v1/{path}", self.address);
        let file = self.token_file.clone();
        let ask = move || -> Option<Value> {
            let token = std::fs::read_to_string(file).ok()?;
            let request = agent(ANSWER_TIME_MAX)
                .get(&url)
                .header("Authorization", format!("Bearer {token}"));
            request.call().ok()?.body_mut().read_json().ok()
        };
        tokio::task::spawn_blocking(ask).await.ok().flatten()
    }

    /// Sends something to an address under `/api/v1/`.
    pub(crate) async fn post(&self, path: &str, body: Value) -> anyhow::Result<()> {
        let url = format!("http://{}/api/v1/{path}", self.address);
        let file = self.token_file.clone();
        let work = move || -> anyhow::Result<()> {
            let token = std::fs::read_to_string(file)?;
            let request = agent(SENT_TIME_MAX)
                .post(&url)
                .header("Authorization", format!("Bearer {token}"));
            request.send_json(body)?;
            Ok(())
        };
        tokio::task::spawn_blocking(work).await?
    }

    /// Sends a table of readings as a device.
    pub(crate) async fn ingest(
        &self,
        device: &str,
        token: &str,
        table: String,
    ) -> anyhow::Result<()> {
        // By when it comes again: a night is one reading a minute.
        let url = format!("http://{}/ingest/{device}?within=90", self.address);
        let bearer = format!("Bearer {token}");
        let work = move || -> anyhow::Result<()> {
            let request = agent(SENT_TIME_MAX)
                .post(&url)
                .header("Authorization", bearer)
                .header("Content-Type", "text/csv");
            request.send(table)?;
            Ok(())
        };
        tokio::task::spawn_blocking(work).await?
    }

    /// Gets all pages of a list.
    pub(crate) async fn get_all(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = self
                .get(&format!("{path}{separator}limit=5000{cursor}"))
                .await;
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
}

/// Claims a box as its owner would in a browser; gives a token for a script that only looks.
pub async fn claim(
    address: SocketAddr,
    code: String,
    name: String,
    password: String,
) -> anyhow::Result<String> {
    let work = move || -> anyhow::Result<String> {
        let typed = [
            ("code", code.as_str()),
            ("name", &name),
            ("password", &password),
            ("again", &password),
        ];
        let agent = agent(ANSWER_TIME_MAX);
        let answer = agent
            .post(format!("http://{address}/claim"))
            .send_form(typed)?;
        let cookie = answer.headers().get("set-cookie");
        let session = cookie
            .and_then(|cookie| {
                cookie
                    .to_str()
                    .ok()?
                    .split_once("session=")
                    .map(|(_, rest)| rest)
            })
            .and_then(|rest| rest.split(';').next())
            .context("the box was not claimed")?;
        let mut made = agent
            .post(format!("http://{address}/api/v1/tokens"))
            .header("Authorization", format!("Bearer {session}"))
            .send_json(json!({"label": "simulated factory", "role": "operator"}))?;
        let made: Value = made.body_mut().read_json()?;
        let token = made["token"].as_str().context("no token was made")?;
        agent
            .post(format!("http://{address}/sign-out"))
            .header("Authorization", format!("Bearer {session}"))
            .send_empty()?;
        Ok(token.to_owned())
    };
    tokio::task::spawn_blocking(work).await?
}

/// Notes when each alarm is first to be seen.
pub(crate) async fn watch_alarms(
    api: Api,
    record: Arc<SimRecord>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        if let Some(page) = api.get("alarms?open=true").await {
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
