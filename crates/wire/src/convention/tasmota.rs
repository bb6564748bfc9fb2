//! What Tasmota says: sensors in one object each, energy by phase in lists, relays as `POWER1`.

use serde_json::{Map, Value};

use super::Said;
use super::point::{on_off, plain, put, put_bool};

/// Tasmota's words for electric quantities.
fn tasmota_name(word: &str) -> Option<&'static str> {
    Some(match word {
        "Power" => "power",
        "ApparentPower" => "apparent_power",
        "ReactivePower" => "reactive_power",
        "Factor" => "power_factor",
        "Voltage" => "voltage",
        "Current" => "current",
        "Total" | "Energy" => "energy",
        "Frequency" => "ac_frequency",
        _ => return None,
    })
}

pub(super) fn sensors(object: &Map<String, Value>, said: &mut Said) {
    let is_fahrenheit = object.get("TempUnit").and_then(Value::as_str) == Some("F");
    let mut each: Vec<(&str, Said)> = Vec::new();
    for (sensor, value) in object {
        match value {
            Value::Object(readings) => {
                let mut own = Said::default();
                sensor_of(sensor, readings, is_fahrenheit, &mut own);
                each.push((sensor, own));
            }
            // Switches that are only read.
            Value::String(text) => {
                if let Some(is_on) = on_off(text) {
                    put_bool(said, sensor, is_on);
                }
            }
            _ => {}
        }
    }
    // Two thermometers are two points: what more than one sensor says has the sensor's name.
    let all = || each.iter().flat_map(|(_, own)| own.values.iter());
    for (sensor, own) in &each {
        for (point, value) in &own.values {
            let is_one = all().filter(|(other, _)| other == point).count() == 1;
            let named = || format!("{}_{point}", plain(sensor));
            let point = if is_one { point.clone() } else { named() };
            said.values.push((point, value.clone()));
        }
    }
}

fn sensor_of(sensor: &str, readings: &Map<String, Value>, is_fahrenheit: bool, said: &mut Said) {
    let is_clamp = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()) == "CTEnergy";
    let is_energy = sensor == "ENERGY" || is_clamp(sensor);
    for (word, value) in readings {
        match value {
            Value::Number(number) => {
                let Some(number) = number.as_f64() else {
                    continue;
                };
                match (tasmota_name(word), word.as_str()) {
                    (Some(name), _) if is_energy => put(said, name, number),
                    // Of energy, only the counter and what flows now: the sums of days are not
                    // kept.
                    _ if is_energy => {}
                    (_, "Temperature" | "DewPoint") => {
                        let celsius = (number - 32.0) / 1.8;
                        let number = if is_fahrenheit { celsius } else { number };
                        let is_dew = word == "DewPoint";
                        put(said, if is_dew { "dew_temperature" } else { word }, number);
                    }
                    _ if sensor == "COUNTER" => put(said, &format!("counter_{word}"), number),
                    _ => put(said, word, number),
                }
            }
            Value::Array(phases) if is_energy => phases_of(word, phases, said),
            Value::Object(inner) if is_clamp(word) => {
                let mut own = Said::default();
                sensor_of(word, inner, is_fahrenheit, &mut own);
                // Several clamps on one board.
                let number = word.trim_start_matches("CTEnergy");
                let is_first = matches!(number, "" | "1");
                let named = |point: String| format!("clamp_{number}_{point}");
                said.values.extend(
                    own.values
                        .into_iter()
                        .map(|(point, value)| (if is_first { point } else { named(point) }, value)),
                );
            }
            _ => {}
        }
    }
}

/// A list has a number for each phase; powers and energies add up.
fn phases_of(word: &str, phases: &[Value], said: &mut Said) {
    let Some(name) = tasmota_name(word) else {
        return;
    };
    let numbers: Vec<f64> = phases.iter().filter_map(Value::as_f64).collect();
    if matches!(name, "power" | "energy") {
        put(said, name, numbers.iter().sum());
    }
    for (phase, number) in numbers.iter().enumerate() {
        put(said, &format!("{name}_{}", phase + 1), *number);
    }
}

pub(super) fn relays(object: &Map<String, Value>, said: &mut Said) {
    for (name, value) in object {
        let number = name.strip_prefix("POWER");
        let number = number.filter(|rest| rest.chars().all(|c| c.is_ascii_digit()));
        let is_on = value.as_str().and_then(on_off);
        if let (Some(number), Some(is_on)) = (number, is_on) {
            put_bool(said, &format!("on_{number}"), is_on);
        }
    }
}
