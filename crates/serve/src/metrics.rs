//! For other programs: is it alive, and what has been counted (Prometheus text format).

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use model::{AlarmKind, MachineState};

use crate::Site;

/// 200 while readings can be made durable, 503 while they cannot.
pub(crate) async fn healthz(State(site): State<Site>) -> impl IntoResponse {
    let board = site.board.borrow();
    let full = board
        .open_alarms
        .iter()
        .any(|alarm| alarm.kind == AlarmKind::StoreFull);
    if full {
        (StatusCode::SERVICE_UNAVAILABLE, "store full\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

/// Counters and the states of machines.
pub(crate) async fn metrics(State(site): State<Site>) -> impl IntoResponse {
    let board = site.board.borrow().clone();
    let mut text = String::new();
    for (name, value) in &board.counters {
        let kind = if *name == "connections" {
            "gauge"
        } else {
            "counter"
        };
        writeln!(
            text,
            "# TYPE mimamori_{name} {kind}\nmimamori_{name} {value}"
        )
        .ok();
    }
    writeln!(text, "# TYPE mimamori_machine_state gauge").ok();
    for machine in &board.machines {
        for state in MachineState::ALL {
            let (id, now) = (&machine.id, u8::from(machine.state == state));
            let code = state.code();
            writeln!(
                text,
                "mimamori_machine_state{{machine=\"{id}\",state=\"{code}\"}} {now}"
            )
            .ok();
        }
    }
    writeln!(text, "# TYPE mimamori_open_alarms gauge").ok();
    writeln!(text, "mimamori_open_alarms {}", board.open_alarms.len()).ok();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
