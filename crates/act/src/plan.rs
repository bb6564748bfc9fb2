//! Who has to be told what, now. No clock, no socket: the time and the alarms are given, a message
//! that is due or nothing comes out.

use std::collections::BTreeSet;

use model::{Alarm, AlarmKind, Due, MachineId, Recipient, Standing, Time, alarm_key};

/// A sheet that could not be sent at its time is made up for within so many minutes.
const SHEET_LATE_MIN: i64 = 12 * 60;
/// Somebody who was told a moment ago is told the next together with what comes until then.
const GATHER_MS: i64 = 5 * 60_000;
/// After a try that failed the next one waits this long, then twice as long each time,
const RETRY_MS: i64 = 10_000;
/// but never longer than this.
const RETRY_MS_MAX: i64 = 30 * 60_000;

/// What there is to be told at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Present<'a> {
    /// Alarms that last.
    pub open: &'a [Alarm],
    /// Machines that are looked after: nobody is told of theirs.
    pub maintained: &'a BTreeSet<MachineId>,
    /// The moment.
    pub now: Time,
    /// The minute of the day on the wall.
    pub minute: u16,
}

/// The message that is due to somebody.
pub fn due(recipient: &Recipient, standing: &Standing, present: Present<'_>) -> Option<Due> {
    let Present {
        open, now, minute, ..
    } = present;
    let is_maintained = |alarm: &Alarm| {
        let machine = alarm.machine.as_ref();
        machine.is_some_and(|machine| present.maintained.contains(machine))
    };
    let is_quiet = recipient.quiet.is_some_and(|quiet| quiet.holds(minute));
    if is_quiet || is_waiting(standing.not_before, now) {
        return None;
    }
    let since_ms = standing.alarmed.map(|at| now.ms().saturating_sub(at.ms()));
    let again_ms = i64::from(recipient.again_min) * 60_000;
    let told = |alarm: &Alarm| standing.told.get(&alarm_key(alarm));
    let is_told = |alarm: &Alarm| told(alarm).is_some();
    // One told by a clock that was set back since is told anew.
    let is_again = |alarm: &Alarm| {
        let at = told(alarm).and_then(|told| told.at.or(standing.alarmed));
        let waited = at.map(|at| now.ms().saturating_sub(at.ms()));
        again_ms > 0 && waited.is_some_and(|ms| ms < 0 || ms >= again_ms)
    };
    let is_new = |alarm: &&Alarm| {
        // One from a clock that was set back since has lasted nobody knows how long.
        let lasts_ms = now.ms().saturating_sub(alarm.raised_at.ms());
        let is_due = lasts_ms < 0 || lasts_ms >= i64::from(recipient.after_min) * 60_000;
        recipient.takes(alarm)
            && !is_maintained(alarm)
            && (!is_told(alarm) || is_again(alarm))
            // Whoever has seen it takes care of it.
            && alarm.acknowledged_at.is_none()
            && is_due
    };
    let is_open = |key: &String| open.iter().any(|alarm| alarm_key(alarm) == *key);
    let over = standing.told.iter().filter(|(key, _)| !is_open(key));
    let mut new: Vec<Alarm> = open.iter().filter(is_new).cloned().collect();
    // That somebody could not be told waits for a message of its own: it may be over with this one.
    if new
        .iter()
        .any(|alarm| alarm.kind != AlarmKind::NoticeFailed)
    {
        new.retain(|alarm| alarm.kind != AlarmKind::NoticeFailed);
    }
    // What people run to comes first.
    new.sort_by_key(|alarm| (alarm.machine.is_none(), alarm.raised_at));
    let due = Due {
        is_again: new.iter().all(is_told) && !new.is_empty(),
        new,
        over: over
            .map(|(key, told)| (key.clone(), told.clone()))
            .collect(),
        sheet: None,
    };
    let is_recent = since_ms.is_some_and(|ms| (0..GATHER_MS).contains(&ms));
    (!due.is_empty() && !is_recent).then_some(due)
}

/// Whether nothing is tried before a moment that lies ahead. One that lies further ahead than any
/// wait is from a clock that was set back since.
fn is_waiting(not_before: Option<Time>, now: Time) -> bool {
    let ahead = not_before.map(|moment| moment.ms().saturating_sub(now.ms()));
    ahead.is_some_and(|ms| (1..=RETRY_MS_MAX).contains(&ms))
}

/// When somebody was to get a sheet last, at the latest now; `minute` is the minute of the day on
/// the wall. `None` for who gets none, and once it is too late to make up for one.
pub fn sheet_time(recipient: &Recipient, now: Time, minute: u16) -> Option<Time> {
    let ago_min = (i64::from(minute) - i64::from(recipient.sheet_at?)).rem_euclid(24 * 60);
    (ago_min <= SHEET_LATE_MIN).then(|| now - ago_min * 60_000)
}

