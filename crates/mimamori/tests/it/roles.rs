//! Every page as every role sees it: a page that a role may not see is refused in words, and nobody
//! is offered a button that is refused when it is pressed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::house::{House, now_ms, until};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const REFUSED: &str = "あなたの役割ではできません";
/// With the owner last: what is pressed may end what the others see.
const ROLES: [&str; 7] = [
    "customer",
    "screen",
    "operator",
    "maintenance",
    "coordinator",
    "manager",
    "owner",
];
/// All but those of a person's own session.
const PAGES: [&str; 31] = [
    "/",
    "/machines/saw-1",
    "/rates",
    "/timeline",
    "/timeline?machine=saw-1",
    "/daily",
    "/daily?period=month",
    "/stops",
    "/lots",
    "/lots/A-1",
    "/maintenance",
    "/demand",
    "/proof",
    "/events",
    "/devices",
    "/connect",
    "/connect/modbus-tcp",
    "/connect/echonet-lite",
    "/network",
    "/evidence",
    "/logs",
    "/people",
    "/settings",
    "/settings/upkeep",
    "/settings/changes",
    "/notices",
    "/sample",
    "/trust",
    "/guide",
    "/search?q=saw",
    "/wall",
];
/// What would end the session that asks, or begin the program anew.
const LEFT_ALONE: [&str; 4] = ["/sign-out", "/end", "/settings/clock", "/sample"];

/// Where a page sends what is pressed on it: forms with a button, and buttons of their own.
fn offered(page: &str) -> BTreeSet<String> {
    let value = |tag: &str, name: &str| {
        let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
        Some(rest.split('"').next()?.replace("&amp;", "&"))
    };
    let forms = page.split("<form ").skip(1);
    let forms = forms.filter_map(|rest| rest.split("</form>").next());
    let pressed = forms.filter(|form| form.contains("<button"));
    let posting = pressed.filter_map(|form| {
        let tag = format!(" {}", form.split('>').next()?);
        value(&tag, "action").filter(|_| tag.contains("method=\"post\""))
    });
    let tags = page.split('<').filter_map(|rest| rest.split('>').next());
    let buttons =
        tags.filter_map(|tag| value(tag, "data-post").or_else(|| value(tag, "formaction")));
    posting.chain(buttons).collect()
}

/// A machine that worked and stood still, with a lot on it, so that there is something to press.
fn furnish(house: &House) {
    let token = house.device("saw-1", &[]);
    let begin = now_ms() - 3_600_000;
    let mut table = "t,power_w,cycle\n".to_owned();
    for step in 0..1_750_i64 {
        let t = begin + step * 2_000;
        let is_waiting = step > 1_300 && step < 1_600 || step % 10 > 6;
        let watts = if is_waiting { 60 } else { 600 };
        writeln!(table, "{t},{watts},{}", step.min(1_300) / 10).unwrap();
    }
    assert_eq!(house.ingest("saw-1", &token, "text/csv", &table).0, 200);
    until("the saw is on the board", || {
        house.get("board").to_string().contains("saw-1")
    });
    let lot = house.send("POST", "/lots", &[FORM], "lot=A-1&machine=saw-1");
    assert!(lot.0 < 400, "{}", lot.1);
}

#[test]
fn nobody_is_offered_what_is_refused_when_it_is_pressed() {
    let house = House::new();
    furnish(&house);
    let tokens = ROLES.map(|role| (role, house.token_for(role)));
    let mut told = Vec::new();
    for (role, token) in &tokens {
        let bearer = format!("Bearer {token}");
        let head = [
            ("Authorization", bearer.as_str()),
            ("Accept-Language", "ja"),
            ("Accept", "text/html"),
        ];
        let (mut seen, mut buttons) = (0, BTreeSet::new());
        for path in PAGES {
            let (status, page) = house.send_bare("GET", path, &head, "");
            match status {
                200 => {
                    seen += 1;
                    buttons.extend(offered(&page));
                }
                403 => assert!(page.contains(REFUSED), "{role} {path}: {page}"),
                303 => {}
                other => panic!("{role} {path}: {other} {page}"),
            }
        }
        buttons.retain(|target| !LEFT_ALONE.iter().any(|left| target.ends_with(left)));
        for target in &buttons {
            let head = [&head[..], &[FORM]].concat();
            let (status, said) = house.send_bare("POST", target, &head, "");
            assert!(
                status < 500 && !said.contains(REFUSED) && !said.contains("not_allowed"),
                "{role} is offered {target}: {status} {said}"
            );
        }
        told.push((*role, seen, buttons.len()));
    }
    let of = |role: &str| told.iter().find(|told| told.0 == role).unwrap();
    assert_eq!(of("owner").1, PAGES.len(), "{told:?}");
    // Who decides more is offered more.
    let offers = ["screen", "operator", "maintenance", "manager", "owner"].map(|role| of(role).2);
    assert!(offers.is_sorted() && offers[1] > 0, "{told:?}");
    assert!(of("customer").1 < of("screen").1, "{told:?}");
}
