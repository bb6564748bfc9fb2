//! What a person teaches on the page or by script: heeded from then on, also after the program was
//! killed, in the evidence, and taken back.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::house::{House, now_ms, until};
use super::left_out::{clock, text};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const CYCLE_S: i64 = 10;

/// A machine that signals its cycles, told of in one table after the other.
struct Machine {
    token: String,
    t: i64,
    cycle: i64,
}

impl Machine {
    fn new(house: &House) -> Self {
        Self {
            token: house.device("saw-1", &[]),
            t: now_ms() - 3 * 3_600_000,
            cycle: 0,
        }
    }

    /// Makes cycles that draw this many times the usual power, one after the other.
    fn make(&mut self, house: &House, powers: impl IntoIterator<Item = f64>) {
        let mut table = "t,power_w,cycle\n".to_owned();
        for strong in powers {
            for s in 0..CYCLE_S {
                let watts = if s < 7 { 600.0 * strong } else { 60.0 };
                let watts = watts + ((self.cycle * 7 + s * 3) % 5) as f64;
                writeln!(table, "{},{watts},{}", self.t, self.cycle).unwrap();
                self.t += 1_000;
            }
            self.cycle += 1;
        }
        // A signal alone ends the last one; the power of that moment comes with the next table.
        writeln!(table, "{},,{}", self.t, self.cycle).unwrap();
        let (status, said) = house.ingest("saw-1", &self.token, "text/csv", &table);
        assert_eq!(status, 200, "{said}");
        let made = self.cycle;
        until("its cycles are counted", || {
            let last = house.try_get("machines/saw-1/cycles?limit=1");
            let last = last.map_or(Value::Null, |all| all["items"][0].clone());
            let end = last["end"].as_i64().or_else(|| {
                let text = last["end"].as_str()?;
                text.parse::<jiff::Timestamp>()
                    .ok()
                    .map(jiff::Timestamp::as_millisecond)
            });
            end.is_some_and(|end| end >= self.t - 1_000) || made == 0
        });
    }
}

fn alarms(house: &House) -> Vec<Value> {
    let open = house.get("alarms?open=true");
    let open = open["items"].as_array().cloned().unwrap_or_default();
    let own = open.into_iter().filter(|alarm| alarm["machine"] == "saw-1");
    own.collect()
}

fn lessons(house: &House) -> Value {
    house.get("machines/saw-1")["lessons"].clone()
}

/// Presses a button below what was noticed at this moment.
fn answer(house: &House, at: &Value, said: &str) -> (u16, String) {
    let at = at.as_str().expect("a moment");
    let body = format!("at={at}&finding=wear_suspected&said={said}&why=thick+material");
    let path = "/machines/saw-1/taught?lang=en";
    house.send("POST", path, &[FORM], &body)
}

fn page(house: &House) -> String {
    house.send("GET", "/machines/saw-1?lang=en", &[], "").1
}