/// The sheet of the business day that began at `day`, if somebody has not got it.
pub fn sheet_due(standing: &Standing, day: Time, now: Time) -> Option<Due> {
    let sheet = &standing.sheet;
    // One from a clock that was set back since is no later day.
    let is_sent = sheet.day.is_some_and(|sent| sent >= day && sent <= now);
    (!is_sent && !is_waiting(sheet.not_before, now)).then(|| Due {
        sheet: Some(day),
        ..Due::default()
    })
}

/// A message got through.
pub fn sent(standing: &mut Standing, due: &Due, now: Time) {
    for alarm in &due.new {
        let told = model::Told {
            machine: alarm.machine.clone(),
            kind: alarm.kind,
            since: alarm.since,
            at: Some(now),
        };
        standing.told.insert(alarm_key(alarm), told);
    }
    standing.told.retain(|key, _| !due.over.contains_key(key));
    if !due.new.is_empty() {
        standing.alarmed = Some(now);
    }
    if due.sheet.is_some() {
        sheet_done(standing, due);
    }
    (standing.failures, standing.not_before) = (0, None);
    (standing.sent, standing.problem) = (Some(now), None);
}

/// A sheet was sent, or there is nothing to send of its day.
pub fn sheet_done(standing: &mut Standing, due: &Due) {
    standing.sheet = model::SheetStanding {
        day: due.sheet,
        ..model::SheetStanding::default()
    };
}

/// A try failed; it is made again later, and ever later. What keeps a sheet back holds up no alarm.
pub fn failed(standing: &mut Standing, due: &Due, problem: String, now: Time) {
    let (failures, not_before) = if due.sheet.is_some() {
        let sheet = &mut standing.sheet;
        (&mut sheet.failures, &mut sheet.not_before)
    } else {
        (&mut standing.failures, &mut standing.not_before)
    };
    let wait = RETRY_MS.saturating_mul(1_i64 << (*failures).min(16));
    *failures += 1;
    *not_before = Some(now + wait.min(RETRY_MS_MAX));
    standing.problem = Some(problem);
}

#[cfg(test)]
mod tests {
    use model::{About, MachineId, QuietHours, Tongue, Way};

    use super::*;

    const NOON: u16 = 12 * 60;

    fn due(
        to: &Recipient,
        standing: &Standing,
        open: &[Alarm],
        now: Time,
        minute: u16,
    ) -> Option<Due> {
        let maintained = BTreeSet::new();
        let present = Present {
            open,
            maintained: &maintained,
            now,
            minute,
        };
        super::due(to, standing, present)
    }

    fn at(seconds: i64) -> Time {
        Time::from_ms(seconds * 1000)
    }

    fn recipient() -> Recipient {
        Recipient {
            name: "owner".to_owned(),
            way: Way::Mail {
                to: "a@b.jp".to_owned(),
            },
            about: About::All,
            machines: Vec::new(),
            lang: Tongue::Ja,
            after_min: 0,
            again_min: 0,
            quiet: None,
            sheet_at: None,
        }
    }

    fn alarm(id: i64, machine: Option<&str>, raised_s: i64) -> Alarm {
        Alarm {
            id,
            machine: machine.map(|name| MachineId::new(name).unwrap()),
            kind: AlarmKind::Stopped,
            since: at(raised_s),
            raised_at: at(raised_s),
            cleared_at: None,
            acknowledged_at: None,
            acknowledged_by: None,
            reason: None,
        }
    }

    fn ids(due: Option<Due>) -> Vec<i64> {
        due.map_or_else(Vec::new, |due| due.new.iter().map(|a| a.id).collect())
    }

    #[test]
    fn the_first_is_told_at_once_and_the_next_together() {
        let (who, mut standing) = (recipient(), Standing::default());
        let first = [alarm(1, Some("m"), 0)];
        let told = due(&who, &standing, &first, at(0), NOON).unwrap();
        sent(&mut standing, &told, at(0));
        assert_eq!(due(&who, &standing, &first, at(1), NOON), None);
        let more = [
            first[0].clone(),
            alarm(2, Some("m"), 10),
            alarm(3, None, 200),
        ];
        assert_eq!(due(&who, &standing, &more, at(299), NOON), None);
        assert_eq!(ids(due(&who, &standing, &more, at(300), NOON)), [2, 3]);
    }

