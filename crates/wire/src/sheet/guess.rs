//! What a column probably holds, from the words above it. A guess only fills in a form; a person
//! sees it before anything is taken.

use super::text::narrow;

/// What is measured: words in a heading, the point's stem, and its unit if the heading names none.
/// A heading is what its first match here says; longer words stand before what they contain.
const QUANTITIES: [(&[&str], &str, &str); 9] = [
    (
        &["力率", "power factor", "power_factor"],
        "power_factor",
        "",
    ),
    (&["電力量", "energy", "積算電力"], "energy", "kwh"),
    (&["電力", "power"], "power", "w"),
    (&["電流", "current"], "current", "a"),
    (&["電圧", "voltage"], "voltage", "v"),
    (&["温度", "temp"], "temperature", "c"),
    (&["湿度", "humid"], "humidity", "percent"),
    (&["振動", "vibration"], "vibration", "mm_s"),
    (&["圧力", "pressure"], "pressure", "bar"),
];
/// Headings of what has no unit.
const COUNTS: [(&[&str], &str); 5] = [
    (
        &[
            "生産数",
            "生産個数",
            "カウント",
            "ショット",
            "サイクル",
            "count",
            "cycle",
            "shot",
        ],
        "cycle",
    ),
    (&["品番", "品名", "製品", "product"], "product"),
    (&["赤", "red lamp"], "red"),
    (&["黄", "yellow", "amber"], "yellow"),
    (&["緑", "green"], "green"),
];
/// Units as headings write them, as points end with them, and what they are units of.
const UNITS: [(&str, &str, &str); 12] = [
    ("kwh", "kwh", "energy"),
    ("wh", "wh", "energy"),
    ("kw", "kw", "power"),
    ("w", "w", "power"),
    ("ma", "ma", "current"),
    ("a", "a", "current"),
    ("v", "v", "voltage"),
    ("℃", "c", "temperature"),
    ("°c", "c", "temperature"),
    ("%", "percent", "humidity"),
    ("mm/s", "mm_s", "vibration"),
    ("bar", "bar", "pressure"),
];

/// The point that a column probably is; `None` if its heading says nothing.
pub(super) fn point_of(heading: &str) -> Option<String> {
    let text = narrow(heading).to_lowercase();
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if text.contains('_') && text.chars().all(is_name) {
        return Some(text);
    }
    let unit = unit_of(&text);
    let is_in = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if let Some((_, stem, usual)) = QUANTITIES.iter().find(|(words, ..)| is_in(words)) {
        // A unit of something else says that the heading was not understood.
        let unit = match unit {
            Some((_, ending, of)) if of == stem => ending,
            Some(_) if !usual.is_empty() => return None,
            _ if text.contains("mpa") || text.contains("kpa") => return None,
            _ => usual,
        };
        let end = if unit.is_empty() { "" } else { "_" };
        return Some(format!("{stem}{end}{unit}"));
    }
    if let Some((_, point)) = COUNTS.iter().find(|(words, _)| is_in(words)) {
        return Some((*point).to_owned());
    }
    let (word, ending, stem) = unit?;
    (text == *word || text.contains('[') || text.contains('(')).then(|| format!("{stem}_{ending}"))
}

/// Whether a cell of a heading is a unit and nothing else.
pub(super) fn is_unit(cell: &str) -> bool {
    let text = narrow(cell).to_lowercase();
    let text = text.trim_matches(['[', ']', '(', ')']);
    let others = [
        "hz", "mpa", "kpa", "s", "min", "m/s2", "rpm", "l/min", "kvar", "kva", "pcs", "個",
    ];
    UNITS.iter().any(|(word, ..)| *word == text) || others.contains(&text)
}

/// The unit in brackets, or behind a space or line at the end.
fn unit_of(text: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let inside = text
        .split_once(['[', '('])
        .and_then(|(_, rest)| rest.split([']', ')']).next());
    let last = text.rsplit([' ', '_']).next();
    [inside, last]
        .into_iter()
        .flatten()
        .find_map(|found| UNITS.iter().find(|(word, ..)| *word == found.trim()))
}

/// The same point once more: the second column of power is that of another channel.
pub(super) fn numbered(point: &str, n: usize) -> String {
    let endings = UNITS.iter().map(|(_, ending, _)| *ending);
    let ending = endings
        .filter_map(|ending| Some((point.strip_suffix(ending)?.strip_suffix('_')?, ending)))
        .min_by_key(|(stem, _)| stem.len());
    match ending {
        Some((stem, ending)) => format!("{stem}_{n}_{ending}"),
        None => format!("{point}_{n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_in_both_languages_are_understood() {
        for (heading, point) in [
            ("電力(kW)", "power_kw"),
            ("電力", "power_w"),
            ("消費電力 [W]", "power_w"),
            ("有効電力量 kWh", "energy_kwh"),
            ("電力量", "energy_kwh"),
            ("電流 CH1 [A]", "current_a"),
            ("温度（℃）", "temperature_c"),
            ("Temperature [°C]", "temperature_c"),
            ("湿度", "humidity_percent"),
            ("力率", "power_factor"),
            ("ショット数", "cycle"),
            ("品番", "product"),
            ("赤", "red"),
            ("power_kw", "power_kw"),
            ("kW", "power_kw"),
            ("ＣＨ１［Ａ］", "current_a"),
        ] {
            assert_eq!(point_of(heading).as_deref(), Some(point), "{heading}");
        }
        for heading in ["備考", "CH1", "電力 [%]", "圧力 MPa", "", "No."] {
            assert_eq!(point_of(heading), None, "{heading}");
        }
    }

    #[test]
    fn a_second_channel_keeps_its_unit() {
        assert_eq!(numbered("power_kw", 2), "power_2_kw");
        assert_eq!(numbered("vibration_mm_s", 3), "vibration_3_mm_s");
        assert_eq!(numbered("cycle", 2), "cycle_2");
    }
}
