//! What energy costs by the time of day, as people type it.

use kpi::TariffHours;
use maud::{Markup, html};
use text::{Key, key};

use super::super::super::{Ctx, typed};
use super::hours::{read_hours, written_hours};
use super::{WrongField, number};

/// Prices that can be added at once.
const SPARE: usize = 1;
/// Days that are offered; others come from the file or a script, and stay.
const DAYS: [(&str, Key); 3] = [
    ("", key::RATES_EVERY_DAY),
    ("mon tue wed thu fri", key::RATES_MON_TO_FRI),
    ("sat sun", key::RATES_SAT_AND_SUN),
];

/// A row of the form.
#[derive(Debug, Default)]
struct TypedPrice {
    days: String,
    hours: String,
    yen_per_kwh: String,
}

/// What stands in the form.
#[derive(Debug, Default)]
pub(super) struct TypedTariff(Vec<TypedPrice>);

impl TypedTariff {
    /// What holds now.
    pub(super) fn of(tariff: &[TariffHours]) -> Self {
        let rows = tariff.iter().map(|other| TypedPrice {
            days: other.days.join(" "),
            hours: written_hours(&other.hours),
            yen_per_kwh: other.yen_per_kwh.to_string(),
        });
        Self(rows.collect())
    }

    /// Takes a field of a form, if it is one of these; hours and price follow their days.
    pub(super) fn take(&mut self, name: &str, value: &str) -> bool {
        if name == "tariff_days" {
            self.0.push(TypedPrice {
                days: value.to_owned(),
                ..TypedPrice::default()
            });
            return true;
        }
        let row = self.0.last_mut();
        match (name, row) {
            ("tariff_hours", Some(row)) => value.clone_into(&mut row.hours),
            ("tariff_yen", Some(row)) => value.clone_into(&mut row.yen_per_kwh),
            _ => return false,
        }
        true
    }

    /// What it says; a row without hours and price says nothing.
    pub(super) fn read(&self) -> Result<Vec<TariffHours>, WrongField> {
        let said = self.0.iter().filter(|row| {
            let texts = [&row.hours, &row.yen_per_kwh];
            texts.iter().any(|text| !text.trim().is_empty())
        });
        let read = |row: &TypedPrice| {
            let price = number(&row.yen_per_kwh, typed::YEN_PER_KWH)?;
            Ok(TariffHours {
                days: row.days.split_whitespace().map(str::to_owned).collect(),
                hours: read_hours(&row.hours).map_err(WrongField::Schedule)?,
                yen_per_kwh: price.ok_or_else(|| WrongField::Number(String::new()))?,
            })
        };
        said.map(read).collect()
    }

    /// What a person fills in: a row for each price.
    pub(super) fn fields(&self, ctx: &Ctx) -> Markup {
        let spare: Vec<TypedPrice> = (0..SPARE).map(|_| TypedPrice::default()).collect();
        html! {
            p.quiet.small { (ctx.text(key::RATES_TARIFF)) }
            @for row in self.0.iter().chain(&spare) {
                @let is_offered = DAYS.iter().any(|(days, _)| *days == row.days);
                div.tariff-row {
                    select name="tariff_days" aria-label=(ctx.text(key::RATES_WEEKDAY)) {
                        @for (days, words) in DAYS {
                            option value=(days) selected[days == row.days] { (ctx.text(words)) }
                        }
                        @if !is_offered {
                            option value=(row.days) selected { (named(ctx, &row.days)) }
                        }
                    }
                    input name="tariff_hours" value=(row.hours) placeholder="22:00-08:00"
                        autocomplete="off" aria-label=(ctx.text(key::RATES_HOURS_THEN));
                    input name="tariff_yen" value=(row.yen_per_kwh) inputmode="decimal"
                        autocomplete="off" aria-label=(ctx.text(key::RATES_YEN_PER_KWH))
                        placeholder=(ctx.text(key::RATES_YEN_PER_KWH));
                }
            }
        }
    }
}

fn named(ctx: &Ctx, days: &str) -> String {
    let days = days.split_whitespace();
    let named: Vec<String> = days.map(|day| ctx.lang.coded("weekday-", day)).collect();
    named.join("・")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tariff_comes_back_as_it_was_typed() {
        let mut typed = TypedTariff::default();
        for (name, value) in [
            ("tariff_days", "sat sun"),
            ("tariff_hours", "0:00〜24:00"),
            ("tariff_yen", "１８.5"),
            ("tariff_days", ""),
            ("tariff_hours", ""),
            ("tariff_yen", ""),
        ] {
            assert!(typed.take(name, value));
        }
        let read = typed.read().unwrap();
        assert_eq!((read.len(), read[0].yen_per_kwh), (1, 18.5));
        assert_eq!(read[0].days, ["sat", "sun"]);
        assert_eq!(TypedTariff::of(&read).read().unwrap(), read);
        typed.take("tariff_hours", "22:00-08:00");
        assert!(
            matches!(typed.read(), Err(WrongField::Number(_))),
            "no price"
        );
    }
}
