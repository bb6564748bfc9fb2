//! Where time and energy went, asked of a running program that was given a day it kept the truth
//! of.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::house::{House, until};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Minutes ago, as milliseconds since 1970.
fn minutes_ago(minutes: f64) -> i64 {
    let now = jiff::Timestamp::now().as_millisecond();
    now - (minutes * 60_000.0) as i64
}

/// A program whose business day began some hours ago, whenever the test runs.
fn house() -> House {
    let start = jiff::Timestamp::now() - jiff::Span::new().hours(3);
    let clock = start.strftime("%H:%M");
    House::with_config(&format!(
        "[factory]\nzone = \"UTC\"\nday_starts = \"{clock}\"\n"
    ))
}

/// Sends a machine's last two hours: cycles of 20 s at 1,000 W of which it waits 5 s at 100 W, and
/// from 80 to 50 minutes ago half an hour of nothing at 100 W. A row every second.
fn two_hours(house: &House, machine: &str, work_s: i64) {
    let token = house.device(machine, &[]);
    let from = minutes_ago(120.0);
    let mut rows = vec!["t,power_w,cycle".to_owned()];
    let mut count = 0;
    for s in 0..7_195_i64 {
        let rests = (2_400..4_200).contains(&s);
        let works = !rests && s % 20 < work_s;
        count += i64::from(!rests && s % 20 == 0);
        // The readings tremble, as real ones do.
        let watts = if works { 1_000 + s % 7 } else { 100 + s % 3 };
        rows.push(format!("{},{watts},{count}", from + s * 1_000));
    }
    for part in rows[1..].chunks(2_000) {
        let body = format!("{}\n{}", rows[0], part.join("\n"));
        let (status, said) = house.ingest(machine, &token, "text/csv", &body);
        assert_eq!(status, 200, "{said}");
    }
    until_shown(house, machine);
}

/// Waits until a machine is on the board.
fn until_shown(house: &House, machine: &str) {
    let is_shown = || {
        let all = house.get("machines");
        all["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|m| m["id"] == machine)
    };
    until("the machine is shown", is_shown);
}

fn of<'a>(rates: &'a Value, machine: &str) -> &'a Value {
    let items = rates["items"].as_array().unwrap();
    items
        .iter()
        .find(|item| item["machine"] == machine)
        .unwrap()
}

fn about(value: &Value, wanted: f64, share: f64) {
    let found = value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"));
    assert!(
        (found / wanted - 1.0).abs() <= share,
        "{found} for {wanted}"
    );
}

#[test]
fn a_day_comes_to_the_hours_parts_and_watt_hours_that_were_sent() {
    let house = house();
    two_hours(&house, "m1", 15);
    let rates = house.get("rates");
    let day = of(&rates, "m1");
    let states = &day["states"];
    // While the machine is learned it is not yet known that a pause belongs to every cycle.
    let (learned, rest_s) = (30.0, 1_800.0 + 30.0 * 5.0);
    about(&states["idle_s"], rest_s, 0.02);
    about(&states["run_s"], 7_195.0 - rest_s, 0.02);
    about(
        &day["operating_rate_observed"],
        1.0 - rest_s / 7_195.0,
        0.01,
    );
    about(&day["cycles"], 269.0, 0.01);
    about(&day["cycle_time"]["median_s"], 20.0, 0.01);
    // Five seconds of every later cycle are waits that the state calls running; the readings, a
    // second apart, show about four and a half of them.
    about(&day["cycle_wait_s"], (269.0 - learned) * 4.5, 0.15);
    let work_wh = 270.0 * 15.0 * 1_003.0 / 3_600.0;
    let rest_wh = (270.0 * 5.0 + 1_800.0) * 101.0 / 3_600.0;
    about(&day["energy_wh"], work_wh + rest_wh, 0.02);
    about(&day["standby_wh"], rest_s * 101.0 / 3_600.0, 0.03);
    assert!(day["energy_yen"].is_null() && day["operating_rate_planned"].is_null());
    let page = house
        .send("GET", "/rates", &[("Accept-Language", "ja")], "")
        .1;
    assert!(
        page.contains("時間稼働率") && page.contains("待機電力量"),
        "{page}"
    );
    let (status, _) = house.send("GET", "/rates?day=2020-02-30&by=planned", &[], "");
    assert_eq!(status, 200, "a day that is none is today");
    assert_eq!(
        house.send("GET", "/api/v1/rates?day=yesterday", &[], "").0,
        400
    );
}

