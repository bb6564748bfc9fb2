//! The demand of half hours against the contract: what a day came to, and an alarm while there is
//! still something to switch off.

use std::fmt::Write as _;

use super::house::{House, now_ms, until};
use super::people::kinds;

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const HALF_HOUR_MS: i64 = 30 * 60_000;

fn post(house: &House, form: &str) -> (u16, String) {
    house.send("POST", "/demand", &[FORM, ("Accept-Language", "ja")], form)
}

fn is_alarmed(house: &House) -> bool {
    let alarms = house.get("alarms?open=true");
    alarms.to_string().contains("\"demand_high\"")
}

#[test]
fn a_half_hour_that_will_pass_the_contract_is_an_alarm_until_it_will_not() {
    let mut house = House::new();
    let token = house.device("main-meter", &[]);
    // A megawatt: two seconds of it pass the contract, however young the half hour is.
    let send = |watts: i64| {
        let now = now_ms();
        let rows: Vec<String> = (0..30)
            .rev()
            .map(|s| format!("{},{watts}", now - s * 1_000))
            .collect();
        let table = format!("t,power_w\n{}\n", rows.join("\n"));
        assert_eq!(
            house.ingest("main-meter", &token, "text/csv", &table).0,
            200
        );
    };
    send(1_000_000);
    until("it is on the board", || {
        house.try_get("machines/main-meter").is_some()
    });
    assert!(!is_alarmed(&house), "nobody said a contract");
    assert_eq!(post(&house, "contract_kw=１&machine=main-meter").0, 303);
    until("people are told", || {
        send(1_000_000);
        is_alarmed(&house)
    });
    assert_eq!(house.get("demand")["plan"]["contract_kw"], 1.0);
    until("what is drawn is told", || {
        send(1_000_000);
        let demand = house.get("demand");
        demand["now"]["window"]["kwh"].as_f64().unwrap() > 0.0
    });
    let (_, page) = house.send("GET", "/demand", &[("Accept-Language", "ja")], "");
    assert!(
        page.contains("工場全体としています") && page.contains("class=\"plan\""),
        "{page}"
    );
    house.kill_and_restart();
    until("it still is", || is_alarmed(&house));
    assert_eq!(post(&house, "contract_kw=&machine=").0, 303);
    until("nothing is watched any more", || !is_alarmed(&house));
    let kinds = kinds(&house);
    for kind in ["demand.high", "demand.eased"] {
        assert!(kinds.iter().any(|told| told == kind), "{kind} in {kinds:?}");
    }
}

#[test]
fn a_day_is_shown_by_half_hours_and_a_wrong_contract_by_its_field() {
    // The business day began half a day ago, whenever this runs.
    let hour = (now_ms() / 3_600_000 + 12) % 24;
    let clock = format!("[factory]\nzone = \"UTC\"\nday_starts = \"{hour:02}:00\"\n");
    let house = House::with_config(&clock);
    let begin = now_ms() / HALF_HOUR_MS * HALF_HOUR_MS - 4 * HALF_HOUR_MS;
    for (machine, watts) in [("saw-1", 20_000), ("mill-1", 10_000)] {
        let token = house.device(machine, &[]);
        let mut table = "t,power_w\n".to_owned();
        for step in 0..=360 {
            writeln!(table, "{},{watts}", begin + step * 10_000).unwrap();
        }
        assert_eq!(house.ingest(machine, &token, "text/csv", &table).0, 200);
    }
    until("both are measured", || house.get("demand")["measured"] == 2);
    let windows = || {
        let demand = house.get("demand");
        let windows = demand["windows"].as_array().unwrap().iter();
        let kwh = windows.map(|window| window["kwh"].as_f64().unwrap());
        kwh.collect::<Vec<f64>>()
    };
    until("two half hours of 30 kW lie behind", || {
        let full = windows()
            .iter()
            .filter(|kwh| (**kwh - 15.0).abs() < 0.1)
            .count();
        full == 2
    });
    for (form, said, field) in [
        ("contract_kw=many", "0.5〜100,000", "contract_kw"),
        ("contract_kw=0", "0.5〜100,000", "contract_kw"),
        ("contract_kw=50&machine=none", "機械を選んで", "machine"),
    ] {
        let (status, page) = post(&house, form);
        assert_eq!(status, 422, "{form}");
        assert!(page.contains(said), "{form}: {page}");
        let name = format!("name=\"{field}\"");
        let marked: Vec<&str> = page
            .split('<')
            .filter(|t| t.contains("aria-invalid"))
            .collect();
        assert!(
            marked.len() == 1 && marked[0].contains(&name),
            "{form}: {marked:?}"
        );
    }
    assert!(house.get("demand")["plan"].is_null());
    assert_eq!(post(&house, "contract_kw=1%2C000").0, 303);
    assert_eq!(house.get("factory")["demand"]["contract_kw"], 1_000.0);
}

#[test]
fn of_two_who_set_the_contract_or_the_shifts_at_once_the_second_is_told() {
    let house = House::new();
    let seen = |path: &str| {
        let (_, page) = house.send("GET", path, &[("Accept-Language", "ja")], "");
        let at = page.find("name=\"seen\" value=\"").expect("a mark");
        page[at + 19..at + 35].to_owned()
    };
    let both = seen("/demand");
    let first = format!("contract_kw=50&machine=&seen={both}");
    assert_eq!(post(&house, &first).0, 303);
    let second = format!("contract_kw=80&machine=&seen={both}");
    let (status, page) = post(&house, &second);
    assert_eq!(status, 422);
    assert!(
        page.contains("value=\"80\"") && page.contains("ほかの人が"),
        "{page}"
    );
    assert_eq!(house.get("demand")["plan"]["contract_kw"], 50.0);
    // Who has seen what holds now decides anew.
    assert_eq!(
        post(
            &house,
            &format!("contract_kw=80&machine=&seen={}", seen("/demand"))
        )
        .0,
        303
    );
    let shifts = |form: &str| {
        let head = [FORM, ("Accept-Language", "ja")];
        house.send("POST", "/daily/shifts", &head, form)
    };
    let both = seen("/daily");
    let form = |name: &str| format!("seen={both}&name={name}&from=06:00&to=14:00");
    let (status, said) = shifts(&form("A"));
    assert_eq!(status, 303, "{said}");
    let (status, page) = shifts(&form("B"));
    assert!(status == 422 && page.contains("value=\"B\""), "{page}");
}