    #[test]
    fn an_end_is_told_to_whom_the_beginning_was() {
        let (who, mut standing) = (recipient(), Standing::default());
        let open = [alarm(1, Some("m"), 0)];
        let told = due(&who, &standing, &open, at(0), NOON).unwrap();
        sent(&mut standing, &told, at(0));
        let over = due(&who, &standing, &[], at(400), NOON).unwrap();
        assert_eq!((over.new.len(), over.over.len()), (0, 1));
        sent(&mut standing, &over, at(400));
        assert_eq!(due(&who, &standing, &[], at(9_000), NOON), None);
        assert!(standing.told.is_empty());
    }

    #[test]
    fn quiet_hours_keep_what_lasts_for_their_end() {
        let night = QuietHours::parse("22:00", "06:00");
        let who = Recipient {
            quiet: night,
            ..recipient()
        };
        let (open, standing) = ([alarm(1, None, 0)], Standing::default());
        assert_eq!(due(&who, &standing, &open, at(10), 23 * 60), None);
        assert_eq!(ids(due(&who, &standing, &open, at(20), 6 * 60)), [1]);
    }

    #[test]
    fn who_comes_second_is_told_only_what_nobody_has_seen() {
        let second = Recipient {
            after_min: 15,
            ..recipient()
        };
        let standing = Standing::default();
        let mut open = [alarm(1, Some("m"), 0)];
        assert_eq!(due(&second, &standing, &open, at(899), NOON), None);
        assert_eq!(ids(due(&second, &standing, &open, at(900), NOON)), [1]);
        open[0].acknowledged_at = Some(at(60));
        assert_eq!(due(&second, &standing, &open, at(900), NOON), None);
    }

