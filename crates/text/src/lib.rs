//! Texts in Japanese and English. Keys are constants made at build time; a missing one does not
//! compile.

pub mod guide;

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use model::{Time, Tongue};
use serde::{Deserialize, Serialize};

/// A key that exists in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(&'static str);

#[expect(missing_docs, reason = "a key is told by its text")]
pub mod key {
    //! A constant for every key, made at build time.

    use super::Key;
    include!(concat!(env!("OUT_DIR"), "/keys.rs"));
}

/// The language of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Japanese, the first language.
    #[default]
    Ja,
    /// English.
    En,
}

/// In which letters a text file for other programs is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8, with the mark by which spreadsheets know it.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// CP932 (Windows-31J), as older Japanese programs read it.
    #[serde(rename = "cp932")]
    Cp932,
}

type Bundle = FluentBundle<FluentResource>;

fn bundle(lang: Lang) -> &'static Bundle {
    static JA: OnceLock<Bundle> = OnceLock::new();
    static EN: OnceLock<Bundle> = OnceLock::new();
    match lang {
        Lang::Ja => JA.get_or_init(|| build("ja", include_str!("../i18n/ja.ftl"))),
        Lang::En => EN.get_or_init(|| build("en", include_str!("../i18n/en.ftl"))),
    }
}

/// The build script has parsed the same text, so what cannot be parsed here cannot exist.
fn build(code: &str, source: &str) -> Bundle {
    let language = code.parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![language]);
    bundle.set_use_isolating(false);
    let resource =
        FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
    bundle.add_resource_overriding(resource);
    bundle
}

