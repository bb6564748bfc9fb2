//! Watches the half hour that lasts: where its demand will pass the contract for electricity,
//! people are told while something can still be switched off.

use std::time::Duration;

use app::commands::{Command, Orders};
use app::known::Known;
use kpi::DemandWindow;
use model::{AlarmKind, EventKind};
use report::demand;
use serde_json::json;
use store::BOX;
use tracing::warn;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Watches for as long as the program runs.
pub async fn keep(known: Known, orders: Orders) {
    let mut rounds = tokio::time::interval(LOOK_EVERY);
    loop {
        rounds.tick().await;
        let board = known.board();
        let mut open = board.open_alarms.iter();
        let open = open.find(|alarm| alarm.kind == AlarmKind::DemandHigh);
        let is_told = open.is_some();
        let plan = board.factory.demand.clone();
        let Some(plan) = plan else {
            if is_told {
                tell(&orders, false, json!({"contract_kw": null})).await;
            }
            continue;
        };
        let Ok(forecast) = demand::forecast(&known, &plan).await else {
            warn!("the demand cannot be read");
            continue;
        };
        // Each half hour is a demand of its own: what was told of one before is over with it.
        let told_of = open.map(|alarm| DemandWindow::at(alarm.raised_at).from);
        if told_of.is_some_and(|told_of| told_of < forecast.window.from) {
            tell(&orders, false, json!({"half_hour": told_of})).await;
            continue;
        }
        let is_too_high = forecast.is_too_high(&plan, is_told);
        if let Some(is_too_high) = is_too_high.filter(|is_too_high| *is_too_high != is_told) {
            let about = json!({"contract_kw": plan.contract_kw, "half_hour": forecast.window.from,
                "kwh": forecast.window.kwh, "expected_kw": forecast.expected_kw,
                "allowed_kw": forecast.allowed_kw});
            tell(&orders, is_too_high, about).await;
        }
    }
}

async fn tell(orders: &Orders, is_too_high: bool, body: serde_json::Value) {
    let kind = if is_too_high {
        EventKind::DemandHigh
    } else {
        EventKind::DemandEased
    };
    let report = Command::Report {
        kind,
        body,
        alarm: (AlarmKind::DemandHigh, is_too_high),
    };
    if orders.tell(report, BOX).await.is_err() {
        warn!("the demand could not be noted");
    }
}
