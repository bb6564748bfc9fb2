//! What devices, scripts and loggers send and mean, where a program could take it for something
//! else without a word.

use serde_json::{Value, json};

use super::house::{House, now_ms, until};

const JSON: &str = "application/json";

fn stored(house: &House, machine: &str) -> Vec<(String, String, f64)> {
    until("the machine is on the board", || {
        let machines = house.get("machines");
        let mut machines = machines["items"].as_array().unwrap().iter();
        machines.any(|known| known["id"] == machine)
    });
    let span = "from=2020-01-01T00:00:00Z&to=2035-01-01T00:00:00Z";
    let found = house.get(&format!("machines/{machine}/readings?{span}"));
    let row = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        (text("t"), text("point"), row["value"].as_f64().unwrap())
    };
    found["items"].as_array().unwrap().iter().map(row).collect()
}

fn moment(ms: i64) -> String {
    format!("{:.3}", jiff::Timestamp::from_millisecond(ms).unwrap())
}

#[test]
fn a_reading_is_kept_as_of_when_it_was_measured_or_not_at_all() {
    let house = House::new();
    let token = house.device("p", &[]);
    let first = (now_ms() - 600_000) / 1_000 * 1_000;
    let at = |n: i64| first + n * 1_000;
    let bodies = [
        format!("{{\"power_w\":0,\"t\":{}}}", at(0)),
        format!("{{\"power_w\":1,\"ts\":{}}}", at(1)),
        format!("{{\"power_w\":2,\"timestamp\":{}}}", at(2) / 1_000),
        format!("{{\"power_w\":3,\"time\":\"{}\"}}", moment(at(3))),
        format!("{{\"power_w\":4,\"t\":\"{}\"}}", at(4)),
    ];
    for body in bodies {
        let (status, said) = house.ingest("p", &token, JSON, &body);
        assert_eq!(status, 200, "{body}: {said}");
    }
    let table = format!("t,power_w\n{},5\n", moment(at(5)));
    assert_eq!(house.ingest("p", &token, "text/csv", &table).0, 200);
    for unreadable in [
        "\"t\":\"yesterday\"",
        "\"ts\":4711",
        "\"time\":null,\"t\":true",
    ] {
        let body = format!("{{\"power_w\":9,{unreadable}}}");
        assert_eq!(house.ingest("p", &token, JSON, &body).0, 422, "{body}");
    }
    let kept = stored(&house, "p");
    let expected: Vec<_> = (0..6)
        .map(|n| (moment(at(n)), "p/power_w".to_owned(), n as f64))
        .collect();
    assert_eq!(kept, expected);
    assert_eq!(house.refused("p", "no_time"), 3);
}

#[test]
fn what_holds_no_value_leaves_its_neighbours_alone() {
    let house = House::new();
    let token = house.device("p", &[]);
    let body = r#"{"power_w":3,"temperature_c":null,"wifi":{"rssi":-60},"flags":[1],"note":"ok"}"#;
    let (status, said) = house.ingest("p", &token, JSON, body);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (status, &said["readings"], &said["refused_count"]),
        (200, &json!(1), &json!(4))
    );
    assert_eq!(house.refused("p", "wrong_type"), 4);
}

/// Whether a machine makes a product now.
fn is_made(house: &House, product: &str) -> bool {
    let machines = house.get("machines");
    let mut machines = machines["items"].as_array().unwrap().iter();
    machines.any(|machine| machine["product"] == product)
}

#[test]
fn a_product_is_called_what_people_call_it() {
    let mut house = House::new();
    let token = house.device("p", &[]);
    for product in ["A/100", "部品A"] {
        let body = json!({"product": product, "power_w": 800}).to_string();
        let (status, said) = house.ingest("p", &token, JSON, &body);
        assert_eq!(status, 200, "{said}");
        until("it is made", || is_made(&house, product));
    }
    house.kill_and_restart();
    until("it is still made", || is_made(&house, "部品A"));
    let page = house
        .send("GET", "/machines/p", &[("Accept-Language", "ja")], "")
        .1;
    assert!(page.contains("部品A"));
}

#[test]
fn what_clients_and_proxies_write_a_little_otherwise_is_understood() {
    let house = House::new();
    let token = house.device("p", &[]);
    let small = [("Authorization", &*format!("bearer {token}"))];
    assert_eq!(
        house.send_bare("POST", "/ingest/p", &small, "{\"x\":1}").0,
        200
    );
    let marked = "\u{feff}{\"x\":2}";
    assert_eq!(house.ingest("p", &token, JSON, marked).0, 200);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let english = ("Accept-Language", "en");
    let through = |host: &'static str, origin: &'static str| {
        let headers = [("Host", host), ("Origin", origin), form, english];
        house.send_bare("POST", "/sign-in", &headers, "name=x&password=y")
    };
    let (status, _) = through("monitor.example:443", "https://monitor.example");
    assert_ne!(status, 403, "the port of its scheme");
    let (status, page) = through("127.0.0.1:8080", "https://monitor.example");
    assert_eq!(status, 403);
    assert!(
        page.contains("<h1") && page.contains("proxy_set_header Host"),
        "{page}"
    );
}

/// Registers a logger with one column of time and these, takes a file, and gives what came of it.
fn taken(house: &House, name: &str, columns: &[(&str, &str)], text: &str) -> Value {
    let heading = text.split([';', ',']).next().unwrap().trim();
    let columns: Vec<Value> = columns
        .iter()
        .map(|(name, point)| json!({"name": name, "point": point}))
        .collect();
    let logger = json!({"id": name, "machine": name, "time": [heading], "column": columns});
    let headers = [("Content-Type", JSON)];
    let put = house.send("POST", "/api/v1/loggers", &headers, &logger.to_string());
    assert_eq!(put.0, 201, "{}", put.1);
    let path = format!("/api/v1/files/{name}");
    let (status, said) = house.send("POST", &path, &[], text);
    assert_eq!(status, 200, "{said}");
    serde_json::from_str(&said).unwrap()
}

