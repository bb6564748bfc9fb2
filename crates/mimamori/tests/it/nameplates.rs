//! What a person decides on the page of settings: what the machines are called and where they
//! stand, which are gone, by which clock the factory lives. In force at once, kept, evidence.

use serde_json::{Value, json};

use super::house::{House, now_ms, until};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Sends one reading of a machine's power.
fn tell(house: &House, machine: &str, token: &str) {
    let body = format!("t,power_w\n{},820", now_ms());
    let (status, said) = house.ingest(machine, token, "text/csv", &body);
    assert_eq!(status, 200, "{said}");
    until("the machine is on the board", || {
        on_board(house).iter().any(|id| id == machine)
    });
}

/// The machines on the board, in its order.
fn on_board(house: &House) -> Vec<String> {
    let board = house.get("board");
    let machines = board["machines"].as_array().unwrap();
    machines
        .iter()
        .map(|machine| machine["id"].as_str().unwrap().to_owned())
        .collect()
}

fn page(house: &House, path: &str) -> String {
    let (status, page) = house.send("GET", path, &[("Accept-Language", "ja")], "");
    assert_eq!(status, 200, "{path}");
    page
}

fn set(house: &House, machine: &str, form: &str) -> (u16, String) {
    let path = format!("/settings/machines/{machine}");
    house.send("POST", &path, &[FORM, ("Accept-Language", "ja")], form)
}

fn put(house: &House, machine: &str, plate: &Value) -> u16 {
    let path = format!("/api/v1/machines/{machine}/nameplate");
    house.send("PUT", &path, &[JSON], &plate.to_string()).0
}

fn told(house: &House) -> Vec<Value> {
    let evidence = house.get("evidence");
    let entries = evidence["items"].as_array().unwrap();
    let about = entries.iter().filter(|e| e["kind"] == "order.nameplate");
    about.cloned().collect()
}

#[test]
fn a_machine_is_named_and_placed_on_the_page_and_keeps_that() {
    let file = "[[machine]]\nid = \"m2\"\nname_ja = \"フライス\"\nname_en = \"Mill\"\n";
    let mut house = House::with_config(file);
    for machine in ["m1", "m2", "m3"] {
        let token = house.device(machine, &[]);
        tell(&house, machine, &token);
    }
    assert_eq!(on_board(&house), ["m1", "m2", "m3"]);
    let form = "ja=%E6%97%8B%E7%9B%A4%EF%BC%91&en=&group=B%E6%A3%9F&place=%EF%BC%92&deed=save";
    assert_eq!(set(&house, "m1", form).0, 303, "旋盤１, 2nd in B棟");
    let form = "ja=&en=&group=B%E6%A3%9F&place=1&deed=save";
    assert_eq!(set(&house, "m3", form).0, 303, "first in B棟");
    house.kill_and_restart();
    until("all are back", || on_board(&house).len() == 3);
    assert_eq!(on_board(&house), ["m3", "m1", "m2"], "groups first");
    let one = house.get("machines/m1");
    assert_eq!(one["names"], json!({"ja": "旋盤１", "en": "旋盤１"}));
    let board = page(&house, "/");
    assert!(board.contains("旋盤１") && board.contains("B棟") && board.contains("そのほか"));
    assert!(page(&house, "/machines/m1").contains("旋盤１"));
    assert_eq!(told(&house).len(), 2);
    // What nobody said is as the file says.
    let of_file = json!({"ja": "フライス", "en": "Mill"});
    assert_eq!(house.get("machines/m2")["names"], of_file);
    assert_eq!(put(&house, "m2", &json!({"en": "Mill 2"})), 204);
    until("the page wins over the file", || {
        house.get("machines/m2")["names"] == json!({"ja": "フライス", "en": "Mill 2"})
    });
}

#[test]
fn what_cannot_be_taken_is_said_beside_what_was_typed() {
    let house = House::new();
    let token = house.device("m1", &[]);
    tell(&house, "m1", &token);
    let (status, page) = set(
        &house,
        "m1",
        "ja=Press%201&en=&group=&place=first&deed=save",
    );
    assert_eq!(status, 422);
    assert!(page.contains("1 から 9999"), "{page}");
    assert!(page.contains("value=\"Press 1\"") && page.contains("value=\"first\""));
    assert_eq!(page.matches("aria-invalid").count(), 1, "only that field");
    assert_eq!(
        set(&house, "nobody", "ja=x&deed=save").0,
        303,
        "gone meanwhile"
    );
    for wrong in [
        json!({"ja": ""}),
        json!({"ja": "a\u{202e}b"}),
        json!({"place": 70_000}),
        json!({"colour": "red"}),
    ] {
        assert_eq!(put(&house, "m1", &wrong), 400, "{wrong}");
    }
    assert_eq!(put(&house, "nobody", &json!({})), 404);
    assert!(told(&house).is_empty(), "nothing was changed");
    let screen = house.token_for("screen");
    let header = format!("Bearer {screen}");
    let (status, _) = house.send_bare(
        "PUT",
        "/api/v1/machines/m1/nameplate",
        &[JSON, ("Authorization", &header)],
        "{}",
    );
    assert_eq!(status, 403, "a wall screen names nothing");
}

