//! The demonstration for an owner: a workshop with two weeks behind it, in which people work while
//! somebody looks, whatever the hour.

use std::fmt::Write as _;

use anyhow::Context;
use app::factory_clock;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};
use kpi::{Calendar, Schedule, WrittenSchedule};
use model::{Span, Time};
use text::{Lang, zoned};

use super::{DemoStage, claim, first_page};
use crate::terminal::{self, say};

/// Parts that wear: of which machine, what they are called, what they wear by, and after how much
/// they are replaced.
const PARTS: [(&str, &str, &str, u32); 4] = [
    ("saw-1", "のこ刃", "cycles", 6_600),
    ("press-1", "金型の研磨", "cycles", 25_000),
    ("grinder-1", "砥石", "hours", 70),
    ("mill-1", "切削油フィルター", "kwh", 400),
];
/// Days that lie in the past.
const DAYS: i64 = 14;
/// The zone where the computer's own is UTC: nobody set it.
const ZONE_USUAL: &str = "Asia/Tokyo";
/// When people usually begin.
const BEGINS_USUAL: i8 = 8;
/// People have worked for at least so many hours when somebody looks.
const HOURS_BEFORE: i8 = 6;

/// When the people of the workshop work.
pub(super) struct Shop {
    calendar: Calendar,
    /// The hour in which they begin.
    begins: i8,
    today: Date,
}

/// The devices of the workshop, each of the name of its machine.
pub(super) fn devices() -> impl Iterator<Item = &'static str> {
    sim::shop::WORKPLACES.iter().map(|place| place.name.id)
}

impl Shop {
    /// A workshop in which people work at this moment.
    pub(super) fn around(now: Time) -> Self {
        let own = TimeZone::system();
        let usual = || TimeZone::get(ZONE_USUAL).ok();
        let usual = factory_clock::is_unset(&own).then(usual).flatten();
        let zone = usual.unwrap_or(own);
        let local: Zoned = zoned(now, &zone);
        let hour = local.hour();
        let is_at_work = matches!(hour, 10 | 11 | 13..=16);
        // Else they begin so that they are at it now.
        let begins = if is_at_work {
            BEGINS_USUAL
        } else {
            (hour - HOURS_BEFORE).rem_euclid(24)
        };
        let starts = jiff::civil::Time::new(begins, 0, 0, 0).unwrap_or_default();
        let calendar = Calendar { zone, starts };
        let today = calendar.business_day(now).unwrap_or(local.date());
        Self {
            calendar,
            begins,
            today,
        }
    }

    /// The hours of a working day: four, a break, four.
    fn hours(&self) -> [String; 2] {
        let hour = |after: i8| (self.begins + after).rem_euclid(24);
        let stretch = |from: i8, to: i8| format!("{:02}:00-{:02}:00", hour(from), hour(to));
        [stretch(0, 4), stretch(5, 9)]
    }

    /// The weekends of the past; today people work, whatever day it is.
    fn closed(&self) -> Vec<Date> {
        let past = (1..=DAYS).filter_map(|n| self.today.checked_sub(n.days()).ok());
        let is_free = |day: &Date| matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        past.filter(is_free).collect()
    }

    fn schedule(&self) -> anyhow::Result<Schedule> {
        let hours = self.hours();
        let closed: Vec<String> = self.closed().iter().map(Date::to_string).collect();
        let schedule = Schedule::try_from(WrittenSchedule {
            days: Schedule::weekdays().map(str::to_owned).collect(),
            hours: hours.to_vec(),
            closed,
            other_days: Vec::new(),
            special: Vec::new(),
        });
        schedule.context("the workshop has no hours")
    }

    /// When people worked, and will today.
    fn shifts(&self) -> anyhow::Result<Vec<Span>> {
        let day = |ago: i64| {
            let date = self.today.checked_sub(ago.days()).ok()?;
            self.calendar.day_of(date)
        };
        let from = day(DAYS).context("no calendar goes back so far")?;
        let to = self.calendar.day_end(day(0).context("today is no day")?);
        let schedule = self.schedule()?;
        let hours_on = |date| schedule.hours_on(date);
        Ok(self.calendar.spans(Span::new(from, to), hours_on))
    }

