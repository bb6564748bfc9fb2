//! The demonstration, whole: 90 seconds in real time, judged by the simulator's own record.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::house::{House, PROGRAM, agent};

#[test]
fn the_demonstration_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    let card = folder.path().join("f.json");
    let seed = std::process::id() % 1_000;
    let output = Command::new(PROGRAM)
        .args([
            "demo",
            "--headless",
            "--for",
            "90s",
            "--seed",
            &seed.to_string(),
            "--scorecard",
        ])
        .arg(&card)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let judged = std::fs::read_to_string(&card).unwrap_or_default();
    assert!(output.status.success(), "seed {seed}: {said}\n{judged}");
    assert!(judged.contains("\"cut\": \"time_source\""), "{judged}");
}

type Answer = ureq::http::Response<ureq::Body>;

const FORM: &str = "application/x-www-form-urlencoded";

/// A demonstration with pages at a port of its own, ended with this.
struct Shown(Child);

impl Drop for Shown {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().ok();
        self.0.wait().ok();
    }
}

/// Asks for a page; gives its status, where it leads, the cookie it sets, and what it says.
fn asked(url: &str, cookie: &str) -> (u16, [String; 2], String) {
    let request = agent().get(url).header("Accept-Language", "en");
    read(request.header("Cookie", cookie).call().unwrap())
}

fn read(mut answer: Answer) -> (u16, [String; 2], String) {
    let said = |name: &str| {
        let value = answer.headers().get(name).map(|v| v.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    };
    let headers = [said("location"), said("set-cookie")];
    let body = answer.body_mut().read_to_string().unwrap_or_default();
    (answer.status().as_u16(), headers, body)
}

#[test]
fn a_demonstration_leads_through_its_pages_and_a_factory_does_not() {
    let house = House::new();
    assert_eq!(house.send("GET", "/tour/1", &[], "").0, 404);
    assert!(!house.send("GET", "/", &[], "").1.contains("/tour/"));
    let child = Command::new(PROGRAM)
        .args(["--lang", "en", "demo", "--headless", "--port", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut shown = Shown(child.unwrap());
    let mut said = BufReader::new(shown.0.stdout.take().unwrap()).lines();
    let link = said
        .find_map(|line| {
            let line = line.ok()?;
            let (_, link) = line.split_once("(works once): ")?;
            Some(link.to_owned())
        })
        .unwrap();
    let signed = agent().post(&link).content_type(FORM).send("").unwrap();
    let (_, [_, session], _) = read(signed);
    let session = session.split(';').next().unwrap().to_owned();
    let host = link.split("/link/").next().unwrap();
    let url = |path: &str| format!("{host}{path}");
    let (_, _, board) = asked(&url("/"), &session);
    assert!(board.contains("href=\"/tour/1\""), "{board}");
    for n in 1..=7 {
        let (status, [to, cookie], _) = asked(&url(&format!("/tour/{n}")), &session);
        assert_eq!(status, 303);
        assert!(cookie.starts_with(&format!("tour={n};")), "{cookie}");
        let (status, _, page) = asked(&url(&to), &format!("{session}; tour={n}"));
        assert_eq!(status, 200, "{to}");
        assert!(page.contains(&format!("Stop {n} of 7")), "{to}: {page}");
        let leads_on = page.contains(&format!("href=\"/tour/{}\"", n + 1));
        assert_eq!(leads_on, n < 7, "{to}");
    }
    assert_eq!(asked(&url("/tour/8"), &session).0, 404);
    let (_, [to, cookie], _) = asked(&url("/tour/end"), &session);
    assert!(to == "/" && cookie.contains("Max-Age=0"), "{to} {cookie}");
}
