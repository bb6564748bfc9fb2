//! From what a device sent to rows in known units. Each thing that is not a reading becomes a
//! refusal with its reason and the beginning of what was sent.

use std::net::IpAddr;

use model::{ProductId, RefusalReason, Refused, Time, Unit, UnitScale, VALUE_MAX};
use wire::payload::{self, Address, PayloadError, Scalar};

use crate::device::{Device, PointError, PointRole, PointUse};

/// Bytes of refused input kept to be shown.
const SAMPLE_BYTES: usize = 120;

/// Which device times are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockWindow {
    /// How far a device's clock may be ahead of the box, in milliseconds.
    pub ahead_ms_max: i64,
    /// How far back readings may lie, in milliseconds.
    pub past_ms_max: i64,
}

impl Default for ClockWindow {
    /// Five minutes ahead; a year back, for devices that keep readings while they are cut off.
    fn default() -> Self {
        Self {
            ahead_ms_max: 5 * 60 * 1000,
            past_ms_max: 366 * 24 * 3600 * 1000,
        }
    }
}

/// One value that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    /// The point's name.
    pub(crate) point: String,
    /// What it said.
    pub(crate) value: Scalar<'static>,
}

/// One value of one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The point's number within its device.
    pub point: u16,
    /// What it means.
    pub role: PointRole,
    /// When it was measured.
    pub t: Time,
    /// The device itself said when; only then does the time identify the reading.
    pub has_own_time: bool,
    /// What was said, in the unit that is kept.
    pub value: RowValue,
}

/// A value in the unit its point is kept in.
#[derive(Debug, Clone, PartialEq)]
pub enum RowValue {
    /// A number, or 0 and 1 for a state.
    Number(f64),
    /// From now on the machine makes this.
    Product(ProductId),
}

/// What one payload gave.
#[derive(Debug, Default)]
pub(crate) struct Normalised {
    pub(crate) rows: Vec<Row>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) link: Option<bool>,
    pub(crate) from: Option<IpAddr>,
}

/// Where a payload came from and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) device: &'a Device,
    pub(crate) topic: &'a str,
    pub(crate) now: Time,
    pub(crate) window: ClockWindow,
}

/// Turns one payload into rows and refusals.
pub(crate) fn normalise(origin: Origin<'_>, bytes: &[u8], out: &mut Normalised) {
    match Address::parse(origin.topic) {
        Some(Address::Device(_)) => match payload::decode_object(bytes) {
            Ok(object) => {
                let first = out.rows.len();
                for (name, value) in &object.members {
                    let member = Member::at(object.t_ms, name, value);
                    take_member(origin, bytes, member, out);
                }
                for name in &object.unfit {
                    let sample = [name.as_bytes(), b" in ", bytes].concat();
                    refuse(origin, &sample, RefusalReason::WrongType, out);
                }
                sort_for_judging(out, first);
            }
            Err(error) => refuse(origin, bytes, reason_of(error), out),
        },
        Some(Address::Point(_, name)) => match payload::decode_point(bytes) {
            Ok(said) => {
                let mut member = Member::at(said.t_ms, name, &said.value);
                member.unit = said.unit.as_deref();
                take_member(origin, bytes, member, out);
            }
            // A product may be published as its plain name.
            Err(PayloadError::NotJson) if name == "product" => {
                let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
                let value = &Scalar::Text(text.into());
                take_member(origin, bytes, Member::at(None, name, value), out);
            }
            Err(error) => refuse(origin, bytes, reason_of(error), out),
        },
        // Whether a device is there its connection tells: a word can be missing or come twice.
        Some(Address::Online(_) | Address::Control(_)) => {}
        None => refuse(origin, bytes, RefusalReason::BadName, out),
    }
}

