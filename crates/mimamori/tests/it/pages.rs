//! Every address: who may use it, and that what it answers has the shape that was promised.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use model::Role;
use serde_json::json;
use web::Access;

use super::house::{House, agent, until};
use super::process::root;
use super::publisher::Publisher;

fn filled() -> House {
    let house = House::new();
    let token = house.device("m1", &[]);
    let mut publisher = Publisher::new("m1", &token, house.mqtt);
    publisher.queue((0..20).map(|i| format!("{{\"power_w\":{i},\"cycle\":{i}}}")));
    publisher.finish();
    house.until_stored(40);
    house.send("POST", "/api/v1/evidence/checkpoint", &[], "");
    let lot = "{\"kind\": \"lot_began\", \"lot\": \"A-1\"}";
    house.send("POST", "/api/v1/machines/m1/annotations", &[JSON], lot);
    house
}

fn concrete(path: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let path = path
        .replace("{version}", version)
        .replace("{file}", "app.css")
        .replace("{secret}", "none")
        .replace("{lot}", "A-1")
        .replace("{device}", "m1");
    match path.as_str() {
        p if p.contains("/alarms/") => path.replace("{id}", "1"),
        p if p.contains("/machines/") => path.replace("{id}", "m1"),
        // Nobody of this number: what may be done is done to nobody.
        _ => path.replace("{id}", "999"),
    }
}

/// What is sent to an address that changes something.
const BODY: &str = "{\"time\":0.2,\"energy\":0.2}";
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn is_refused(status: u16) -> bool {
    status == 401 || status == 403
}

#[test]
fn every_address_lets_in_only_whom_it_should() {
    let house = filled();
    let tokens: Vec<(Role, String)> = Role::ALL
        .iter()
        .map(|role| (*role, house.token_for(role.code())))
        .collect();
    for route in web::routes() {
        let path = concrete(route.path);
        let ask = |headers: &[(&str, &str)]| {
            let headers = [headers, &[JSON]].concat();
            house.send_bare(route.method, &path, &headers, BODY).0
        };
        let wanted = match route.access {
            Access::Clear | Access::Open => {
                assert!(!is_refused(ask(&[])), "{path}");
                continue;
            }
            Access::DeviceToken => {
                assert_eq!(ask(&[]), 401, "{path}");
                assert_eq!(ask(&[("Authorization", "Bearer x")]), 401, "{path}");
                continue;
            }
            Access::SignedIn => None,
            Access::May(right) => Some(right),
        };
        for stranger in [&[][..], &[("Authorization", "Bearer x")]] {
            let status = ask(stranger);
            assert!(
                status == 401 || status == 303,
                "{path} gives a stranger {status}"
            );
        }
        // The live view does not end by itself; signing out ends the token.
        if path.ends_with("/live") || path == "/sign-out" {
            continue;
        }
        for (role, token) in &tokens {
            let bearer = format!("Bearer {token}");
            let status = ask(&[("Authorization", &bearer)]);
            // What is a person's own is not a token's.
            let may = wanted.is_some_and(|right| role.may(right));
            // Who may not see the board is led to what was shared.
            let is_led_away = path == "/" && status == 303;
            let is_let_in = !is_refused(status) && !is_led_away;
            assert_eq!(is_let_in, may, "{path} gives {role:?} {status}");
        }
    }
}

/// The first event of a live view.
fn first_of(house: &House, page: &str) -> serde_json::Value {
    let bearer = format!("Bearer {}", house.token);
    let answer = agent()
        .get(format!("http://{}/live?page={page}", house.http))
        .header("Authorization", &bearer)
        .call()
        .expect("a stream");
    let lines = BufReader::new(answer.into_body().into_reader()).lines();
    let data = lines
        .map(|line| line.expect("a line"))
        .find_map(|line| line.strip_prefix("data:").map(str::to_owned))
        .expect("an event");
    serde_json::from_str(&data).expect("JSON")
}

#[test]
fn what_happened_before_a_page_listened_is_told_first() {
    let house = filled();
    let (status, page) = house.send("GET", "/", &[], "");
    assert!(status == 200 && !page.contains("m-late"), "{page}");
    let token = house.device("late", &[]);
    let mut publisher = Publisher::new("late", &token, house.mqtt);
    publisher.queue(["{\"red\":true}".to_owned()]);
    publisher.finish();
    until("the machine is on the board", || {
        house.state("late") == "stop"
    });
    // The page of before listens only now, and nothing happens any more.
    let told = first_of(&house, "board");
    let tile = told["parts"]["m-late"].as_str().unwrap_or_default();
    assert!(tile.contains("is-stop"), "{told}");
    let bar = told["parts"]["alarms"].as_str().unwrap_or_default();
    assert!(bar.contains("late"), "{told}");
}

