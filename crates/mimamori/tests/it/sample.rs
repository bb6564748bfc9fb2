//! The sample factory beside a box: begun on the page, looked at, apart from the box in data and
//! sessions, gone with it, and removed as a whole.

use std::time::{Duration, Instant};

use super::house::{House, agent, until};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
/// Two weeks of a workshop take a while to be made.
const PAST_MAX: Duration = Duration::from_secs(150);

fn page(house: &House) -> String {
    house
        .send("GET", "/sample", &[("Accept-Language", "ja")], "")
        .1
}

fn press(house: &House, path: &str) -> u16 {
    house
        .send("POST", path, &[FORM, ("Accept-Language", "ja")], "")
        .0
}

/// Where the sample's pages are, by its link.
fn entered(house: &House) -> Option<String> {
    let url = format!("http://{}/sample/enter", house.http);
    let answer = agent()
        .post(&url)
        .header("Authorization", format!("Bearer {}", house.token))
        .header("Host", format!("localhost:{}", house.http.port()))
        .send_empty()
        .expect("sent");
    let to = answer.headers().get("location")?.to_str().ok()?.to_owned();
    to.contains("/link/")
        .then(|| to.replace("localhost", "127.0.0.1"))
}

#[test]
fn a_sample_is_begun_looked_at_and_removed_and_the_box_knows_nothing_of_it() {
    let mut house = House::new();
    assert!(page(&house).contains("見本を始める"));
    let (_, board) = house.send("GET", "/", &[("Accept-Language", "ja")], "");
    assert!(
        board.contains("href=\"/sample\""),
        "an empty board offers it"
    );
    assert_eq!(press(&house, "/sample"), 303);
    assert!(page(&house).contains("<progress"), "it is being made");
    assert_eq!(press(&house, "/sample"), 303, "pressed twice");
    let begun = Instant::now();
    while !page(&house).contains("見本を開く") {
        assert!(begun.elapsed() < PAST_MAX, "{}", page(&house));
        std::thread::park_timeout(Duration::from_millis(500));
    }
    let link = entered(&house).expect("a link");
    let (sample, _) = link.split_once("/link/").unwrap();
    let shown = agent()
        .get(&link)
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    assert!(shown.contains("<form"), "{shown}");
    let signed = agent().post(&link).send_empty().unwrap();
    let cookie = signed
        .headers()
        .get("set-cookie")
        .unwrap()
        .to_str()
        .unwrap();
    assert!(
        cookie.starts_with("demo-session="),
        "the box's session stays: {cookie}"
    );
    let session = cookie.split(';').next().unwrap();
    let both = format!("session={}; {session}", house.token);
    let mut board = agent()
        .get(format!("{sample}/"))
        .header("Cookie", both)
        .call()
        .unwrap();
    let board = board.body_mut().read_to_string().unwrap();
    assert!(board.contains("/machines/press-1"), "{board}");
    // Nothing of it is in the box.
    assert_eq!(house.get_all("machines").len(), 0);
    // It ends with the box, however that ends.
    house.kill();
    until("the sample has ended with it", || {
        agent().get(format!("{sample}/")).call().is_err()
    });
    house.start();
    until("the box is back", || house.try_get("machines").is_some());
    let left = page(&house);
    assert!(
        left.contains("見本を始める") && left.contains("見本を消す"),
        "{left}"
    );
    assert_eq!(press(&house, "/sample/remove"), 303);
    until("nothing of it is left", || {
        !house.data.join("sample").exists()
    });
}
