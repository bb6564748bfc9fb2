//! What is said of an alarm, and what to do: of one stray cycle no more than it shows. Heavy
//! advice, such as taking a controller off the network, comes when cycles agree.

use model::{Alarm, AlarmKind};
use text::Lang;

/// What happened.
pub fn title(lang: Lang, alarm: &Alarm) -> String {
    lang.coded(
        if is_single(alarm) { "once-" } else { "alarm-" },
        alarm.kind.code(),
    )
}

/// What to look at, and what to do.
pub fn look(lang: Lang, alarm: &Alarm) -> String {
    let of = if is_single(alarm) {
        "look-once-"
    } else {
        "look-"
    };
    lang.coded(of, alarm.kind.code())
}

fn is_single(alarm: &Alarm) -> bool {
    let is_of_cycles = matches!(
        alarm.kind,
        AlarmKind::TamperingSuspected | AlarmKind::WearSuspected
    );
    is_of_cycles && alarm.rests_on_one_cycle()
}