#[test]
fn what_was_seen_before_a_restart_stays_seen() {
    let mut house = house();
    let token = house.device("m1", &[]);
    let from = minutes_ago(60.0);
    let mut body = "t,power_w".to_owned();
    // An hour at one power: the state changes once, at its beginning.
    for s in 0..3_600_i64 {
        write!(body, "\n{},{}", from + s * 1_000, 1_000 + s % 7).unwrap();
    }
    let (status, said) = house.ingest("m1", &token, "text/csv", &body);
    assert_eq!(status, 200, "{said}");
    until_shown(&house, "m1");
    let seen = |house: &House| {
        let states = of(&house.get("rates"), "m1")["states"].clone();
        let hours = ["run_s", "idle_s", "off_s"].map(|key| states[key].as_f64().unwrap());
        hours.iter().sum::<f64>()
    };
    let on_board = |house: &House| {
        let day = house.get("machines/m1")["day"].clone();
        day["observed_s"].as_f64().unwrap()
    };
    assert!(seen(&house) >= 3_590.0, "{}", seen(&house));
    assert_eq!(house.terminate(), Some(0));
    house.start();
    until_shown(&house, "m1");
    house.kill_and_restart();
    until_shown(&house, "m1");
    until("the table and the board say the same", || {
        (seen(&house) - on_board(&house)).abs() < 1.0
    });
    let board = on_board(&house);
    assert!((3_590.0..3_700.0).contains(&board), "{board}");
}

#[test]
fn what_people_say_of_the_factory_is_counted_with_and_survives_a_power_cut() {
    let mut house = house();
    two_hours(&house, "m1", 15);
    two_hours(&house, "m2", 18);
    let factory = json!({
        "schedule": {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
            "hours": ["00:00-12:00", "12:00-00:00"], "closed": []},
        "yen_per_kwh": 30.0, "yen_per_hour": 6000.0,
        "lines": [{"name": "Line 1", "machines": ["m1", "m2"]}],
        "parts_per_cycle": {"m1": 4.0},
    });
    let put = |house: &House, body: &str| house.send("PUT", "/api/v1/factory", &[JSON], body).0;
    assert_eq!(put(&house, &factory.to_string()), 204);
    house.kill_and_restart();
    until_shown(&house, "m2");
    let kept = house.get("factory");
    for (member, said) in factory.as_object().unwrap() {
        assert_eq!(kept[member], *said, "{member}");
    }
    let rates = house.get("rates");
    let one = of(&rates, "m1");
    about(&one["parts"], 4.0 * one["cycles"].as_f64().unwrap(), 1e-9);
    let kwh = one["energy_wh"].as_f64().unwrap() / 1_000.0;
    about(&one["energy_yen"], 30.0 * kwh, 1e-9);
    // Every hour is planned; those before the first reading are nobody's.
    about(&one["operating_rate_planned"], 5_395.0 / 7_200.0, 0.05);
    let line = &rates["lines"][0];
    assert_eq!(line["bottleneck"], "m2", "{line}");
    about(&line["machines"][1]["s_per_part"], 18.5, 0.05);
    let kinds = house.get("evidence");
    let kinds = kinds["items"].as_array().unwrap();
    assert!(kinds.iter().any(|entry| entry["kind"] == "order.factory"));
    for wrong in [
        json!({"yen_per_kwh": -1}),
        json!({"parts_per_cycle": {"m1": 0}}),
    ] {
        assert_eq!(put(&house, &wrong.to_string()), 422, "{wrong}");
    }
    assert_eq!(
        put(
            &house,
            "{\"schedule\": {\"days\": [\"mon\"], \"hours\": [\"8\"]}}"
        ),
        400
    );
    assert_eq!(house.get("factory"), kept, "what is wrong changes nothing");
}

/// A moment by the factory's wall clock.
fn wall(format: &str, moment: &str) -> String {
    let mut date = std::process::Command::new("date");
    date.env("TZ", "UTC").args([format, "-d", moment]);
    let said = String::from_utf8(date.output().unwrap().stdout).unwrap();
    said.trim().to_owned()
}