/// Turns values of a device of another maker into rows and refusals.
pub(crate) fn normalise_said(
    origin: Origin<'_>,
    t_ms: Option<i64>,
    values: &[(String, Scalar<'static>)],
    bytes: &[u8],
    out: &mut Normalised,
) {
    let first = out.rows.len();
    for (name, value) in values {
        take_member(origin, bytes, Member::at(t_ms, name, value), out);
    }
    sort_for_judging(out, first);
}

/// What was sent could not be read.
pub(crate) fn refuse_payload(
    origin: Origin<'_>,
    bytes: &[u8],
    error: PayloadError,
    out: &mut Normalised,
) {
    refuse(origin, bytes, reason_of(error), out);
}

/// Turns what the box read from a device into rows and refusals.
pub(crate) fn normalise_read(origin: Origin<'_>, values: &[Value], out: &mut Normalised) {
    let first = out.rows.len();
    for Value { point, value } in values {
        match row_of(origin, Member::at(None, point, value)) {
            Ok(row) => out.rows.push(row),
            Err(reason) => refuse(origin, format!("{point} {value:?}").as_bytes(), reason, out),
        }
    }
    sort_for_judging(out, first);
}

/// Turns cells of one row of a file into rows and refusals; a refusal shows the cell.
pub(crate) fn normalise_cells(
    origin: Origin<'_>,
    t_ms: i64,
    cells: &[(&str, &str, Scalar<'static>)],
    out: &mut Normalised,
) {
    let first = out.rows.len();
    for (name, text, value) in cells {
        match row_of(origin, Member::at(Some(t_ms), name, value)) {
            Ok(row) => out.rows.push(row),
            Err(reason) => refuse(origin, text.trim().as_bytes(), reason, out),
        }
    }
    sort_for_judging(out, first);
}

/// Within one message the order of members says nothing; power is judged before a cycle's end so
/// that the energy up to that moment is in the cycle.
fn sort_for_judging(out: &mut Normalised, first: usize) {
    let rank = |role: PointRole| match role {
        PointRole::Power => 0,
        PointRole::Cycle | PointRole::Pulse => 1,
        PointRole::Product => 2,
        _ => 3,
    };
    if let Some(rows) = out.rows.get_mut(first..) {
        rows.sort_by_key(|row| rank(row.role));
    }
}

/// One value of a payload, with its time if the device said one.
#[derive(Clone, Copy)]
struct Member<'a> {
    t_ms: Option<i64>,
    name: &'a str,
    value: &'a Scalar<'a>,
    /// The unit that stands beside it.
    unit: Option<&'a str>,
}

impl<'a> Member<'a> {
    /// A value in the unit that its name says.
    fn at(t_ms: Option<i64>, name: &'a str, value: &'a Scalar<'a>) -> Self {
        Self {
            t_ms,
            name,
            value,
            unit: None,
        }
    }

    /// What its numbers are multiplied by, where the point is kept in `unit` and says `factor`: a
    /// unit that stands beside a value counts, not the one in the name.
    fn factor(self, unit: Unit, factor: f64) -> Result<f64, RefusalReason> {
        let Some(said) = self.unit.filter(|said| !said.trim().is_empty()) else {
            return Ok(factor);
        };
        match UnitScale::of_symbol(said) {
            Some(scale) if scale.unit == unit => Ok(scale.factor),
            // Kept as a bare number, whatever it counts.
            _ if unit == Unit::None => Ok(factor),
            _ => Err(RefusalReason::WrongUnit),
        }
    }
}

fn take_member(origin: Origin<'_>, bytes: &[u8], member: Member<'_>, out: &mut Normalised) {
    match row_of(origin, member) {
        Ok(row) => out.rows.push(row),
        Err(RefusalReason::ClockAhead) => {
            // Nothing is measured in the future: one of the two clocks is wrong, and what has just
            // come was measured about now.
            refuse(origin, bytes, RefusalReason::ClockAhead, out);
            let now = Member {
                t_ms: None,
                ..member
            };
            out.rows.extend(row_of(origin, now));
        }
        Err(reason) => refuse(origin, bytes, reason, out),
    }
}

fn row_of(origin: Origin<'_>, member: Member<'_>) -> Result<Row, RefusalReason> {
    let Member {
        t_ms, name, value, ..
    } = member;
    let t = t_ms.map_or(origin.now, Time::from_ms);
    let lead_ms = t.ms().saturating_sub(origin.now.ms());
    if lead_ms > origin.window.ahead_ms_max {
        return Err(RefusalReason::ClockAhead);
    }
    if lead_ms < -origin.window.past_ms_max {
        return Err(RefusalReason::ClockFarPast);
    }
    let point = origin
        .device
        .point_named(name)
        .map_err(|error| match error {
            PointError::BadName => RefusalReason::BadName,
            PointError::TooMany => RefusalReason::TooManyPoints,
        })?;
    let PointUse {
        number,
        factor,
        unit,
        role,
    } = point;
    let factor = member.factor(unit, factor)?;
    let value = match (role, value) {
        (PointRole::Product, Scalar::Text(text)) => product(text)?,
        (PointRole::Product, Scalar::Number(n)) => product(&n.to_string())?,
        (PointRole::LampRed | PointRole::LampYellow | PointRole::LampGreen, shows) => {
            lamp_shows(shows)?
        }
        (_, Scalar::Number(n)) if !n.is_finite() || !(n * factor).is_finite() => {
            return Err(RefusalReason::NotFinite);
        }
        (_, Scalar::Number(n)) if (n * factor).abs() > VALUE_MAX => {
            return Err(RefusalReason::Implausible);
        }
        (_, Scalar::Number(n)) if unit == Unit::WattHour && *n < 0.0 => {
            return Err(RefusalReason::NegativeEnergy);
        }
        (_, Scalar::Number(n)) => RowValue::Number(n * factor),
        (_, Scalar::Bool(state)) => RowValue::Number(f64::from(u8::from(*state))),
        (_, Scalar::Text(_)) => return Err(RefusalReason::WrongType),
    };
    Ok(Row {
        point: number,
        role,
        t,
        has_own_time: t_ms.is_some(),
        value,
    })
}

/// What a tier shows as it is kept: 0 dark, 1 steady, 2 blinking.
fn lamp_shows(said: &Scalar<'_>) -> Result<RowValue, RefusalReason> {
    let code = match said {
        Scalar::Text(word) => ["off", "steady", "blink"].iter().position(|w| w == word),
        Scalar::Number(n) => [0.0, 1.0, 2.0].iter().position(|code| code == n),
        Scalar::Bool(is_lit) => Some(usize::from(*is_lit)),
    };
    let code = code.ok_or(RefusalReason::WrongType)?;
    Ok(RowValue::Number(code as f64))
}

fn product(text: &str) -> Result<RowValue, RefusalReason> {
    ProductId::new(text)
        .map(RowValue::Product)
        .map_err(|_| RefusalReason::BadName)
}

fn reason_of(error: PayloadError) -> RefusalReason {
    match error {
        PayloadError::TooLarge => RefusalReason::TooLarge,
        PayloadError::NotJson => RefusalReason::NotJson,
        PayloadError::WrongType => RefusalReason::WrongType,
        PayloadError::NotFinite => RefusalReason::NotFinite,
        PayloadError::NoTime => RefusalReason::NoTime,
    }
}

fn refuse(origin: Origin<'_>, bytes: &[u8], reason: RefusalReason, out: &mut Normalised) {
    out.refused.push(refusal_of(origin, reason, bytes));
}

/// The refusal of something that a device sent, or that stands in its file.
pub(crate) fn refusal_of(origin: Origin<'_>, reason: RefusalReason, bytes: &[u8]) -> Refused {
    let source = origin.device.id.as_str();
    refusal(source, origin.topic, reason, bytes, origin.now)
}

/// A refusal as it is shown.
pub(crate) fn refusal(
    source: &str,
    topic: &str,
    reason: RefusalReason,
    bytes: &[u8],
    at: Time,
) -> Refused {
    let shown = |text: &[u8], max: usize| {
        let cut = text.get(..text.len().min(max)).unwrap_or_default();
        String::from_utf8_lossy(cut)
            .chars()
            .map(|c| if c.is_control() { '·' } else { c })
            .collect()
    };
    Refused {
        source: shown(source.as_bytes(), SAMPLE_BYTES),
        topic: shown(topic.as_bytes(), SAMPLE_BYTES),
        reason,
        sample: shown(bytes, SAMPLE_BYTES),
        at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{DeviceId, DeviceRole, MachineId};

    fn run(topic: &str, bytes: &[u8]) -> Normalised {
        let device = Device::new(
            DeviceId::new("d").unwrap(),
            MachineId::new("m").unwrap(),
            DeviceRole::Device,
        );
        let now = Time::from_ms(1_700_000_000_000);
        let mut out = Normalised::default();
        let origin = Origin {
            device: &device,
            topic,
            now,
            window: ClockWindow::default(),
        };
        normalise(origin, bytes, &mut out);
        out
    }

    fn reason(topic: &str, bytes: &[u8]) -> RefusalReason {
        let out = run(topic, bytes);
        assert!(out.rows.is_empty());
        out.refused.first().expect("refused").reason
    }

    #[test]
    fn units_are_scaled_and_power_comes_before_the_cycles_end() {
        let out = run(
            "mimamori/d",
            br#"{"cycle":3,"power_kw":1.5,"t":1700000000000}"#,
        );
        assert_eq!(out.rows[0].value, RowValue::Number(1500.0));
        assert_eq!(out.rows[0].role, PointRole::Power);
        assert_eq!(out.rows[1].role, PointRole::Cycle);
    }

    #[test]
    fn every_bad_input_has_its_reason() {
        use RefusalReason as R;
        assert_eq!(reason("mimamori/d", b"power=3"), R::NotJson);
        assert_eq!(reason("mimamori/d", br#"{"power_w":"warm"}"#), R::WrongType);
        assert_eq!(reason("mimamori/d/power_w", b"NaN"), R::NotFinite);
        assert_eq!(reason("mimamori/d/energy_wh", b"-5"), R::NegativeEnergy);
        assert_eq!(reason("mimamori/d/x_c", b"-1.7e308"), R::Implausible);
        assert_eq!(reason("mimamori/d/energy_kwh", b"1e14"), R::Implausible);
        let ahead = run("mimamori/d", br#"{"t":1700009999999,"x":1}"#);
        assert_eq!(ahead.refused[0].reason, R::ClockAhead);
        let row = &ahead.rows[0];
        assert!(
            !row.has_own_time,
            "what has just come was measured about now"
        );
        assert_eq!(
            reason("mimamori/d", br#"{"t":1000000000000,"x":1}"#),
            R::ClockFarPast
        );
        assert_eq!(reason("mimamori/d", br#"{"t":12,"x":1}"#), R::NoTime);
        assert_eq!(reason("mimamori/d", "{\"電力\":1}".as_bytes()), R::BadName);
        assert_eq!(reason("mimamori/d/a/b", b"1"), R::BadName);
        let many: Vec<String> = (0..70).map(|i| format!("\"p{i}\":1")).collect();
        let out = run("mimamori/d", format!("{{{}}}", many.join(",")).as_bytes());
        assert_eq!(out.rows.len(), 64);
        assert_eq!(out.refused[0].reason, R::TooManyPoints);
    }

    #[test]
    fn what_a_tier_shows_is_a_word_or_its_number() {
        let shown = |text: &str| {
            let out = run("mimamori/d/lamp_red", text.as_bytes());
            out.rows.first().map(|row| row.value.clone())
        };
        let number = |n| Some(RowValue::Number(n));
        assert_eq!(shown(r#"{"value":"blink"}"#), number(2.0));
        assert_eq!(shown(r#"{"value":"steady"}"#), number(1.0));
        assert_eq!(shown("0"), number(0.0));
        assert_eq!(shown("2"), number(2.0));
        let many = r#"{"lamp_red":"bright","lamp_green":3,"lamp_yellow":"off"}"#;
        let out = run("mimamori/d", many.as_bytes());
        assert_eq!((out.rows.len(), out.refused.len()), (1, 2));
        assert_eq!(out.refused[0].reason, RefusalReason::WrongType);
    }

    #[test]
    fn one_bad_member_does_not_take_the_good_ones_along() {
        let out = run("mimamori/d", br#"{"power_w":5,"energy_wh":-1}"#);
        assert_eq!((out.rows.len(), out.refused.len()), (1, 1));
        let out = run("mimamori/d", br#"{"power_w":5,"humidity":null,"wifi":{}}"#);
        assert_eq!((out.rows.len(), out.refused.len()), (1, 2));
        assert_eq!(out.refused[0].reason, RefusalReason::WrongType);
    }

    #[test]
    fn a_unit_beside_a_value_counts_and_one_that_cannot_be_refuses_it() {
        let value = |point: &str, text: &str| {
            let out = run(&format!("mimamori/d/{point}"), text.as_bytes());
            let row = out.rows.first().map(|row| row.value.clone());
            row.ok_or_else(|| out.refused[0].reason)
        };
        let kilowatts = r#"{"value":0.812,"unit":"kW"}"#;
        for point in ["power_w", "power_kw", "power"] {
            assert_eq!(
                value(point, kilowatts),
                Ok(RowValue::Number(812.0)),
                "{point}"
            );
        }
        let wrong = Err(RefusalReason::WrongUnit);
        assert_eq!(value("temperature_c", kilowatts), wrong);
        assert_eq!(value("power_w", r#"{"value":1,"unit":"PS"}"#), wrong);
        let parts = r#"{"value":7,"unit":"pcs"}"#;
        assert_eq!(value("made", parts), Ok(RowValue::Number(7.0)));
    }
}