    /// What the factory says of itself.
    pub(super) fn config(&self) -> String {
        let [first, second] = self.hours();
        let closed: Vec<String> = self
            .closed()
            .iter()
            .map(|day| format!("\"{day}\""))
            .collect();
        let days: Vec<String> = Schedule::weekdays()
            .map(|day| format!("\"{day}\""))
            .collect();
        let mut text = format!(
            "[factory]\nname = \"みまもり製作所(見本)\"\nzone = {:?}\nday_starts = \"{:02}:00\"\n\
             learn_cycles = 30\nyen_per_kwh = 27.5\nyen_per_hour = 6000\nsetup_target_s = 900\n\
             [factory.schedule]\ndays = [{}]\nhours = [\"{first}\", \"{second}\"]\n\
             closed = [{}]\n[demand]\ncontract_kw = 10\n",
            self.calendar.zone.iana_name().unwrap_or(ZONE_USUAL),
            self.begins,
            days.join(", "),
            closed.join(", "),
        );
        let places = sim::shop::WORKPLACES;
        let line: Vec<String> = places.iter().map(|p| format!("{:?}", p.name.id)).collect();
        let line = line
            .get(..sim::shop::LINE_LENGTH)
            .unwrap_or_default()
            .join(", ");
        writeln!(text, "[[line]]\nname = \"ブラケット\"\nmachines = [{line}]").ok();
        for (machine, name, measure, limit) in PARTS {
            writeln!(
                text,
                "[[part]]\nmachine = {machine:?}\nname = {name:?}\nmeasure = {measure:?}\n\
                 limit = {limit}"
            )
            .ok();
        }
        for place in places {
            let (id, ja, en) = (place.name.id, place.name.ja, place.name.en);
            writeln!(
                text,
                "[[machine]]\nid = {id:?}\nname_ja = {ja:?}\nname_en = {en:?}"
            )
            .ok();
            if let Some(parts) = place.parts_per_day {
                let s = place.s_per_part;
                writeln!(text, "parts_per_day = {parts}\ns_per_part = {s:.1}").ok();
            }
        }
        text
    }

    /// Shows it until a person ends it.
    pub(super) async fn run(
        &self,
        stage: &DemoStage,
        seed: u64,
        lang: Lang,
        until_stdin_closes: bool,
    ) -> anyhow::Result<bool> {
        std::fs::write(stage.time_source(), sim::RUNNING)?;
        let mut product = stage.start_product()?;
        // Waiting for a child closes its standard input, which here means "stop": hold it apart.
        let product_runs = product.stdin.take();
        first_page(stage.http).await?;
        let owner = claim(stage).await?;
        let tokens = serde_json::from_str(&std::fs::read_to_string(stage.tokens_file())?)?;
        let shifts = self.shifts()?;
        let options = sim::shop::ShopOptions {
            seed,
            api: stage.api(),
            tokens,
            told: stage.data.join("demo-past-told"),
            shifts: shifts
                .iter()
                .map(|span| (span.from.ms(), span.to.ms()))
                .collect(),
        };
        let page = lang.pick("ページ", "Page");
        say(&format!("{page}: http://{}/", stage.http));
        owner.tell(stage, lang).await?;
        say(lang.pick("止めるには Ctrl+C", "Press Ctrl+C to stop"));
        let made = lang.pick(
            "二週間分の記録を作っています",
            "making two weeks of records",
        );
        let told = std::cell::Cell::new(0);
        let progress = |share: f64| {
            let tenth = (share * 10.0) as u32;
            if tenth > told.replace(tenth) {
                say(&format!("{made} {} %", tenth * 10));
            }
        };
        let ended = tokio::select! {
            told = sim::shop::run(options, progress) => told.map(|()| true),
            ended = terminal::wait_for_end(until_stdin_closes) => ended.map(|()| true),
            status = product.wait() => {
                status.map(|_| false).context("the product ended by itself; see mimamori.log")
            }
        };
        drop(product_runs);
        product.wait().await.ok();
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn people_are_at_work_whenever_somebody_looks() {
        let hour_ms = 3_600_000;
        let base = 1_790_000_000_000_i64;
        for hour in 0..24 * 7 {
            let now = Time::from_ms(base + hour * hour_ms);
            let shop = Shop::around(now);
            let shifts = shop.shifts().unwrap();
            let is_at_work = |span: &Span| span.from <= now && now < span.to;
            let today = shifts.iter().find(|span| is_at_work(span));
            assert!(today.is_some(), "{now}");
            assert!(shifts.len() >= 2 * 9, "{now}: {}", shifts.len());
            let config = Config::parse(&shop.config()).unwrap();
            assert_eq!(config.factory.plans.len(), sim::shop::WORKPLACES.len() - 1);
        }
    }
}