#[test]
fn a_machine_with_hours_of_its_own_and_a_price_by_the_hour_are_counted_with() {
    let house = house();
    two_hours(&house, "m1", 15);
    two_hours(&house, "m2", 15);
    let dates = (-3..=3).map(|days: i64| wall("+%F", &format!("{days} days")));
    // The machines rested from 80 to 50 minutes ago, in the dear hours.
    let [rest, again] = [80, 50].map(|ago| wall("+%H:%M", &format!("{ago} minutes ago")));
    let factory = json!({
        "schedule": {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
            "hours": ["00:00-00:00"], "closed": dates.collect::<Vec<_>>(),
            "other_days": [{"days": ["sat"], "hours": ["08:00-12:00"]}]},
        "machine_hours": {"m2": {"hours": ["00:00-24:00"], "is_every_day": true}},
        "yen_per_kwh": 30.0,
        "tariff": [{"hours": [format!("{rest}-{again}")], "yen_per_kwh": 40.0},
            {"hours": [format!("{again}-{rest}")], "yen_per_kwh": 12.0}],
    });
    let put = |body: &Value| {
        house
            .send("PUT", "/api/v1/factory", &[JSON], &body.to_string())
            .0
    };
    assert_eq!(put(&factory), 204);
    let rates = house.get("rates");
    let (one, two) = (of(&rates, "m1"), of(&rates, "m2"));
    assert!(one["operating_rate_planned"].is_null(), "closed: {one}");
    about(&two["operating_rate_planned"], 5_395.0 / 7_200.0, 0.05);
    for machine in [one, two] {
        let kwh = |of: &str| machine[of].as_f64().unwrap() / 1_000.0;
        let (all, rested) = (kwh("energy_wh"), kwh("standby_wh"));
        about(&machine["standby_yen"], 40.0 * rested, 0.2);
        about(
            &machine["energy_yen"],
            12.0 * (all - rested) + 40.0 * rested,
            0.05,
        );
    }
    let wrong = json!({"tariff": [{"hours": ["22:00-08:00"], "yen_per_kwh": -1}]});
    assert_eq!(put(&wrong), 422);
    let wrong = json!({"machine_hours": {"m2": {"hours": []}}});
    assert_eq!(put(&wrong), 400);
}

#[test]
fn a_form_that_is_wrong_says_so_and_keeps_what_was_typed() {
    let house = house();
    house.device("m1", &[]);
    until_shown(&house, "m1");
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let body = "day=mon&hours=8-17&yen_per_kwh=27.5&line=&step=";
    let (status, page) = house.send("POST", "/rates", &[form, ("Accept-Language", "en")], body);
    assert_eq!(status, 200);
    assert!(page.contains("cannot be read as hours"), "{page}");
    assert!(page.contains("value=\"8-17\"") && page.contains("value=\"27.5\""));
    assert!(
        house.get("factory")["yen_per_kwh"].is_null(),
        "nothing is half applied"
    );
    let right = body.replace("8-17", "08:00-17:00");
    assert_eq!(house.send("POST", "/rates", &[form], &right).0, 303);
    assert_eq!(house.get("factory")["yen_per_kwh"], 27.5);
}

#[test]
fn alarms_that_chance_may_raise_are_set_like_the_tolerance() {
    let house = house();
    house.device("m1", &[]);
    until_shown(&house, "m1");
    let put = |body: &str| {
        house
            .send("PUT", "/api/v1/machines/m1/tolerance", &[JSON], body)
            .0
    };
    assert_eq!(
        put("{\"time\":0.2,\"energy\":0.2,\"alarms_per_month\":3}"),
        204
    );
    assert_eq!(
        put("{\"time\":0.2,\"energy\":0.2,\"alarms_per_month\":99}"),
        422
    );
    assert_eq!(put("{\"time\":0.1,\"energy\":0.2}"), 204);
    let machine = house.get("machines/m1");
    assert_eq!(machine["alarms_per_month"], 3.0);
    assert_eq!(machine["tolerance"]["time"], 0.1);
}

