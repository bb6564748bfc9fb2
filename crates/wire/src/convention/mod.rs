//! How other makers' devices publish over MQTT: Tasmota, Shelly (Gen2 and later), zigbee2mqtt,
//! ESPHome, thin-edge. Their topics are recognised by shape; their values become points with the
//! names of the product's own convention, in the units their makers document:
//! Tasmota "Decoding and Telemetry", Shelly API "Notifications" and "Components", zigbee2mqtt
//! "MQTT topics and messages", ESPHome "MQTT client component", thin-edge "MQTT API".

mod point;
mod shelly;
mod tasmota;

use serde_json::{Map, Value};

use self::point::{on_off, plain, put, put_bool, put_unless_energy};
use self::shelly::{component, notification};
use self::tasmota::{relays, sensors};
use crate::payload::{MEMBERS_MAX, PAYLOAD_BYTES_MAX, PayloadError, Scalar, TOPIC_ROOT};

/// Whose convention it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Maker {
    /// Firmware of plugs and switches: `tele/…`, `stat/…`.
    Tasmota,
    /// Shelly, Gen2 and later.
    Shelly,
    /// A gateway to Zigbee: `zigbee2mqtt/NAME`.
    Zigbee2mqtt,
    /// Firmware of sensors: `NODE/sensor/NAME/state`.
    Esphome,
    /// thin-edge.io: `te/…/m/…`.
    ThinEdge,
}

impl Maker {
    /// The name people know.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tasmota => "Tasmota",
            Self::Shelly => "Shelly",
            Self::Zigbee2mqtt => "zigbee2mqtt",
            Self::Esphome => "ESPHome",
            Self::ThinEdge => "thin-edge",
        }
    }
}