#[test]
fn a_comma_means_what_its_whole_column_says() {
    let house = House::with_config("[factory]\nzone = \"Asia/Tokyo\"\n");
    let decimal = "Zeit;Power (kW)\n2026-11-20 08:00:00;0,619\n2026-11-20 08:00:01;0,62\n\
         2026-11-20 08:00:02;12,345\n";
    taken(&house, "eu", &[("Power (kW)", "power_kw")], decimal);
    let watts: Vec<f64> = stored(&house, "eu").iter().map(|row| row.2).collect();
    assert_eq!(watts, [619.0, 620.0, 12_345.0]);
    let grouped = "日時,電力(W)\n2026/11/20 8:00:00,\"1,234\"\n2026/11/20 8:00:01,980\n";
    taken(&house, "jp", &[("電力(W)", "power_w")], grouped);
    let watts: Vec<f64> = stored(&house, "jp").iter().map(|row| row.2).collect();
    assert_eq!(watts, [1_234.0, 980.0]);
}

#[test]
fn a_row_wider_than_its_heading_is_refused_with_its_line() {
    let house = House::with_config("[factory]\nzone = \"Asia/Tokyo\"\n");
    let columns = [("power_w", "power_w"), ("voltage_v", "voltage_v")];
    let text = "time,power_w,voltage_v\n2026-11-20 08:00:00,812,5,101,5\n\
         2026-11-20 08:00:01,812,101\n2026-11-20 08:00:02,813,101,\n";
    let import = taken(&house, "dc", &columns, text);
    assert_eq!(
        (&import["readings"], &import["refused"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(house.refused("dc", "row_too_wide"), 1);
    let refused = house.get("refused");
    let topics = refused["items"].as_array().unwrap().iter();
    assert!(
        topics
            .map(|item| item["topic"].as_str().unwrap())
            .any(|t| t.ends_with(":2"))
    );
}

#[test]
fn rows_of_one_moment_are_all_kept() {
    let house = House::with_config("[factory]\nzone = \"Asia/Tokyo\"\n");
    let row = |n: u32| {
        format!(
            "2026/11/20 8:{:02},{}\n",
            n / 12,
            1.0 + f64::from(n) / 100.0
        )
    };
    let rows: String = (0..36).map(row).collect();
    let text = format!("日時,電力(kW)\n{rows}");
    let import = taken(&house, "ex", &[("電力(kW)", "power_kw")], &text);
    assert_eq!(
        (&import["readings"], &import["known"]),
        (&json!(36), &json!(0))
    );
    let times: Vec<String> = stored(&house, "ex").into_iter().map(|row| row.0).collect();
    assert_eq!(times[1], "2026-11-19T23:00:05.000Z");
    assert_eq!(times[35], "2026-11-19T23:02:55.000Z");
}

#[test]
fn what_was_refused_is_grouped_searched_and_says_what_to_do() {
    let house = House::with_config("[factory]\nzone = \"Asia/Tokyo\"\n");
    let press = house.device("press", &[]);
    house.ingest("press", &press, JSON, "{\"power_w\":\"0,619\"}");
    house.ingest("press", &press, JSON, "{\"power_w\":\"12,5\",\"x y\":1}");
    let lathe = house.device("lathe", &[]);
    house.ingest("lathe", &lathe, JSON, "{\"power_w\":\"warm\"}");
    until("both are counted", || {
        house.refused("lathe", "wrong_type") == 1
    });
    let page = |query: &str| {
        let english = [("Accept-Language", "en")];
        let (status, page) = house.send("GET", &format!("/refused{query}"), &english, "");
        assert_eq!(status, 200, "{page}");
        page
    };
    let all = page("");
    assert!(all.contains("These look like decimal commas"), "{all}");
    assert!(
        all.contains("names of devices and points"),
        "what to do about a bad name: {all}"
    );
    assert!(all.contains("press") && all.contains("lathe"));
    let only = page("?text=WARM");
    assert!(
        only.contains("lathe") && !only.contains(">press<"),
        "{only}"
    );
    let none = page("?text=nothing+like+it");
    assert!(!none.contains("lathe"), "{none}");
    let devices = house
        .send("GET", "/devices", &[("Accept-Language", "ja")], "")
        .1;
    assert!(devices.contains("href=\"/refused\""), "{devices}");
}

#[test]
fn a_comma_that_may_mean_either_is_asked_about() {
    let house = House::with_config("[factory]\nzone = \"Asia/Tokyo\"\n");
    let text = "日時;電力(W)\n2026/11/20 8:00:00;1,234\n2026/11/20 8:00:01;2,345\n";
    for (comma, watts) in [("thousands", 1_234.0), ("decimal", 1.234)] {
        let column = json!([{"name": "電力(W)", "point": "power_w"}]);
        let logger = json!({"id": comma, "machine": comma, "time": ["日時"], "column": column,
            "comma": comma});
        let headers = [("Content-Type", JSON)];
        let put = house.send("POST", "/api/v1/loggers", &headers, &logger.to_string());
        assert_eq!(put.0, 201, "{}", put.1);
        // A file is taken once.
        let text = format!("{text}2026/11/20 8:00:02;{}\n", watts as i64);
        let (status, said) = house.send("POST", &format!("/api/v1/files/{comma}"), &[], &text);
        assert_eq!(status, 200, "{said}");
        assert_eq!(stored(&house, comma)[0].2, watts);
    }
}
