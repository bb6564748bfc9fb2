//! The conventions of other makers against what programs of others know of them: the names and
//! units of every device that zigbee2mqtt knows, and what hatasmota reads in Tasmota's telemetry.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;
use wire::convention::Topic;
use wire::payload::Scalar;

use crate::process::{Process, root};

/// Names that mean another unit with a few devices than with all others: their numbers are wrong by
/// a factor, which a person sees when the value is bound.
const ODD: [(&str, &str); 9] = [
    ("active_power", "mWt"),
    ("current", "mA"),
    ("dis_current", "cm"),
    ("hob_power", "%"),
    ("total_active_power", "kW"),
    ("transmit_power", "dBm"),
    ("valve_motor_running_voltage", "mV"),
    // Of batteries: in thousands, and left out for that.
    ("voltage", "mV"),
    ("battery_voltage", "mV"),
];

/// Units that points carry in their ending, as zigbee2mqtt and hatasmota write them.
const ENDINGS: [(&str, &[&str]); 8] = [
    ("_w", &["W", "w"]),
    ("_v", &["V", "volt"]),
    ("_a", &["A"]),
    ("_kwh", &["kWh"]),
    ("_wh", &["Wh"]),
    ("_va", &["VA"]),
    ("_hz", &["Hz"]),
    ("_c", &["°C", "ºC", "℃", "C"]),
];

/// The unit that a point's ending says.
fn unit_of(point: &str) -> Option<&'static [&'static str]> {
    let (_, units) = ENDINGS.iter().find(|(end, _)| point.ends_with(end))?;
    Some(units)
}

fn values(topic: &str, payload: &str) -> Vec<(String, f64)> {
    let said = Topic::of(topic).unwrap().read(payload.as_bytes()).unwrap();
    let numbers = said
        .values
        .into_iter()
        .filter_map(|(name, value)| match value {
            Scalar::Number(number) => Some((name, number)),
            Scalar::Bool(_) | Scalar::Text(_) => None,
        });
    numbers.collect()
}

#[test]
fn every_number_of_every_zigbee_device_has_its_unit() {
    let output = Command::new("node")
        .arg(root().join("tests/counterparts/zigbee_names.cjs"))
        .output()
        .expect("a counterpart is missing: node");
    let listed: Vec<(String, String, u32)> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            panic!("zigbee-herdsman-converters said no list: {error}: {said}")
        });
    assert!(listed.len() > 1_000, "{}", listed.len());
    let mut wrong = Vec::new();
    let mut electric = 0;
    for (name, unit, devices) in &listed {
        let payload = format!("{{{}:1.5}}", Value::from(name.as_str()));
        let point = values("zigbee2mqtt/x", &payload)
            .pop()
            .map(|(point, _)| point);
        let is_odd = ODD.contains(&(name.as_str(), unit.as_str()));
        let Some(units) = point.as_deref().and_then(unit_of).filter(|_| !is_odd) else {
            continue;
        };
        electric += devices;
        if !units.contains(&unit.trim()) {
            wrong.push(format!(
                "{name} is {unit}, not {units:?}: {devices} devices"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Power, voltage, current and energy of plugs and clamps are among them.
    assert!(electric > 3_000, "{electric}");
}

/// Messages as Tasmota's documentation and its drivers show them.
const TELEMETRY: [&str; 4] = [
    r#"{"Time":"2026-06-13T06:59:52","ENERGY":{"TotalStartTime":"2026-01-01T00:00:00","Total":12.5,"Yesterday":1.1,"Today":0.2,"Period":5,"Power":812,"ApparentPower":900,"ReactivePower":388,"Factor":0.9,"Voltage":101,"Current":8.9}}"#,
    r#"{"Time":"2026-06-13T06:59:52","ENERGY":{"Total":[1.5,2.5,3.5],"Power":[11,12,13],"Voltage":[100,101,102],"Current":[0.1,0.2,0.3]}}"#,
    r#"{"Time":"2026-06-13T06:59:52","SI7021":{"Temperature":24.1,"Humidity":51.3,"DewPoint":13.4},"TempUnit":"C"}"#,
    r#"{"Time":"2026-06-13T06:59:52","ANALOG":{"CTEnergy1":{"Energy":0.5,"Power":2300,"Voltage":230,"Current":10}}}"#,
];

#[test]
fn what_hatasmota_reads_in_tasmotas_telemetry_is_read_with_the_same_unit() {
    let mut child = Process::python("tasmota.py", &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a counterpart is missing: python");
    let mut sent = child.stdin.take().unwrap();
    writeln!(sent, "{}", TELEMETRY.join("\n")).unwrap();
    drop(sent);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), TELEMETRY.len(), "hatasmota said {said:?}");
    let mut compared = 0;
    for (message, line) in TELEMETRY.iter().zip(lines) {
        let ours = values("tele/plug/SENSOR", message);
        let theirs: Vec<(Vec<String>, String, Value)> = serde_json::from_str(line).unwrap();
        for (path, unit, value) in theirs {
            // Sums of days and times are not kept.
            let is_left_out = path.iter().any(|step| {
                ["Today", "Yesterday", "Period", "TotalStartTime"].contains(&step.as_str())
            });
            let (Some(value), false) = (value.as_f64(), is_left_out) else {
                continue;
            };
            let units = |point: &str| unit_of(point).unwrap_or(&["None", "%", "VAr"]);
            let is_it = |(point, number): &&(String, f64)| {
                *number == value && units(point).contains(&unit.as_str())
            };
            let found = ours.iter().find(is_it);
            assert!(
                found.is_some(),
                "{path:?} is {value} {unit}, not in {ours:?}"
            );
            compared += 1;
        }
    }
    assert!(compared >= 20, "{compared}");
}