/// What a topic carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carries<'a> {
    /// Sensors of Tasmota.
    Sensors,
    /// What a relay of Tasmota does.
    Relays,
    /// A notification of Shelly.
    Notification,
    /// One component of Shelly.
    Component(&'a str),
    /// Points by their names.
    Members,
    /// One point.
    Point(&'a str),
    /// Whether the device is there.
    Presence,
    /// Nothing that is measured: discovery, logs, orders.
    Nothing,
}

/// A topic of one of the conventions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic<'a> {
    /// Whose.
    pub maker: Maker,
    /// The device, as the topic names it.
    pub name: &'a str,
    /// It is another device than the one that is connected.
    is_behind: bool,
    carries: Carries<'a>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Said {
    /// Device time in milliseconds since 1970.
    pub t_ms: Option<i64>,
    /// Points and their values.
    pub values: Vec<(String, Scalar<'static>)>,
    /// The device says that it is there or not.
    pub is_there: Option<bool>,
}

impl<'a> Topic<'a> {
    /// Recognises a topic that a device publishes to; `None` if it is of no convention, and for
    /// orders: those nobody but the box may give.
    pub fn of(topic: &'a str) -> Option<Self> {
        // The product's own come first: nearly all are, and each is asked.
        if topic.split('/').next() == Some(TOPIC_ROOT) {
            return None;
        }
        let levels: Vec<&str> = topic.split('/').collect();
        // Wherever somebody may wait for orders: those are nobody's to give.
        let is_order = |level: &&str| matches!(*level, "set" | "get" | "command" | "cmd");
        let first = levels.first().copied().unwrap_or_default();
        let before_last = levels.iter().rev().nth(1).copied();
        let is_for_orders = matches!(first, "cmnd" | "tasmotas") || before_last == Some("cmnd");
        if is_for_orders || first.starts_with('$') || levels.iter().any(is_order) {
            return None;
        }
        let own = |maker, name, carries| Self {
            maker,
            name,
            is_behind: false,
            carries,
        };
        Some(match levels.as_slice() {
            // Whatever a Shelly is called, it takes orders at `rpc`.
            ["homeassistant", "status"] | ["zigbee2mqtt", "bridge", "request", ..] | [_, "rpc"] => {
                return None;
            }
            ["tele" | "stat", name, last] => own(Maker::Tasmota, name, tasmota_carries(last)),
            ["tasmota", "discovery", ..] => own(Maker::Tasmota, "", Carries::Nothing),
            ["zigbee2mqtt", "bridge", ..] => own(Maker::Zigbee2mqtt, "", Carries::Nothing),
            ["zigbee2mqtt", _, ..] => {
                let rest = topic.strip_prefix("zigbee2mqtt/")?;
                let (name, carries) = match rest.strip_suffix("/availability") {
                    Some(name) => (name, Carries::Presence),
                    None => (rest, Carries::Members),
                };
                Self {
                    is_behind: true,
                    ..own(Maker::Zigbee2mqtt, name, carries)
                }
            }
            ["te", "device", name, _, _, rest @ ..] => {
                let carries = match rest {
                    ["m", _] => Carries::Members,
                    ["e" | "a" | "status" | "twin", ..] | [] => Carries::Nothing,
                    _ => return None,
                };
                Self {
                    is_behind: *name != "main",
                    ..own(Maker::ThinEdge, name, carries)
                }
            }
            [name, "events", "rpc"] => own(Maker::Shelly, name, Carries::Notification),
            [name, "status", component] if component.contains(':') => {
                own(Maker::Shelly, name, Carries::Component(component))
            }
            [name, "online"] => own(Maker::Shelly, name, Carries::Presence),
            [name, "sensor" | "binary_sensor" | "switch", point, "state"] => {
                own(Maker::Esphome, name, Carries::Point(point))
            }
            [name, "status"] => own(Maker::Esphome, name, Carries::Presence),
            [name, "debug"] => own(Maker::Esphome, name, Carries::Nothing),
            ["homeassistant", ..] => own(Maker::Esphome, "", Carries::Nothing),
            // A Tasmota with a "FullTopic" of its own: several levels, or %topic%/%prefix%/.
            [first, .., before, last] if tasmota_carries(last) != Carries::Nothing => {
                let is_prefix = |level: &str| matches!(level, "tele" | "stat");
                let name = if is_prefix(first) {
                    topic.split_once('/')?.1.rsplit_once('/')?.0
                } else if is_prefix(before) {
                    topic.rsplit_once('/')?.0.rsplit_once('/')?.0
                } else {
                    return None;
                };
                own(Maker::Tasmota, name, tasmota_carries(last))
            }
            _ => return None,
        })
    }

    /// The device behind the one that is connected; `None` if that speaks for itself. A gateway
    /// speaks for others whatever their convention.
    pub fn behind(&self, is_gateway: bool) -> Option<&'a str> {
        (self.is_behind || is_gateway).then_some(self.name)
    }

    /// Reads a message.
    pub fn read(&self, bytes: &[u8]) -> Result<Said, PayloadError> {
        if self.carries == Carries::Nothing {
            return Ok(Said::default());
        }
        if bytes.len() > PAYLOAD_BYTES_MAX {
            return Err(PayloadError::TooLarge);
        }
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| PayloadError::NotJson)?.trim();
        match self.carries {
            Carries::Presence => return presence(text),
            Carries::Point(name) => return point_text(name, text),
            _ => {}
        }
        let Value::Object(object) = json(text)? else {
            return Err(PayloadError::WrongType);
        };
        let mut said = Said::default();
        match self.carries {
            Carries::Sensors => sensors(&object, &mut said),
            Carries::Relays => relays(&object, &mut said),
            Carries::Notification => notification(&object, &mut said),
            Carries::Component(name) => component(name, &object, &mut said),
            Carries::Members if self.maker == Maker::ThinEdge => {
                members(&object, put_unless_energy, &mut said);
            }
            Carries::Members => members(&object, put, &mut said),
            Carries::Point(_) | Carries::Presence | Carries::Nothing => {}
        }
        if said.values.len() > MEMBERS_MAX {
            return Err(PayloadError::TooLarge);
        }
        Ok(said)
    }
}