#[test]
fn a_place_where_something_is_measured_shows_it_and_is_not_out_of_sight() {
    let house = House::new();
    let token = house.device("hall", &[]);
    let mut sensor = Publisher::new("hall", &token, house.mqtt);
    sensor.queue(["{\"temperature_c\":23.5,\"energy_kwh\":7.25}".to_owned()]);
    sensor.finish();
    let page = |path: &str| house.send("GET", &format!("{path}?lang=en"), &[], "").1;
    until("its tile shows it", || {
        let board = page("/");
        board.contains("23.5") && board.contains("tile is-measured")
    });
    for path in ["/machines/hall", "/devices"] {
        let shown = page(path);
        assert!(
            shown.contains("<dd>23.5</dd>") && shown.contains("7.25"),
            "{shown}"
        );
    }
    let told = first_of(&house, "machine/hall");
    assert!(
        told["parts"]["values"]
            .as_str()
            .unwrap_or_default()
            .contains("23.5")
    );
    // A machine that is judged is out of sight when only its temperature is told.
    sensor.queue(["{\"power_w\":500}".to_owned()]);
    sensor.finish();
    until("it works", || !page("/").contains("tile is-measured"));
}

#[test]
fn a_change_from_a_foreign_page_is_refused() {
    let house = filled();
    let cookie = format!("session={}", house.token);
    let own = format!("http://{}", house.http);
    for route in web::routes().filter(|route| route.method != "GET") {
        let path = concrete(route.path);
        let ask = |headers: &[(&str, &str)]| {
            let headers = [headers, &[JSON]].concat();
            house.send_bare(route.method, &path, &headers, BODY).0
        };
        let by_browser = ("Cookie", cookie.as_str());
        match route.access {
            Access::Clear | Access::DeviceToken => {}
            Access::Open => {
                assert_eq!(ask(&[("Origin", "http://evil.example")]), 403, "{path}");
            }
            Access::SignedIn | Access::May(_) => {
                let foreign = ("Origin", "http://evil.example");
                assert_eq!(ask(&[by_browser, foreign]), 403, "{path}");
                assert_eq!(ask(&[by_browser]), 403, "{path} without a word of the page");
                if path != "/sign-out" {
                    assert!(!is_refused(ask(&[by_browser, ("Origin", &own)])), "{path}");
                }
            }
        }
    }
}

#[test]
fn answers_have_the_shape_the_description_promises() {
    let house = filled();
    let described = house.get("openapi.json");
    let mut answers = Vec::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        let schema = &methods["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            continue;
        }
        let answer = match path.strip_prefix("/api/v1/") {
            None if path.starts_with("/ingest/") => asked_by_a_device(&house),
            _ => house.get(concrete(path).trim_start_matches("/api/v1/")),
        };
        answers.push(json!({"path": path, "schema": schema, "answer": answer}));
    }
    assert!(answers.len() > 20, "{}", answers.len());
    let asked = json!({"description": described, "answers": answers});
    let mut validators = Command::new(root().join(".venv/bin/python"))
        .arg(root().join("tests/counterparts/openapi.py"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = validators.stdin.take().unwrap();
    to.write_all(asked.to_string().as_bytes()).unwrap();
    drop(to);
    let said = validators.wait_with_output().unwrap();
    let why = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{why}");
}

/// What a device is told of its machine.
fn asked_by_a_device(house: &House) -> serde_json::Value {
    let bearer = format!("Bearer {}", house.device("asks", &["--machine", "m1"]));
    let headers = [("Authorization", &*bearer)];
    let (status, said) = house.send_bare("GET", "/ingest/asks", &headers, "");
    assert_eq!(status, 200, "{said}");
    serde_json::from_str(&said).unwrap()
}

#[test]
fn a_change_is_durable_and_its_mistakes_are_explained() {
    let mut house = filled();
    let json = [
        ("Content-Type", "application/json"),
        ("Accept-Language", "ja"),
    ];
    let put =
        |house: &House, body: &str| house.send("PUT", "/api/v1/machines/m1/tolerance", &json, body);
    assert_eq!(put(&house, "{\"time\":0.3,\"energy\":0.1}").0, 204);
    let (status, said) = put(&house, "{\"time\":7,\"energy\":0.1}");
    assert_eq!(status, 422);
    assert!(said.contains("範囲") && said.contains("hint"), "{said}");
    assert_eq!(put(&house, "nonsense").0, 400);
    house.kill_and_restart();
    let tolerance = &house.get("machines/m1")["tolerance"];
    assert_eq!(
        (&tolerance["time"], &tolerance["energy"]),
        (&0.3.into(), &0.1.into())
    );
}

#[test]
fn headers_forbid_what_pages_do_not_need() {
    let house = House::new();
    let answer = ureq::get(format!("http://{}/sign-in", house.http))
        .call()
        .unwrap();
    let header = |name: &str| {
        answer
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or("")
    };
    assert!(header("content-security-policy").contains("default-src 'none'"));
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("x-frame-options"), "DENY");
    let body = house
        .send("GET", "/", &[("Accept-Language", "en-GB,en")], "")
        .1;
    assert!(body.contains("lang=\"en\"") && !body.contains(" style=") && !body.contains("onclick"));
}
