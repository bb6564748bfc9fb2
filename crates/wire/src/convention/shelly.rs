//! What a Shelly says: components by their names, in notifications or one by one.

use serde_json::{Map, Value};

use super::Said;
use super::point::{plain, put, put_bool};
use crate::payload::Scalar;

pub(super) fn notification(object: &Map<String, Value>, said: &mut Said) {
    let method = object.get("method").and_then(Value::as_str);
    if !matches!(method, Some("NotifyStatus" | "NotifyFullStatus")) {
        return;
    }
    let Some(Value::Object(params)) = object.get("params") else {
        return;
    };
    let seconds = params.get("ts").and_then(Value::as_f64);
    // A Shelly that does not know the time yet says when it was started.
    said.t_ms = seconds
        .map(|seconds| (seconds * 1e3) as i64)
        .filter(|ms| *ms > 1_000_000_000_000);
    for (name, value) in params {
        if let Value::Object(values) = value {
            component(name, values, said);
        }
    }
}

/// A component of Shelly: `switch:0`. The first of its kind has plain names, others their number.
pub(super) fn component(name: &str, object: &Map<String, Value>, said: &mut Said) {
    let (kind, number) = name.split_once(':').unwrap_or((name, "0"));
    let nth = |point: &str| match number {
        "0" => point.to_owned(),
        _ => format!("{point}_{number}"),
    };
    for (member, value) in object {
        let point = match (kind, member.as_str()) {
            ("switch", "output") => "on",
            ("input", "state") => "input",
            ("switch" | "pm1" | "cover", "apower")
            | ("em1", "act_power")
            | ("em", "total_act_power") => "power",
            ("em", "a_act_power") => "power_l1",
            ("em", "b_act_power") => "power_l2",
            ("em", "c_act_power") => "power_l3",
            ("em", "total_aprt_power") | ("em1", "aprt_power") => "apparent_power",
            ("switch" | "pm1" | "em1" | "cover", "voltage") => "voltage",
            ("switch" | "pm1" | "em1" | "cover", "current") | ("em", "total_current") => "current",
            ("switch" | "pm1" | "em1", "pf") => "power_factor",
            ("temperature", "tC") => "temperature",
            ("humidity", "rh") => "humidity",
            ("switch" | "pm1" | "cover", "aenergy") => {
                energy_wh(&nth("energy"), value.get("total"), said);
                continue;
            }
            ("em1data" | "emdata", "total_act_energy" | "total_act") => {
                energy_wh(&nth("energy"), Some(value), said);
                continue;
            }
            ("input", "counts") => {
                if let Some(total) = value.get("total").and_then(Value::as_f64) {
                    put(said, &nth("counter"), total);
                }
                continue;
            }
            _ => continue,
        };
        match value {
            Value::Bool(is_so) => put_bool(said, &nth(point), *is_so),
            _ => {
                if let Some(number) = value.as_f64() {
                    put(said, &nth(point), number);
                }
            }
        }
    }
}

/// Shelly counts watt-hours.
fn energy_wh(point: &str, value: Option<&Value>, said: &mut Said) {
    if let Some(wh) = value.and_then(Value::as_f64) {
        said.values
            .push((format!("{}_wh", plain(point)), Scalar::Number(wh)));
    }
}