/// Sends cycles of ten seconds, eight at `watts` and two at a tenth of it, between so many seconds
/// ago.
fn ten_second_cycles(house: &House, (machine, token): (&str, &str), watts: i64, ago: (i64, i64)) {
    let now = minutes_ago(0.0);
    let row = |s: i64| {
        let power = if s.rem_euclid(10) < 8 {
            watts
        } else {
            watts / 10
        };
        let (t, power, count) = (now + s * 1_000, power + s.rem_euclid(7), s.div_euclid(10));
        format!("{t},{power},{}", count + 10_000)
    };
    let rows: Vec<String> = (-ago.0..-ago.1).map(row).collect();
    let body = format!("t,power_w,cycle\n{}", rows.join("\n"));
    let (status, said) = house.ingest(machine, token, "text/csv", &body);
    assert_eq!(status, 200, "{said}");
}

#[test]
fn sensors_swapped_between_two_machines_are_named_on_both() {
    let house = House::new();
    let tokens = ["small", "large"].map(|machine| house.device(machine, &[]));
    let [small, large] = [("small", tokens[0].as_str()), ("large", tokens[1].as_str())];
    ten_second_cycles(&house, small, 1_000, (1_200, 200));
    ten_second_cycles(&house, large, 3_000, (1_200, 200));
    ten_second_cycles(&house, small, 3_000, (200, 2));
    ten_second_cycles(&house, large, 1_000, (200, 2));
    for machine in ["small", "large"] {
        until_shown(&house, machine);
        let findings = house.get(&format!("findings?machine={machine}"));
        let kinds = findings["items"].as_array().unwrap();
        let swapped = kinds.iter().filter(|f| f["kind"] == "data_swapped");
        assert_eq!(swapped.count(), 1, "{machine}: {findings}");
    }
    let open = house.get("alarms?open=true");
    assert_eq!(
        open["items"],
        json!([]),
        "what the swap had alarmed is over"
    );
}

/// Half an hour of readings a second, a minute at work and a minute at rest by turns; `odd` is put
/// in the middle.
fn half_an_hour(house: &House, machine: &str, odd: Option<f64>) {
    let token = house.device(machine, &[]);
    let from = minutes_ago(60.0);
    let mut body = "t,power_w".to_owned();
    for s in 0..1_800_i64 {
        let usual = if s % 120 < 60 {
            2_000 + s % 7
        } else {
            300 + s % 5
        };
        let watts = odd.filter(|_| s == 900).unwrap_or(usual as f64);
        write!(body, "\n{},{watts}", from + s * 1_000).unwrap();
    }
    let (status, said) = house.ingest(machine, &token, "text/csv", &body);
    assert_eq!(status, 200, "{said}");
    until_shown(house, machine);
}

#[test]
fn one_impossible_reading_changes_no_figure_and_is_told_once() {
    let house = house();
    half_an_hour(&house, "usual", None);
    let odd = [("m65534", 65_534.0), ("m4294967295", 4_294_967_295.0)];
    for (machine, odd) in odd {
        half_an_hour(&house, machine, Some(odd));
    }
    let rates = house.get("rates");
    let usual = of(&rates, "usual");
    let found = |machine: &str| house.get(&format!("findings?machine={machine}"));
    assert_eq!(found("usual")["items"], json!([]));
    for (machine, odd) in odd {
        let day = of(&rates, machine);
        about(
            &day["energy_wh"],
            usual["energy_wh"].as_f64().unwrap(),
            0.001,
        );
        let rate = usual["operating_rate_observed"].as_f64().unwrap();
        about(&day["operating_rate_observed"], rate, 0.005);
        let findings = found(machine);
        let items = findings["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{findings}");
        assert_eq!(items[0]["kind"], "data_impossible");
        // It is kept as it came, and shown with what is thought of it.
        let rows = house.get_all(&format!(
            "machines/{machine}/readings?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"
        ));
        let kept: Vec<&Value> = rows
            .iter()
            .filter(|row| row["quality"] == "doubted")
            .collect();
        assert_eq!((rows.len(), kept.len()), (1_800, 1));
        assert_eq!(kept[0]["value"], odd);
        let refused = house.get("refused");
        let is_told = |row: &&Value| row["source"] == machine && row["reason"] == "outlier";
        let told = refused["items"].as_array().unwrap();
        assert_eq!(told.iter().filter(is_told).count(), 1, "{refused}");
    }
}