    #[test]
    fn that_somebody_could_not_be_told_waits_for_a_message_of_its_own() {
        let mut failing = alarm(2, None, 1);
        failing.kind = AlarmKind::NoticeFailed;
        let open = [failing, alarm(1, Some("m"), 5)];
        let standing = Standing::default();
        assert_eq!(ids(due(&recipient(), &standing, &open, at(9), NOON)), [1]);
        assert_eq!(
            ids(due(&recipient(), &standing, &open[..1], at(9), NOON)),
            [2]
        );
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nobody() {
        let (who, mut standing) = (recipient(), Standing::default());
        let month = 30 * 86_400;
        let told = due(&who, &standing, &[alarm(1, None, month)], at(month), NOON).unwrap();
        sent(&mut standing, &told, at(month));
        let next = [alarm(1, None, month), alarm(2, None, month)];
        assert_eq!(ids(due(&who, &standing, &next, at(0), NOON)), [2]);
        failed(&mut standing, &Due::default(), String::new(), at(month));
        assert_eq!(ids(due(&who, &standing, &next, at(0), NOON)), [2]);
        let second = Recipient {
            after_min: 10,
            ..recipient()
        };
        assert_eq!(ids(due(&second, &standing, &next, at(0), NOON)), [2]);
    }

    #[test]
    fn an_end_holds_up_no_beginning() {
        let (who, mut standing) = (recipient(), Standing::default());
        let first = [alarm(1, None, 0)];
        let told = due(&who, &standing, &first, at(0), NOON).unwrap();
        sent(&mut standing, &told, at(0));
        let over = due(&who, &standing, &[], at(400), NOON).unwrap();
        sent(&mut standing, &over, at(400));
        assert_eq!(
            ids(due(&who, &standing, &[alarm(2, None, 401)], at(401), NOON)),
            [2]
        );
    }

    #[test]
    fn only_what_somebody_asked_for() {
        let open = [alarm(1, Some("m"), 0), alarm(2, None, 0)];
        let of = |about| {
            let who = Recipient {
                about,
                ..recipient()
            };
            ids(due(&who, &Standing::default(), &open, at(0), NOON))
        };
        assert_eq!(of(About::All), [1, 2]);
        assert_eq!(of(About::Machines), [1]);
        assert_eq!(of(About::Own), [2]);
    }

    #[test]
    fn only_the_machines_somebody_chose_and_none_that_is_looked_after() {
        let machine = |name: &str| MachineId::new(name).unwrap();
        let open = [
            alarm(1, Some("press"), 0),
            alarm(2, Some("saw"), 0),
            alarm(3, None, 0),
        ];
        let chosen = Recipient {
            machines: vec![machine("press"), machine("saw")],
            ..recipient()
        };
        let mut standing = Standing::default();
        assert_eq!(ids(due(&chosen, &standing, &open, at(0), NOON)), [1, 2]);
        let maintained = BTreeSet::from([machine("saw")]);
        let present = |open, maintained, now| Present {
            open,
            maintained,
            now: at(now),
            minute: NOON,
        };
        let told = super::due(&chosen, &standing, present(&open, &maintained, 0)).unwrap();
        assert_eq!(told.new.len(), 1, "{told:?}");
        sent(&mut standing, &told, at(0));
        // What lasts when the maintenance is over is told then; what ended meanwhile is not.
        let over = super::due(&chosen, &standing, present(&open[1..], &maintained, 400));
        assert_eq!(
            over.map(|due| (due.new.len(), due.over.len())),
            Some((0, 1))
        );
        assert_eq!(ids(due(&chosen, &standing, &open, at(401), NOON)), [2]);
    }

    #[test]
    fn a_way_that_fails_is_tried_ever_later_and_never_given_up() {
        let (who, mut standing) = (recipient(), Standing::default());
        let open = [alarm(1, None, 0)];
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..40 {
            failed(
                &mut standing,
                &Due::default(),
                "no answer".to_owned(),
                at(now),
            );
            let before = now;
            while due(&who, &standing, &open, at(now), NOON).is_none() {
                now += 10;
            }
            waits.push(now - before);
        }
        assert_eq!(waits[..4], [10, 20, 40, 80]);
        assert_eq!(waits.last(), Some(&1_800));
        let told = due(&who, &standing, &open, at(now), NOON).unwrap();
        sent(&mut standing, &told, at(now));
        assert_eq!((standing.failures, standing.problem), (0, None));
    }

    #[test]
    fn a_sheet_is_due_once_a_day_from_its_time_on() {
        let to = Recipient {
            sheet_at: Some(470),
            ..recipient()
        };
        let now = at(100 * 86_400);
        let time = |minute: u16| sheet_time(&to, now, minute);
        assert_eq!(time(470), Some(now));
        assert_eq!(time(480), Some(now - 600_000), "made up for");
        assert_eq!(time(469), None, "a day late is too late");
        assert_eq!(sheet_time(&recipient(), now, 470), None, "who wants none");
        let midnight = Recipient {
            sheet_at: Some(1_430),
            ..recipient()
        };
        assert_eq!(
            sheet_time(&midnight, now, 5),
            Some(now - 15 * 60_000),
            "over midnight"
        );
        let (day, mut standing) = (now - 86_400_000, Standing::default());
        let due = sheet_due(&standing, day, now).unwrap();
        failed(&mut standing, &due, "no answer".to_owned(), now);
        assert_eq!(sheet_due(&standing, day, now), None, "tried again later");
        assert_eq!(
            (standing.failures, standing.not_before),
            (0, None),
            "alarms are told"
        );
        assert!(sheet_due(&standing, day, now + 10_000).is_some());
        sent(&mut standing, &due, now);
        assert_eq!(sheet_due(&standing, day, now + 60_000), None, "once");
        assert!(sheet_due(&standing, now, now + 86_400_000).is_some());
    }

    #[test]
    fn what_nobody_has_seen_is_told_again_until_somebody_has() {
        let insists = Recipient {
            again_min: 15,
            ..recipient()
        };
        let ask = |to: &Recipient, standing: &Standing, open: &[Alarm], seconds: i64| {
            due(to, standing, open, at(seconds), 600)
        };
        let open = [alarm(1, Some("press"), 0)];
        let mut standing = Standing::default();
        let first = ask(&insists, &standing, &open, 10).unwrap();
        assert!(!first.is_again);
        sent(&mut standing, &first, at(10));
        assert_eq!(ask(&insists, &standing, &open, 10 + 15 * 60 - 1), None);
        let again = ask(&insists, &standing, &open, 10 + 15 * 60).unwrap();
        assert!(again.is_again && again.new.len() == 1);
        assert_eq!(
            ask(&recipient(), &standing, &open, 10 + 15 * 60),
            None,
            "who did not ask"
        );
        sent(&mut standing, &again, at(10 + 15 * 60));
        assert_eq!(
            ask(&insists, &standing, &open, 10 + 16 * 60),
            None,
            "a quarter later"
        );
        let seen = [Alarm {
            acknowledged_at: Some(Time::from_ms(0)),
            ..open[0].clone()
        }];
        assert_eq!(
            ask(&insists, &standing, &seen, 10 + 60 * 60),
            None,
            "somebody has"
        );
        // Another alarm meanwhile does not put it off.
        let both = [open[0].clone(), alarm(2, Some("saw"), 1_600)];
        let other = ask(&insists, &standing, &both, 1_600).unwrap();
        assert!(!other.is_again && other.new.len() == 1);
        sent(&mut standing, &other, at(1_600));
        let again = ask(&insists, &standing, &both, 1_910).unwrap();
        assert!(again.is_again && again.new.len() == 1, "{again:?}");
        let told_ahead = ask(&insists, &standing, &open, 100).unwrap();
        assert!(told_ahead.is_again, "the clock was set back");
    }
}