#[test]
fn what_a_person_says_of_an_alarm_is_heeded_after_a_crash_too_until_it_is_taken_back() {
    let mut house = House::new();
    let mut saw = Machine::new(&house);
    saw.make(&house, [1.0; 80]);
    assert!(alarms(&house).is_empty());
    saw.make(&house, [1.5]);
    until("one cycle is noticed", || alarms(&house).len() == 1);
    let at = alarms(&house)[0]["since"].clone();
    assert!(page(&house).contains("Was something wrong?"));
    let (status, said) = answer(&house, &json!(text(0)), "wrong");
    assert_eq!(status, 422, "nothing was noticed then");
    assert!(said.contains("no longer kept") && said.contains("value=\"thick material\""));

    assert_eq!(answer(&house, &at, "wrong").0, 303);
    until("the alarm is over", || alarms(&house).is_empty());
    let said = page(&house);
    assert!(
        said.contains("Nothing was wrong (thick material)"),
        "{said}"
    );
    assert!(said.contains("Of 1 alarms that were answered, something was wrong in 0"));
    house.kill_and_restart();
    until("it is heeded still", || lessons(&house)[0]["used"] == 0);
    saw.make(&house, [1.0, 1.5, 1.0, 1.5, 1.0]);
    until("each was seen", || lessons(&house)[0]["used"] == 2);
    assert!(alarms(&house).is_empty());
    let cycles = house.get("machines/saw-1/cycles?limit=4").to_string();
    assert_eq!(cycles.matches("\"good\"").count(), 4, "{cycles}");

    // Whoever changes his mind answers again: the other answer is in the place of the first.
    let taught = json!({"kind": "hindsight", "at": at, "finding": "wear_suspected",
        "was": "right", "why": "worn blade"});
    let path = "/api/v1/machines/saw-1/annotations";
    let (status, told) = house.send("POST", path, &[JSON], &taught.to_string());
    assert_eq!(status, 200, "{told}");
    saw.make(&house, [1.0; 10]);
    saw.make(&house, [1.5]);
    until("it is an alarm again", || alarms(&house).len() == 1);
    assert_eq!(alarms(&house)[0]["reason"]["like"]["why"], "worn blade");
    assert!(page(&house).contains("It looks like “worn blade” of"));

    let number = lessons(&house)[0]["said"].clone();
    let path = "/machines/saw-1/taught/withdraw";
    let body = format!("annotation={number}");
    assert_eq!(house.send("POST", path, &[FORM], &body).0, 303);
    assert_eq!(lessons(&house), json!([]));
    let told = house.get("evidence")["items"].to_string();
    assert!(
        told.contains("worn blade") && told.contains("annotation.withdrawn"),
        "{told}"
    );
}

#[test]
fn who_may_not_judge_teaches_nothing_about_alarms_and_marks_a_set_up() {
    let house = House::with_config(&clock());
    let mut saw = Machine::new(&house);
    let begin = saw.t;
    saw.make(&house, [1.0; 60]);
    saw.make(&house, [1.5]);
    until("one cycle is noticed", || alarms(&house).len() == 1);
    let worker = house.token_for("operator");
    let bearer = format!("Bearer {worker}");
    let as_worker = [("Authorization", &*bearer), FORM];
    let at = alarms(&house)[0]["since"].clone();
    let at = at.as_str().expect("a moment");
    let body = format!("at={at}&finding=wear_suspected&said=wrong&why=");
    let path = "/machines/saw-1/taught";
    assert_eq!(house.send_bare("POST", path, &as_worker, &body).0, 403);

    let run_s = || {
        let rates = house.get("rates");
        let account = &rates["items"][0];
        let run = account["states"]["run_s"].as_f64().unwrap_or_default();
        (account["cycles"].as_f64().unwrap_or_default(), run)
    };
    let (cycles, run) = run_s();
    let moment = |ms: i64| {
        let at = jiff::Timestamp::from_millisecond(ms).unwrap();
        let at = at.to_zoned(jiff::tz::TimeZone::UTC);
        at.strftime("%Y-%m-%dT%H%%3A%M%%3A%S").to_string()
    };
    let (from, to) = (
        begin / 1_000 * 1_000 + 1_000,
        begin / 1_000 * 1_000 + 201_000,
    );
    let body = format!("from={}&to={}&why=setup", moment(from), moment(to));
    let path = "/machines/saw-1/not-producing";
    let (status, said) = house.send_bare("POST", path, &as_worker, &body);
    assert_eq!(status, 303, "{said}");
    let (left, less) = run_s();
    assert!((19.0..=21.0).contains(&(cycles - left)), "{cycles} {left}");
    assert!(run - less > 130.0, "{run} {less}");
    let lesson = &lessons(&house)[0];
    let kept = house.get("annotations").to_string();
    assert!(
        kept.contains("not_producing") && kept.contains("low_w"),
        "{kept}"
    );
    let [from, to] = [from, to].map(text);
    let body = format!("annotation={}&from={from}&to={to}", lesson["said"]);
    let path = "/machines/saw-1/not-producing/withdraw";
    assert_eq!(house.send_bare("POST", path, &as_worker, &body).0, 303);
    let (again, back) = run_s();
    assert!(again == cycles && back >= run, "{again} {back}");
    assert_eq!(lessons(&house), json!([]));
}