impl Lang {
    /// The code used in addresses and in HTML.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ja => "ja",
            Self::En => "en",
        }
    }

    /// The language with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "ja" => Some(Self::Ja),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Ja => Self::En,
            Self::En => Self::Ja,
        }
    }

    /// The one of two texts that is in this language.
    pub fn pick<'a>(self, ja: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Ja => ja,
            Self::En => en,
        }
    }

    /// A text without variables.
    pub fn text(self, key: Key) -> String {
        self.format(key.0, None)
    }

    /// A text with variables.
    pub fn with(self, key: Key, variables: &[(&'static str, &str)]) -> String {
        self.format(key.0, Some(&args_of(variables)))
    }

    /// A text whose key is made of a prefix and a code, for example `state-` and `run`.
    pub fn coded(self, prefix: &str, code: &str) -> String {
        self.format(&format!("{prefix}{code}"), None)
    }

    /// A text whose key is made of a prefix and a code, if there is one.
    pub fn known(self, prefix: &str, code: &str) -> Option<String> {
        let key = format!("{prefix}{code}");
        bundle(self)
            .has_message(&key)
            .then(|| self.format(&key, None))
    }

    /// A text whose key is made of a prefix and a code; the code itself where that says enough.
    pub fn coded_or_code(self, prefix: &str, code: &str) -> String {
        self.known(prefix, code).unwrap_or_else(|| code.to_owned())
    }

    /// A text whose key is made of a prefix and a code, with variables.
    pub fn coded_with(
        self,
        prefix: &str,
        code: &str,
        variables: &[(&'static str, &str)],
    ) -> String {
        self.format(&format!("{prefix}{code}"), Some(&args_of(variables)))
    }

    /// An amount of money, with the digits people write.
    pub fn yen(self, yen: f64) -> String {
        let digits = if yen != 0.0 && yen.abs() < 10.0 {
            format!("{yen:.1}")
        } else {
            let sign = if yen <= -0.5 { "-" } else { "" };
            format!("{sign}{}", grouped(yen.abs().round() as u64))
        };
        self.with(key::RATES_YEN, &[("yen", &digits)])
    }

    /// How often something was.
    pub fn times(self, n: impl std::fmt::Display) -> String {
        self.with(key::RATES_TIMES, &[("n", &n.to_string())])
    }

    /// A length of time in seconds: as hours and minutes, minutes and seconds, or seconds.
    pub fn length(self, seconds: f64) -> String {
        let s = seconds.max(0.0).round() as u64;
        let two = |n: u64| format!("{n:02}");
        let (hours, minutes) = ((s / 3_600).to_string(), (s / 60).to_string());
        match s {
            3_600.. => self.with(
                key::LENGTH_H,
                &[("h", &hours), ("min", &two(s % 3_600 / 60))],
            ),
            60.. => self.with(key::LENGTH_MIN, &[("min", &minutes), ("s", &two(s % 60))]),
            _ => self.with(key::LENGTH_S, &[("s", &s.to_string())]),
        }
    }

    fn format(self, key: &str, args: Option<&FluentArgs<'_>>) -> String {
        let bundle = bundle(self);
        let pattern = bundle.get_message(key).and_then(|message| message.value());
        // A text that does not exist, or one whose variables are missing, is a mistake of ours:
        // tests end there, and a person is shown the key.
        debug_assert!(pattern.is_some(), "there is no text {key}");
        let Some(pattern) = pattern else {
            return key.to_owned();
        };
        let mut problems = Vec::new();
        let text = bundle.format_pattern(pattern, args, &mut problems);
        debug_assert!(problems.is_empty(), "{key}: {problems:?}");
        text.into_owned()
    }
}

impl From<Tongue> for Lang {
    fn from(tongue: Tongue) -> Self {
        match tongue {
            Tongue::Ja => Self::Ja,
            Tongue::En => Self::En,
        }
    }
}

/// A moment by the clocks of a zone.
pub fn zoned(t: Time, zone: &TimeZone) -> Zoned {
    let moment = Timestamp::from_millisecond(t.ms()).unwrap_or_default();
    moment.to_zoned(zone.clone())
}

/// Hours and minutes of a moment by the clocks of a zone.
pub fn clock(t: Time, zone: &TimeZone) -> String {
    zoned(t, zone).strftime("%H:%M").to_string()
}

/// Month and day of a moment in a zone.
pub fn month_day(t: Time, zone: &TimeZone) -> String {
    zoned(t, zone).strftime("%-m/%-d").to_string()
}

/// A moment in a zone with its whole day, as it is written on paper.
pub fn written(t: Time, zone: &TimeZone) -> String {
    zoned(t, zone).strftime("%Y-%m-%d %H:%M").to_string()
}

fn args_of<'a>(variables: &[(&'static str, &'a str)]) -> FluentArgs<'a> {
    let mut args = FluentArgs::new();
    for (name, value) in variables {
        args.set(*name, FluentValue::from(*value));
    }
    args
}

/// A number with the digits it deserves: three that matter, at most three decimals.
pub fn number(value: f64) -> String {
    // A sum of nothing may be a negative zero.
    let value = value + 0.0;
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Energy in the unit people read it in.
pub fn energy(wh: f64) -> String {
    if wh.abs() >= 1_000.0 {
        format!("{} kWh", number(wh / 1_000.0))
    } else {
        format!("{} Wh", number(wh))
    }
}

/// A large number, its digits in threes.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{
        AlarmKind, EventKind, FindingKind, MachineState, NoticeWrong, OffOutcome, Quantity,
        RefusalReason, Role, Trouble, WrongWhy,
    };

    #[test]
    fn a_length_is_said_in_the_units_people_use() {
        let said = |lang: Lang| [4.2, 248.0, 3_725.0].map(|s| lang.length(s));
        assert_eq!(said(Lang::Ja), ["4秒", "4分08秒", "1時間02分"]);
        assert_eq!(said(Lang::En), ["4 s", "4 min 08 s", "1 h 02 min"]);
        assert_eq!(Lang::Ja.length(-1.0), "0秒");
        assert_eq!(Lang::Ja.length(59.6), "1分00秒");
    }

    #[test]
    fn every_code_has_a_text_in_both_languages() {
        let mut wanted: Vec<String> = Vec::new();
        wanted.extend(
            MachineState::ALL
                .iter()
                .map(|s| format!("state-{}", s.code())),
        );
        wanted.extend(AlarmKind::ALL.iter().map(|k| format!("alarm-{}", k.code())));
        wanted.extend(AlarmKind::ALL.iter().map(|k| format!("look-{}", k.code())));
        wanted.extend(
            FindingKind::ALL
                .iter()
                .map(|k| format!("finding-{}", k.code())),
        );
        wanted.extend(
            Quantity::ALL
                .iter()
                .map(|q| format!("quantity-{}", q.code())),
        );
        wanted.extend(Quantity::ALL.iter().map(|q| format!("else-{}", q.code())));
        wanted.extend(
            RefusalReason::ALL
                .iter()
                .flat_map(|r| ["reason", "step"].map(|of| format!("{of}-{}", r.code()))),
        );
        wanted.extend(Role::ALL.iter().map(|r| format!("role-{}", r.code())));
        wanted.extend(Role::ALL.iter().map(|r| format!("role-may-{}", r.code())));
        wanted.extend(
            EventKind::ALL
                .iter()
                .map(|k| format!("event-{}", k.code().replace('.', "-"))),
        );
        wanted.extend(Trouble::ALL.iter().map(|t| format!("trouble-{}", t.code())));
        wanted.extend(
            NoticeWrong::ALL
                .iter()
                .map(|w| format!("notice-wrong-{}", w.code())),
        );
        wanted.extend(
            OffOutcome::ALL
                .iter()
                .map(|o| format!("outcome-{}", o.code())),
        );
        wanted.extend(WrongWhy::ALL.iter().map(|w| format!("wrong-{}", w.code())));
        for key in wanted {
            assert!(key::ALL.contains(&key.as_str()), "{key} has no text");
        }
    }

    #[test]
    fn large_numbers_are_grouped_and_small_ones_have_three_digits() {
        assert_eq!(
            [grouped(0), grouped(999), grouped(1_234_567)],
            ["0", "999", "1,234,567"]
        );
        assert_eq!([energy(12_340.0), energy(45.2)], ["12.3 kWh", "45.2 Wh"]);
        assert_eq!(
            Lang::En.yen(-1_234.0),
            Lang::En.yen(1_234.0).replace("1,", "-1,")
        );
        assert_eq!(Lang::Ja.yen(0.0), "0 円");
    }

    #[test]
    fn variables_stand_where_they_belong() {
        let text = Lang::En.with(key::TILE_LEARNING, &[("have", "3"), ("want", "10")]);
        assert_eq!(text, "learning 3/10");
        assert_eq!(Lang::Ja.coded("state-", "run"), "運転");
    }
}
