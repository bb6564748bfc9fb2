//! Messages in chats, compared with what the makers' own clients send (line-bot-sdk, slack_sdk) and
//! read by Microsoft's own reader of cards; and whom nobody tells while a machine is looked after.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::house::{House, now_ms, until};
use super::process::{Process, root};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

struct Chats {
    process: Process,
    here: String,
    /// What the makers' own clients sent: to one, to all, to Slack.
    own: Vec<Value>,
}

impl Chats {
    fn start() -> Self {
        let mut process = Process::start(&mut Process::python("chat.py", &[]));
        let port: u16 = process.hear().parse().expect("a port");
        let mut chats = Self {
            process,
            here: format!("http://127.0.0.1:{port}"),
            own: Vec::new(),
        };
        chats.own = (0..3).map(|_| chats.next()).collect();
        chats
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.process.hear()).expect("JSON")
    }
}

fn names(of: &Value) -> Vec<&String> {
    of.as_object().expect("an object").keys().collect()
}

fn set(house: &House, recipients: &Value) -> (u16, String) {
    let json = [("Content-Type", "application/json")];
    let notices = json!({"recipients": recipients});
    house.send("PUT", "/api/v1/notices", &json, &notices.to_string())
}

fn try_out(house: &House, name: &str) -> u16 {
    let json = [("Content-Type", "application/json")];
    let body = json!({"name": name}).to_string();
    house.send("POST", "/api/v1/notices/try", &json, &body).0
}

/// Lets the red lamp of a machine light up, or go out.
fn red(house: &House, machine: &str, token: &str, is_lit: bool) {
    let body = json!({"t": now_ms(), "red": is_lit}).to_string();
    assert_eq!(
        house.ingest(machine, token, "application/json", &body).0,
        200
    );
}