/// Whether a device of one of the conventions waits for orders there. Nobody can give any: such a
/// subscription is let in so that the device does not take its connection for broken.
pub fn waits_for_orders(filter: &str) -> bool {
    let levels: Vec<&str> = filter.split('/').collect();
    match levels.as_slice() {
        // What begins with a wildcard may mean anybody's readings.
        ["+" | "#", ..] => false,
        ["cmnd" | "tasmotas", ..]
        | ["homeassistant", "status"]
        | ["zigbee2mqtt", "bridge", "request", ..]
        | ["zigbee2mqtt", .., "set" | "get"]
        | ["te", "device", _, _, _, "cmd", ..]
        | [_, "rpc"]
        | [_, .., "cmnd", _]
        | [_, .., "command"] => true,
        _ => false,
    }
}

/// Other than JSON, `NaN` is written by common firmware; it is told apart from garbage.
fn json(text: &str) -> Result<Value, PayloadError> {
    serde_json::from_str(text).map_err(|_| {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with('{') && (lower.contains("nan") || lower.contains("inf")) {
            PayloadError::NotFinite
        } else {
            PayloadError::NotJson
        }
    })
}

fn tasmota_carries(last: &str) -> Carries<'_> {
    match last {
        "SENSOR" => Carries::Sensors,
        "STATE" | "RESULT" => Carries::Relays,
        "LWT" => Carries::Presence,
        _ => Carries::Nothing,
    }
}

/// `Online`, `offline`, `true`, or an object with such a `state`.
fn presence(text: &str) -> Result<Said, PayloadError> {
    let word = match json(text) {
        Ok(Value::Object(object)) => {
            let state = object.get("state").and_then(Value::as_str);
            state.unwrap_or_default().to_owned()
        }
        _ => text.to_owned(),
    };
    let is_there = match word.to_ascii_lowercase().as_str() {
        "online" | "true" => true,
        "offline" | "false" => false,
        _ => return Err(PayloadError::WrongType),
    };
    Ok(Said {
        is_there: Some(is_there),
        ..Said::default()
    })
}

/// `ON` and `OFF`, or a number.
fn point_text(name: &str, text: &str) -> Result<Said, PayloadError> {
    let mut said = Said::default();
    if let Some(is_on) = on_off(text) {
        said.values.push((plain(name), Scalar::Bool(is_on)));
        return Ok(said);
    }
    let number: f64 = text.parse().map_err(|_| PayloadError::NotJson)?;
    if !number.is_finite() {
        return Err(PayloadError::NotFinite);
    }
    put_unless_energy(&mut said, name, number);
    Ok(said)
}

