//! The words of a message about alarms: for people in their language, for programs as JSON, and
//! what the evidence says of it.

use app::views::BoardView;
use jiff::tz::TimeZone;
use model::{Alarm, AlarmKind, Due, MachineId, Time, Told};
use serde_json::{Value, json};
use text::{Lang, key, zoned};

use crate::alarm_words;

/// A message in words: its subject and its text. A message about nothing is a try. `pages` is where
/// the box is opened from elsewhere, if it is.
pub fn notice_text(
    lang: Lang,
    board: &BoardView,
    due: &Due,
    zone: &TimeZone,
    pages: Option<&str>,
) -> (String, String) {
    if due.is_empty() {
        let subject = lang.text(key::NOTICE_TRY_SUBJECT);
        return (subject, lang.text(key::NOTICE_TRY_TEXT));
    }
    let line = |machine: Option<&MachineId>, kind: AlarmKind| {
        let alarm = lang.coded("alarm-", kind.code());
        format!("{}: {alarm}", board.concerned(lang, machine))
    };
    let new_line = |alarm: &Alarm| {
        let title = alarm_words::title(lang, alarm);
        format!("{}: {title}", board.concerned(lang, alarm.machine.as_ref()))
    };
    let new = due.new.iter().map(|alarm| {
        let what = new_line(alarm);
        let since = lang.with(key::NOTICE_SINCE, &[("time", &moment(alarm.since, zone))]);
        let look = alarm_words::look(lang, alarm);
        let place = alarm_words::place(lang, alarm);
        let place = place.map_or(String::new(), |place| format!("  {place}\n"));
        let page = pages.map(|pages| match &alarm.machine {
            Some(machine) => format!("  {pages}/machines/{machine}\n"),
            None if alarm.kind == AlarmKind::DemandHigh => format!("  {pages}/demand\n"),
            None => format!("  {pages}/events\n"),
        });
        let page = page.unwrap_or_default();
        format!("■ {what}\n  {since}\n  {look}\n{place}{page}")
    });
    let over = due.over.values().map(|told| {
        let what = line(told.machine.as_ref(), told.kind);
        format!("□ {}\n", lang.with(key::NOTICE_OVER, &[("what", &what)]))
    });
    let body: Vec<String> = new.chain(over).collect();
    let first = match (due.new.first(), due.over.values().next()) {
        (Some(alarm), _) => new_line(alarm),
        (None, Some(told)) => {
            let what = line(told.machine.as_ref(), told.kind);
            lang.with(key::NOTICE_OVER, &[("what", &what)])
        }
        (None, None) => String::new(),
    };
    let others = body.len().saturating_sub(1);
    let subject = if others == 0 {
        first
    } else {
        lang.with(
            key::NOTICE_AND_MORE,
            &[("first", &first), ("n", &others.to_string())],
        )
    };
    let subject = if due.is_again {
        lang.with(key::NOTICE_AGAIN, &[("what", &subject)])
    } else {
        subject
    };
    let subject = format!("[{}] {subject}", lang.text(key::APP_NAME));
    let text = format!("{}\n{}\n", body.join("\n"), lang.text(key::NOTICE_FOOT));
    (subject, text)
}

fn moment(t: Time, zone: &TimeZone) -> String {
    zoned(t, zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A message for a program.
pub fn notice_json(board: &BoardView, due: &Due, at: Time) -> String {
    let names = |id: Option<&MachineId>| {
        let machine = id.and_then(|id| board.machine(id.as_str()));
        machine.map(|machine| machine.names.clone())
    };
    let alarms = due.new.iter().map(|alarm| {
        let mut item = json!(alarm);
        item["names"] = json!(names(alarm.machine.as_ref()));
        item
    });
    let over = due.over.iter().map(|(id, told): (&String, &Told)| {
        let mut item = json!(told);
        item["key"] = json!(id);
        item
    });
    let body: Value = json!({
        "at": at,
        "try": due.is_empty(),
        "again": due.is_again,
        "alarms": alarms.collect::<Vec<_>>(),
        "over": over.collect::<Vec<_>>(),
    });
    body.to_string()
}

/// What the evidence says of a message: which alarms, and no address.
pub fn notice_about(name: &str, way: &str, due: &Due) -> Value {
    let (new, over) = due.keys();
    let mut about = json!({"to": name, "way": way, "alarms": new, "over": over});
    if let Some(day) = due.sheet {
        about["sheet"] = json!(day);
    }
    about
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_leads_to_the_page_of_what_it_is_about() {
        let alarm = |machine: Option<&str>| model::Alarm {
            id: 1,
            machine: machine.map(|id| MachineId::new(id).unwrap()),
            kind: model::AlarmKind::Stopped,
            since: Time::from_ms(0),
            raised_at: Time::from_ms(0),
            cleared_at: None,
            acknowledged_at: None,
            acknowledged_by: None,
            reason: None,
        };
        let due = Due {
            new: vec![alarm(Some("press-1")), alarm(None)],
            ..Due::default()
        };
        let board = BoardView::empty();
        let text = |pages| notice_text(Lang::En, &board, &due, &TimeZone::UTC, pages).1;
        let told = text(Some("https://192.168.1.10:8443"));
        assert!(
            told.contains("  https://192.168.1.10:8443/machines/press-1\n"),
            "{told}"
        );
        assert!(
            told.contains("  https://192.168.1.10:8443/events\n"),
            "{told}"
        );
        assert!(!text(None).contains("https://"), "nobody could come there");
    }
}