/// What Microsoft's reader says of a card: its lines, and what is wrong with it.
fn read_card(card: &Value) -> (Vec<String>, Value) {
    let mut reader = Command::new("node")
        .arg(root().join("tests/counterparts/card.cjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node");
    let mut input = reader.stdin.take().expect("its input");
    input.write_all(card.to_string().as_bytes()).expect("read");
    drop(input);
    let said = reader.wait_with_output().expect("an answer").stdout;
    let said: Value = serde_json::from_slice(&said).expect("JSON");
    let texts = said["texts"].as_array().expect("texts").iter();
    let texts = texts.map(|text| text.as_str().expect("a text").to_owned());
    (texts.collect(), said["wrong"].clone())
}

#[test]
fn an_alarm_is_written_into_chats_as_the_makers_own_clients_would() {
    let mut chats = Chats::start();
    let config = "[[machine]]\nid = \"press\"\nname_ja = \"プレス_3 <大>\"\n";
    let house = House::with_config(config);
    let token = house.device("press", &[]);
    let here = chats.here.clone();
    let hook = format!("{here}/services/T/B/secret");
    let line = |to: &str, name: &str| {
        json!({"name": name, "way": "chat", "service": "line", "url": here,
            "token": "token-of-line", "to": to, "machines": ["press"]})
    };
    let chat = |service: &str| {
        json!({"name": service, "way": "chat", "service": service, "url": hook,
            "machines": ["press"]})
    };
    let all = json!([
        line("U1", "one"),
        line("", "all"),
        chat("slack"),
        chat("teams")
    ]);
    red(&house, "press", &token, false);
    until("it is met", || house.try_get("machines/press").is_some());
    let (status, said) = set(&house, &all);
    assert_eq!(status, 204, "{said}");
    red(&house, "press", &token, true);
    let (mut by_way, mut lines_tried) = (std::collections::BTreeMap::new(), 0);
    // LINE loses the first answer to each; what it took is not written again.
    while by_way.len() < 4 || lines_tried < 4 {
        let got = chats.next();
        let path = got["path"].as_str().unwrap().to_owned();
        lines_tried += usize::from(path.starts_with("/v2/"));
        let is_card = got["body"]["attachments"].is_array();
        if let Some(before) = by_way.insert((path, is_card), got.clone()) {
            assert_eq!(before["retry_key"], got["retry_key"], "the same message");
        }
    }
    let of = |path: &str, is_card: bool| by_way[&(path.to_owned(), is_card)].clone();
    let hooked = "/services/T/B/secret";
    for (own, ours) in [
        (&chats.own[0], of("/v2/bot/message/push", false)),
        (&chats.own[1], of("/v2/bot/message/broadcast", false)),
    ] {
        let mut wanted = own["body"].clone();
        wanted
            .as_object_mut()
            .unwrap()
            .remove("notificationDisabled");
        assert_eq!(names(&wanted), names(&ours["body"]), "{ours}");
        assert_eq!(own["authorization"], ours["authorization"]);
        let said = &ours["body"]["messages"][0];
        assert_eq!(names(&wanted["messages"][0]), names(said));
        let text = said["text"].as_str().unwrap();
        assert!(text.starts_with("[Mimamori] プレス_3 <大>: 停止"), "{text}");
    }
    let slack = of(hooked, false);
    assert_eq!(names(&chats.own[2]["body"]), names(&slack["body"]));
    let text = slack["body"]["text"].as_str().unwrap();
    assert!(text.contains("プレス_3 &lt;大&gt;"), "{text}");
    let (texts, wrong) = read_card(&of(hooked, true)["body"]["attachments"][0]["content"]);
    assert_eq!(wrong, json!([]));
    assert!(texts[0].contains(r"プレス\_3 <大>: 停止"), "{texts:?}");
    nobody_is_shown_the_way_there(&house, &mut chats);
}

/// What lets anybody write there is not shown, and what is put back as shown goes on.
fn nobody_is_shown_the_way_there(house: &House, chats: &mut Chats) {
    let shown = house.get("notices");
    let told = shown.to_string();
    assert!(
        !told.contains("token-of-line") && !told.contains("secret"),
        "{told}"
    );
    let (status, said) = set(house, &shown["settings"]["recipients"]);
    assert_eq!(status, 204, "{said}");
    assert_eq!(try_out(house, "slack"), 204);
    assert_eq!(chats.next()["path"], "/services/T/B/secret");
    let (_, page) = house.send("GET", "/notices", &[], "");
    assert!(
        page.contains(&chats.here) && !page.contains("T/B/secret"),
        "{page}"
    );
}

#[test]
fn what_a_chat_lacks_is_told_by_its_name_and_a_failure_names_no_address() {
    let house = House::new();
    let lacks = |recipient: Value| {
        let (status, said) = set(&house, &json!([recipient]));
        assert_eq!(status, 422, "{said}");
        let said: Value = serde_json::from_str(&said).unwrap();
        said["code"].as_str().expect("a code").to_owned()
    };
    let of = |service: &str, url: &str, token: &str| json!({"name": "x", "way": "chat", "service": service, "url": url, "token": token});
    assert_eq!(lacks(of("slack", "", "")), "url");
    assert_eq!(lacks(of("line", "", "")), "chat");
    assert_eq!(lacks(of("line", "", "has a space")), "chat");
    assert_eq!(lacks(of("line", "ftp://x", "t")), "url");
    let mut nowhere = of("line", "", "t");
    nowhere["machines"] = json!(["pres"]);
    assert_eq!(lacks(nowhere), "machines");
    let closed = "http://127.0.0.1:9/services/hidden";
    let (status, said) = set(&house, &json!([of("teams", closed, "")]));
    assert_eq!(status, 204, "{said}");
    let json = [("Content-Type", "application/json")];
    let (status, said) = house.send("POST", "/api/v1/notices/try", &json, r#"{"name":"x"}"#);
    assert_eq!(status, 502, "{said}");
    assert!(!said.contains("hidden"), "{said}");
    // A browser is told at the form.
    let form = "way=line&name=LINE&secret=&to=&about=all&after_min=0&lang=ja";
    let (status, page) = house.send("POST", "/notices", &[FORM, ("Accept-Language", "ja")], form);
    assert!(
        status < 500 && page.contains("アクセストークンを貼り付け"),
        "{page}"
    );
    for machine in ["saw", "press"] {
        let token = house.device(machine, &[]);
        red(&house, machine, &token, false);
        until("it is met", || {
            house.try_get(&format!("machines/{machine}")).is_some()
        });
    }
    let form = "way=line&name=LINE&secret=abc&to=&machine=saw&machine=press&about=all";
    assert_eq!(house.send("POST", "/notices", &[FORM], form).0, 303);
    let kept = house.get("notices");
    assert_eq!(
        kept["settings"]["recipients"][1]["machines"],
        json!(["saw", "press"])
    );
}

#[test]
fn a_machine_that_is_looked_after_disturbs_nobody_until_it_is_over() {
    let mut chats = Chats::start();
    let mut house = House::new();
    let [token, other] = ["press", "saw"].map(|machine| house.device(machine, &[]));
    red(&house, "press", &token, false);
    let hook = format!("{}/hook", chats.here);
    // Who was told a moment ago is told the next later: each machine has somebody of its own.
    let of = |machine: &str| {
        json!({"name": machine, "way": "chat", "service": "slack", "url": hook,
            "machines": [machine]})
    };
    red(&house, "saw", &other, false);
    for machine in ["press", "saw"] {
        until("it is met", || {
            house.try_get(&format!("machines/{machine}")).is_some()
        });
    }
    assert_eq!(set(&house, &json!([of("press"), of("saw")])).0, 204);
    until("it is met", || house.try_get("machines/press").is_some());
    let begin = |form: &str| {
        let head = [FORM, ("Accept-Language", "ja")];
        house.send("POST", "/machines/press/maintenance", &head, form)
    };
    let (status, said) = begin("minutes=60");
    assert_eq!(status, 303, "{said}");
    let machine = house.get("machines/press");
    let window = &machine["maintenance"];
    assert!(window["annotation"].is_i64(), "{machine}");
    red(&house, "press", &token, true);
    let is_open = |house: &House| {
        house
            .get("alarms?open=true")
            .to_string()
            .contains("\"stopped\"")
    };
    until("it is recorded", || is_open(&house));
    let (_, board) = house.send("GET", "/", &[("Accept-Language", "ja")], "");
    assert!(
        board.contains("保守中") && board.contains("data-unseen=\"0\""),
        "{board}"
    );
    let (_, page) = house.send("GET", "/machines/press", &[("Accept-Language", "ja")], "");
    assert!(page.contains("この機械の警報は知らせません"), "{page}");
    // A restart does not forget it, and of two machines only the other one's alarm is told.
    house.kill_and_restart();
    assert!(is_open(&house) && !house.get("machines/press")["maintenance"].is_null());
    red(&house, "saw", &other, true);
    let told = chats.next()["body"]["text"].to_string();
    assert!(told.contains("saw") && !told.contains("press"), "{told}");
    // Ended early, what still lasts is told, and what of it has been stays.
    let ended = format!("annotation={}", window["annotation"]);
    let path = "/machines/press/maintenance/end";
    assert_eq!(house.send("POST", path, &[FORM], &ended).0, 303);
    assert_eq!(
        house.send("POST", path, &[FORM], &ended).0,
        303,
        "pressed twice"
    );
    red(&house, "saw", &other, false);
    until("the one that lasts is told", || {
        chats.next()["body"]["text"].to_string().contains("press")
    });
    let said = house.get_all("annotations");
    let kept: Vec<&Value> = said.iter().filter(|a| a["kind"] == "maintenance").collect();
    assert_eq!(kept.len(), 2, "{said:?}");
    assert!(kept[1]["withdrawn_at"].is_null() && !kept[0]["withdrawn_at"].is_null());
}

#[test]
fn a_maintenance_is_planned_and_shown_and_does_not_hold_before() {
    let house = House::new();
    let token = house.device("press", &[]);
    red(&house, "press", &token, false);
    until("it is met", || house.try_get("machines/press").is_some());
    let from = jiff_text(now_ms() + 3_600_000);
    let to = jiff_text(now_ms() + 7_200_000);
    let planned = json!({"at": from, "kind": "maintenance", "until": to}).to_string();
    let json = [("Content-Type", "application/json")];
    let path = "/api/v1/machines/press/annotations";
    assert_eq!(house.send("POST", path, &json, &planned).0, 200);
    assert!(house.get("machines/press")["maintenance"].is_null());
    for wrong in [
        "minutes=31",
        "from=&to=",
        "from=2020-01-01T08:00&to=2020-01-01T09:00",
    ] {
        let head = [FORM, ("Accept-Language", "ja")];
        let (status, page) = house.send("POST", "/machines/press/maintenance", &head, wrong);
        assert_eq!(status, 422, "{wrong}");
        assert!(page.contains("終わりは今より後"), "{page}");
    }
    let (_, page) = house.send("GET", "/machines/press", &[("Accept-Language", "ja")], "");
    assert!(page.contains("取りやめる"), "{page}");
}

/// A moment as scripts write it.
fn jiff_text(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).expect("a moment");
    moment.to_string()
}