#[test]
fn a_machine_that_is_gone_leaves_the_board_keeps_its_past_and_comes_back_when_heard() {
    let mut house = House::new();
    let tokens = ["m1", "m2"].map(|machine| house.device(machine, &[]));
    tell(&house, "m1", &tokens[0]);
    tell(&house, "m2", &tokens[1]);
    let (status, page) = set(&house, "m1", "ja=&en=&group=&place=&deed=archive");
    assert_eq!(status, 422, "it still sends");
    assert!(page.contains("まだデータが届いています"), "{page}");
    // Nothing has been heard of it since the start.
    house.kill_and_restart();
    until("both are back", || on_board(&house).len() == 2);
    assert_eq!(
        set(&house, "m1", "ja=&en=&group=&place=&deed=archive").0,
        303
    );
    assert_eq!(on_board(&house), ["m2"]);
    let settings = self::page(&house, "/settings");
    assert!(settings.contains("あんどんから外した機械") && settings.contains("set-m1"));
    self::page(&house, "/machines/m1");
    let readings = "machines/m1/readings?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";
    assert_eq!(house.get_all(readings).len(), 1, "its past is kept");
    house.kill_and_restart();
    until("the other is back", || on_board(&house) == ["m2"]);
    tell(&house, "m1", &tokens[0]);
    let entries = told(&house);
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!(entries[0]["body"]["nameplate"]["is_archived"], false);
    house.kill_and_restart();
    until("it stays back", || on_board(&house) == ["m1", "m2"]);
}

#[test]
fn the_factory_lives_by_the_clock_that_a_person_sets() {
    let mut house = House::with_config("[factory]\nzone = \"UTC\"\n");
    let token = house.device("m1", &[]);
    tell(&house, "m1", &token);
    // From here on at the same addresses, whenever it begins anew.
    house.kill_and_restart();
    assert!(page(&house, "/settings").contains("世界標準時"));
    let set = |house: &House, form: &str| {
        let headers = [FORM, ("Accept-Language", "ja")];
        house.send("POST", "/settings/clock", &headers, form)
    };
    for (form, said) in [
        ("zone=Mars%2FBase&day_starts=06%3A30", "Asia/Tokyo です"),
        ("zone=Asia%2FTokyo&day_starts=early", "08:00 のように"),
    ] {
        let (status, page) = set(&house, form);
        assert_eq!(status, 422, "{form}");
        assert!(page.contains(said), "{page}");
        assert_eq!(page.matches("aria-invalid").count(), 1, "only that field");
    }
    assert!(
        page(&house, "/settings").contains("世界標準時"),
        "nothing was changed"
    );
    let pid = house.pid();
    assert_eq!(
        set(&house, "zone=Asia%2FTokyo&day_starts=%EF%BC%96%3A30").0,
        303,
        "６:30"
    );
    let is_so = |house: &House| {
        let day = house.try_get("machines/m1")?["day"]["since"]
            .as_str()?
            .to_owned();
        Some(day.ends_with("T21:30:00Z") || day.ends_with("T21:30:00.000Z"))
    };
    until("the day begins at half past six in Japan", || {
        is_so(&house) == Some(true)
    });
    let shown = page(&house, "/settings");
    assert!(
        !shown.contains("世界標準時") && shown.contains("value=\"06:30\""),
        "{shown}"
    );
    assert!(house.is_running() && house.pid() == pid, "the same process");
    let evidence = house.get("evidence");
    let mut entries = evidence["items"].as_array().unwrap().iter();
    let entry = entries
        .find(|entry| entry["kind"] == "order.clock")
        .unwrap();
    assert_eq!(entry["body"]["clock"]["zone"], "Asia/Tokyo");
    house.kill_and_restart();
    until("it is kept", || is_so(&house) == Some(true));
    let readings = "machines/m1/readings?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";
    assert_eq!(house.get_all(readings).len(), 1, "nothing was lost");
}
