//! For other programs: is it alive, and what has been counted (Prometheus text format).

use std::fmt::Write as _;

use app::known::Known;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use model::{AlarmKind, MachineState};

use crate::http::access::{LOOK, OPEN};
use crate::http::route::{Route, api};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(
        get "/healthz", OPEN, healthz,
        "200 while readings can be made durable, else 503", text "text/plain"
    ),
    api!(
        get "/metrics", LOOK, metrics,
        "Counters and machine states, Prometheus text format", text "text/plain"
    ),
];

/// 200 while readings can be made durable, 503 while they cannot.
pub(crate) async fn healthz(State(known): State<Known>) -> Response {
    let board = known.board();
    let full = board
        .open_alarms
        .iter()
        .any(|alarm| alarm.kind == AlarmKind::StoreFull);
    if full {
        (StatusCode::SERVICE_UNAVAILABLE, "store full\n").into_response()
    } else {
        (StatusCode::OK, "ok\n").into_response()
    }
}

/// Counters, and of each machine its state, power and cycles of the day.
pub(crate) async fn metrics(State(known): State<Known>) -> Response {
    let board = known.board();
    let mut text = String::new();
    for (name, value) in &board.counters {
        let kind = if *name == "connections" {
            "gauge"
        } else {
            "counter"
        };
        family(&mut text, name, kind, "Counted since the program started.");
        writeln!(text, "mimamori_{name} {value}").ok();
    }
    let what = "1 for the state a machine is in, 0 for the others.";
    family(&mut text, "machine_state", "gauge", what);
    for machine in &board.machines {
        for state in MachineState::ALL.iter().copied() {
            let (id, now) = (&machine.id, u8::from(machine.state == state));
            let code = state.code();
            writeln!(
                text,
                "mimamori_machine_state{{machine=\"{id}\",state=\"{code}\"}} {now}"
            )
            .ok();
        }
    }
    // Of a machine that is out of sight nothing is claimed.
    let seen = || {
        let all = board.machines.iter();
        all.filter(|machine| machine.state != MachineState::Unknown)
    };
    family(&mut text, "machine_power_watts", "gauge", "Power now.");
    for machine in seen() {
        if let Some(watts) = machine.power_w {
            let id = &machine.id;
            writeln!(
                text,
                "mimamori_machine_power_watts{{machine=\"{id}\"}} {watts}"
            )
            .ok();
        }
    }
    let what = "Cycles since the business day began.";
    family(&mut text, "machine_cycles_today", "gauge", what);
    for machine in &board.machines {
        let (id, cycles) = (&machine.id, machine.day.cycles);
        writeln!(
            text,
            "mimamori_machine_cycles_today{{machine=\"{id}\"}} {cycles}"
        )
        .ok();
    }
    family(&mut text, "open_alarms", "gauge", "Alarms that last.");
    writeln!(text, "mimamori_open_alarms {}", board.open_alarms.len()).ok();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// What stands before the values of a name.
fn family(text: &mut String, name: &str, kind: &str, what: &str) {
    writeln!(text, "# HELP mimamori_{name} {what}").ok();
    writeln!(text, "# TYPE mimamori_{name} {kind}").ok();
}