#[test]
fn what_is_drawn_and_what_is_fed_back_are_two_sums() {
    let house = house();
    let token = house.device("press", &[]);
    let from = minutes_ago(120.0);
    let mut body = "t,power_w".to_owned();
    for s in 0..3_601_i64 {
        let watts = if s % 20 < 10 { 500 } else { -500 };
        write!(body, "\n{},{watts}", from + s * 1_000).unwrap();
    }
    let (status, said) = house.ingest("press", &token, "text/csv", &body);
    assert_eq!(status, 200, "{said}");
    until_shown(&house, "press");
    let rates = house.get("rates");
    let day = of(&rates, "press");
    // Nine seconds of ten either way, and a second in which the line crosses zero.
    let each_wh = 500.0 * (9.0 + 0.25 * 2.0) * 180.0 / 3_600.0;
    about(&day["energy_wh"], each_wh, 0.01);
    about(&day["fed_in_wh"], each_wh, 0.01);
    let sums = house.get("machines/press/sums");
    let point = &sums["items"][0];
    about(&point["energy_wh"], each_wh, 0.01);
    about(&point["fed_in_wh"], each_wh, 0.01);
    let page = house
        .send("GET", "/rates", &[("Accept-Language", "ja")], "")
        .1;
    assert!(page.contains("送り返した電力量"), "{page}");
}

/// Watt-hours of a machine today, by its account.
fn energy_of(house: &House, machine: &str) -> f64 {
    let rates = house.get("rates");
    of(&rates, machine)["energy_wh"].as_f64().unwrap_or(0.0)
}

/// Watt-hours of a machine today, by the sums of its points.
fn summed_of(house: &House, machine: &str) -> f64 {
    let sums = house.get(&format!("machines/{machine}/sums"));
    let items = sums["items"].as_array().unwrap();
    items
        .iter()
        .filter_map(|sum| sum["energy_wh"].as_f64())
        .sum()
}

/// Readings of a machine's powers today.
fn summed_count(house: &House, machine: &str) -> u64 {
    let sums = house.get(&format!("machines/{machine}/sums?point=power_w"));
    let items = sums["items"].as_array().unwrap();
    items.iter().filter_map(|sum| sum["n"].as_u64()).sum()
}

/// Sends a steady power, a reading a minute, between two moments in minutes ago.
fn steady(house: &House, (device, token): (&str, &str), watts: i64, ago: (i64, i64)) {
    let mut body = "t,power_w\n".to_owned();
    for minute in (ago.1..=ago.0).rev() {
        writeln!(body, "{},{watts}", minutes_ago(minute as f64)).unwrap();
    }
    let (status, said) = house.ingest(device, token, "text/csv", &body);
    assert_eq!(status, 200, "{said}");
}

#[test]
fn a_machines_past_stays_its_own_when_its_sensor_ends_or_goes_to_another_machine() {
    let mut house = house();
    two_hours(&house, "m1", 15);
    let past = energy_of(&house, "m1");
    assert!(past > 1_000.0, "{past}");
    let readings = |house: &House| house.get("machines/m1/readings?limit=5")["items"].clone();
    let said = readings(&house);
    assert!(said.as_array().unwrap().len() >= 5);
    let data = house.data.to_str().unwrap().to_owned();
    let ended = super::house::mimamori(&["device", "end", "m1", "--data", &data]);
    assert_eq!(ended.0, 0, "{}", ended.1);
    for _ in 0..2 {
        about(&json!(energy_of(&house, "m1")), past, 1e-6);
        about(&json!(summed_of(&house, "m1")), past, 1e-6);
        assert_eq!(readings(&house), said);
        house.kill_and_restart();
    }
    // A new sensor tells what the old one had not: forty minutes before.
    let token = house.device("clamp-2", &["--machine", "m1"]);
    steady(&house, ("clamp-2", &token), 600, (170, 130));
    let both = past + 400.0;
    until("both count", || {
        (energy_of(&house, "m1") - both).abs() < 20.0
    });
    // The old one is put on another machine: what it says now is that one's, and no more.
    let token = house.device("m1", &["--machine", "m9"]);
    steady(&house, ("m1", &token), 1_200, (0, 0));
    until_shown(&house, "m9");
    until("it is heard", || summed_count(&house, "m9") == 1);
    for _ in 0..2 {
        assert!(energy_of(&house, "m9") < 1.0);
        assert!((energy_of(&house, "m1") - both).abs() < 20.0);
        assert_eq!(summed_count(&house, "m9"), 1);
        assert_eq!(summed_count(&house, "m1"), 7_195 + 41);
        house.kill_and_restart();
    }
}