/// Points by their names, one level deep.
fn members(object: &Map<String, Value>, put: fn(&mut Said, &str, f64), said: &mut Said) {
    for (name, value) in object {
        match value {
            Value::Number(number) => {
                if let Some(number) = number.as_f64() {
                    put(said, name, number);
                }
            }
            Value::Bool(is_so) => put_bool(said, name, *is_so),
            Value::String(text) => {
                if let Some(is_on) = on_off(text) {
                    put_bool(said, name, is_on);
                }
            }
            Value::Object(inner) => {
                for (of, value) in inner {
                    if let Some(number) = value.as_f64() {
                        put(said, &format!("{name}_{of}"), number);
                    }
                }
            }
            Value::Null | Value::Array(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(topic: &str, payload: &str) -> Said {
        Topic::of(topic).unwrap().read(payload.as_bytes()).unwrap()
    }

    fn number(said: &Said, point: &str) -> Option<f64> {
        let found = said.values.iter().find(|(name, _)| name == point)?;
        found.1.number()
    }

    #[test]
    fn tasmota_tells_power_phases_counters_and_relays() {
        let plug = said(
            "tele/plug/SENSOR",
            r#"{"Time":"2026-06-13T06:59:52","ENERGY":{"TotalStartTime":"2026-01-01T00:00:00",
            "Total":12.5,"Yesterday":1.1,"Today":0.2,"Power":812,"ApparentPower":900,
            "Factor":0.9,"Voltage":101,"Current":8.9},"SI7021":{"Temperature":77.0,"Humidity":40},
            "COUNTER":{"C1":17},"Switch1":"ON","TempUnit":"F"}"#,
        );
        assert_eq!(number(&plug, "power_w"), Some(812.0));
        assert_eq!(number(&plug, "energy_kwh"), Some(12.5));
        assert_eq!(number(&plug, "temperature_c"), Some(25.0));
        assert_eq!(number(&plug, "counter_c1"), Some(17.0));
        assert_eq!(number(&plug, "switch1"), Some(1.0));
        assert_eq!(number(&plug, "power_factor_share"), Some(0.9));
        assert_eq!(plug.values.len(), 10);
        let three = said(
            "tele/em/SENSOR",
            r#"{"ENERGY":{"Power":[1,2,3],"Voltage":[100,101,102]}}"#,
        );
        assert_eq!(
            [number(&three, "power_w"), number(&three, "power_2_w")],
            [Some(6.0), Some(2.0)]
        );
        let clamp = said(
            "tele/ct/SENSOR",
            r#"{"ANALOG":{"CTEnergy":{"Energy":0.5,"Power":230}}}"#,
        );
        assert_eq!(number(&clamp, "power_w"), Some(230.0));
        let relay = said("stat/plug/RESULT", r#"{"POWER":"OFF"}"#);
        assert_eq!(number(&relay, "on"), Some(0.0));
        assert_eq!(said("tele/plug/LWT", "Online").is_there, Some(true));
    }

    #[test]
    fn tasmota_is_known_however_its_topics_are_laid_out() {
        for (topic, name) in [
            ("tele/plug/SENSOR", "plug"),
            ("plug/tele/SENSOR", "plug"),
            ("tele/site/line/plug/STATE", "site/line/plug"),
            ("site/line/plug/stat/RESULT", "site/line/plug"),
        ] {
            let known = Topic::of(topic).unwrap();
            assert_eq!((known.maker, known.name), (Maker::Tasmota, name), "{topic}");
        }
        assert_eq!(Topic::of("plug/cmnd/POWER"), None);
        assert_eq!(Topic::of("line/stat/temperature"), None, "anybody's");
        let gateway = Topic::of("zigbee2mqtt/stat/LWT").unwrap();
        assert_eq!(gateway.maker, Maker::Zigbee2mqtt);
    }

    #[test]
    fn shelly_tells_its_components_and_their_time() {
        let status = said(
            "shellyplus1pm-a/events/rpc",
            r#"{"src":"shellyplus1pm-a","dst":"x","method":"NotifyStatus","params":{"ts":1631186545.04,
            "switch:0":{"id":0,"output":true,"apower":812.5,"voltage":null,"aenergy":{"total":77.5}},
            "switch:1":{"id":1,"apower":3}}}"#,
        );
        assert_eq!(status.t_ms, Some(1_631_186_545_040));
        assert_eq!(number(&status, "power_w"), Some(812.5));
        assert_eq!(number(&status, "energy_wh"), Some(77.5));
        assert_eq!(number(&status, "on"), Some(1.0));
        assert_eq!(number(&status, "power_1_w"), Some(3.0));
        assert_eq!(number(&status, "voltage_v"), None);
        let meter = said(
            "em/status/em:0",
            r#"{"id":0,"a_act_power":1.5,"total_act_power":9}"#,
        );
        assert_eq!(
            [number(&meter, "power_w"), number(&meter, "power_l1_w")],
            [Some(9.0), Some(1.5)]
        );
        assert_eq!(said("shelly/online", "false").is_there, Some(false));
        for (component, payload, point, value) in [
            ("pm1:0", r#"{"apower":5}"#, "power_w", 5.0),
            ("em1:1", r#"{"act_power":6,"pf":0.5}"#, "power_1_w", 6.0),
            ("input:0", r#"{"state":true}"#, "input", 1.0),
            ("input:2", r#"{"counts":{"total":7}}"#, "counter_2", 7.0),
            (
                "temperature:0",
                r#"{"tC":21.5,"tF":70.7}"#,
                "temperature_c",
                21.5,
            ),
            ("humidity:0", r#"{"rh":40}"#, "humidity_percent", 40.0),
            ("em1data:0", r#"{"total_act_energy":9}"#, "energy_wh", 9.0),
        ] {
            let said = said(&format!("x/status/{component}"), payload);
            assert_eq!(number(&said, point), Some(value), "{component}");
        }
    }

    #[test]
    fn gateways_tell_for_whom_they_speak() {
        let topic = Topic::of("zigbee2mqtt/hall 1/clamp").unwrap();
        assert_eq!(topic.behind(false), Some("hall 1/clamp"));
        let clamp = topic
            .read(
                br#"{"power_a":12,"power_b":7,"current_a":0.1,"energy_a":5,"state":"ON",
                "update":{"state":"idle"},"linkquality":88,"voltage":3000}"#,
            )
            .unwrap();
        assert_eq!(
            [number(&clamp, "power_a_w"), number(&clamp, "current_a_a")],
            [Some(12.0), Some(0.1)]
        );
        assert_eq!(
            [number(&clamp, "energy_a_kwh"), number(&clamp, "state")],
            [Some(5.0), Some(1.0)]
        );
        assert_eq!(number(&clamp, "voltage_v"), None, "a battery's millivolts");
        let away = said("zigbee2mqtt/clamp/availability", r#"{"state":"offline"}"#);
        assert_eq!(away.is_there, Some(false));
        let child = Topic::of("te/device/press///m/meter").unwrap();
        assert_eq!(
            (child.maker, child.behind(false)),
            (Maker::ThinEdge, Some("press"))
        );
        let values = child
            .read(br#"{"temperature":23.4,"current":{"L1":9.5}}"#)
            .unwrap();
        assert_eq!(
            [
                number(&values, "temperature_c"),
                number(&values, "current_l1_a")
            ],
            [Some(23.4), Some(9.5)]
        );
        assert_eq!(
            Topic::of("te/device/main///m/x").unwrap().behind(false),
            None
        );
        let plug = Topic::of("tele/plug/SENSOR").unwrap();
        assert_eq!(
            [plug.behind(false), plug.behind(true)],
            [None, Some("plug")]
        );
    }

    /// Levels of topics that mean something to somebody.
    const LEVELS: &[&str] = &[
        "tele",
        "stat",
        "cmnd",
        "tasmotas",
        "x",
        "SENSOR",
        "zigbee2mqtt",
        "bridge",
        "request",
        "set",
        "get",
        "te",
        "device",
        "",
        "m",
        "cmd",
        "command",
        "rpc",
        "events",
        "status",
        "online",
        "sensor",
        "switch",
        "state",
        "homeassistant",
        "switch:0",
    ];

    #[test]
    fn two_sensors_of_one_kind_are_two_points() {
        let two = said(
            "tele/x/SENSOR",
            r#"{"DS18B20-1":{"Temperature":20},"DS18B20-2":{"Temperature":80,"Humidity":5}}"#,
        );
        assert_eq!(number(&two, "ds18b20_1_temperature_c"), Some(20.0));
        assert_eq!(number(&two, "ds18b20_2_temperature_c"), Some(80.0));
        assert_eq!(number(&two, "humidity_percent"), Some(5.0));
        let clamps = said(
            "tele/x/SENSOR",
            r#"{"ANALOG":{"CTEnergy1":{"Power":1},"CTEnergy2":{"Power":2}}}"#,
        );
        assert_eq!(number(&clamps, "power_w"), Some(1.0));
        assert_eq!(number(&clamps, "clamp_2_power_w"), Some(2.0));
    }

    #[test]
    fn energy_of_makers_without_one_unit_has_none() {
        let watt_hours = said("p/sensor/energy/state", "1250");
        assert_eq!(number(&watt_hours, "energy"), Some(1250.0));
        let child = said("te/device/x///m/e", r#"{"total_energy":3,"power":5}"#);
        assert_eq!(number(&child, "total_energy"), Some(3.0));
        assert_eq!(number(&child, "power_w"), Some(5.0));
    }

    #[test]
    fn what_is_no_quantity_gets_no_unit() {
        let named = |name: &str| point::point(name, 1.0).unwrap();
        for (name, wanted) in [
            ("power_a", "power_a_w"),
            ("current_temperature", "current_temperature_c"),
            ("current_heating_setpoint", "current_heating_setpoint"),
            ("power_factor_a", "power_factor_a_share"),
            ("energy_wh", "energy_wh"),
            ("channel_a", "channel_a_value"),
            ("temperature_f", "temperature_f"),
        ] {
            assert_eq!(named(name), wanted);
        }
    }

    #[test]
    fn esphome_tells_one_point_a_topic() {
        assert_eq!(
            number(&said("p/sensor/power/state", "812.5"), "power_w"),
            Some(812.5)
        );
        assert_eq!(
            number(&said("p/binary_sensor/red/state", "ON"), "red"),
            Some(1.0)
        );
        let topic = Topic::of("p/sensor/power/state").unwrap();
        assert_eq!(topic.read(b"nan"), Err(PayloadError::NotFinite));
        assert_eq!(topic.read(b"hot"), Err(PayloadError::NotJson));
        assert_eq!(said("p/status", "online").is_there, Some(true));
    }

    #[test]
    fn what_is_of_no_convention_is_not_taken() {
        for topic in [
            "mimamori/m",
            "mimamori/online",
            "mimamori/status",
            "mimamori/sensor/x/state",
            "tele/x",
            "a",
            "",
            "a/b/c",
            "cmnd/plug/POWER",
            "p/switch/x/command",
            "zigbee2mqtt/clamp/set",
            "zigbee2mqtt/bridge/request/restart",
            "homeassistant/status",
            "te/device/main///cmd/restart/1",
            "shelly-a/rpc",
            "homeassistant/rpc",
            "zigbee2mqtt/rpc",
            "cmnd/online",
            "tele/x/command",
            "zigbee2mqtt/lamp/set/state",
            "homeassistant/esp1/switch/relay/command",
        ] {
            assert_eq!(Topic::of(topic), None, "{topic}");
        }
        let topic = Topic::of("tele/x/SENSOR").unwrap();
        assert_eq!(topic.read(b"[1]"), Err(PayloadError::WrongType));
        assert_eq!(topic.read(b"{"), Err(PayloadError::NotJson));
        assert_eq!(
            topic.read(b"{\"ENERGY\":{\"Power\":nan}}"),
            Err(PayloadError::NotFinite)
        );
        for filter in [
            "cmnd/plug/#",
            "plug/cmnd/#",
            "shelly-a/rpc",
            "p/switch/+/command",
            "zigbee2mqtt/+/set",
        ] {
            assert!(waits_for_orders(filter), "{filter}");
        }
        for filter in [
            "#",
            "tele/#",
            "+/rpc",
            "zigbee2mqtt/#",
            "shelly-a/events/rpc",
            "+/+/command",
        ] {
            assert!(!waits_for_orders(filter), "{filter}");
        }
    }

    proptest! {
        #[test]
        fn nobody_may_publish_where_somebody_waits_for_orders(
            topic in proptest::collection::vec(proptest::sample::select(LEVELS), 1..8),
            wild in proptest::collection::vec(any::<bool>(), 8),
            end in 1_usize..9,
        ) {
            prop_assert!(!topic.is_empty());
            let mut filter: Vec<&str> = topic
                .iter()
                .zip(wild)
                .map(|(level, is_wild)| if is_wild { "+" } else { *level })
                .collect();
            if end < filter.len() {
                filter.truncate(end);
                filter.push("#");
            }
            // Every such filter matches its topic.
            let (topic, filter) = (topic.join("/"), filter.join("/"));
            let is_both = waits_for_orders(&filter) && Topic::of(&topic).is_some();
            prop_assert!(!is_both, "{} {}", topic, filter);
        }

        #[test]
        fn no_bytes_make_it_panic(
            topic in "(tele|stat|te|zigbee2mqtt|a)(/[a-z:+ ]{0,8}){0,6}",
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in r#"\{"[a-zA-Z:]{0,8}":(\{"[a-z_A-Z]{0,8}":[0-9.e]{0,6}\}|[0-9]{0,9}|"ON")\}"#,
        ) {
            for topic in [topic.as_str(), "tele/x/SENSOR", "x/events/rpc", "x/status/em:0"] {
                if let Some(topic) = Topic::of(topic) {
                    topic.read(&bytes).ok();
                    if let Ok(said) = topic.read(text.as_bytes()) {
                        let fine = |n: &str| n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                        prop_assert!(said.values.iter().all(|(name, _)| fine(name)));
                    }
                }
            }
        }
    }
}
