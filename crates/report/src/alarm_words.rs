//! What is said of an alarm, and what to do: of one stray cycle no more than it shows. Heavy
//! advice, such as taking a controller off the network, comes when cycles agree.

use model::Alarm;
use text::Lang;

/// What happened.
pub fn title(lang: Lang, alarm: &Alarm) -> String {
    let of = if alarm.rests_on_one_cycle() {
        "once-"
    } else {
        "alarm-"
    };
    lang.coded(of, alarm.kind.code())
}

/// What to look at, and what to do.
pub fn look(lang: Lang, alarm: &Alarm) -> String {
    let of = if alarm.rests_on_one_cycle() {
        "look-once-"
    } else {
        "look-"
    };
    lang.coded(of, alarm.kind.code())
}
