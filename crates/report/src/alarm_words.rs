//! What is said of an alarm, and what to do: of one stray cycle no more than it shows. Heavy
//! advice, such as taking a controller off the network, comes when cycles agree.

use app::views::MachineView;
use model::{Alarm, AlarmKind, CyclePart, DeviationReason, FindingKind, UNNAMED_PRODUCT};
use text::{Lang, key};

fn named(lang: Lang, kind: AlarmKind, is_of_one_cycle: bool) -> String {
    let of = if is_of_one_cycle { "once-" } else { "alarm-" };
    lang.coded(of, kind.code())
}

/// What happened.
pub fn title(lang: Lang, alarm: &Alarm) -> String {
    named(lang, alarm.kind, alarm.rests_on_one_cycle())
}

/// What happened to a machine, where something is alarmed of it.
pub fn title_of_machine(lang: Lang, machine: &MachineView) -> Option<String> {
    let kind = machine.alarms.first()?;
    Some(named(lang, *kind, machine.is_unconfirmed))
}

/// What was noticed, of the product that was made then.
pub fn finding(
    lang: Lang,
    kind: FindingKind,
    product: &str,
    reason: Option<&DeviationReason>,
) -> String {
    let is_of_one_cycle = reason.is_some_and(DeviationReason::is_of_one_cycle);
    match (kind.alarm(), product.strip_prefix(UNNAMED_PRODUCT)) {
        (Some(alarm), _) if is_of_one_cycle => named(lang, alarm, true),
        _ if kind != FindingKind::ProductChanged => lang.coded("finding-", kind.code()),
        (_, Some(number)) => lang.with(key::FINDING_SHAPE_CHANGED, &[("number", number)]),
        (_, None) => lang.with(key::FINDING_PRODUCT_CHANGED, &[("product", product)]),
    }
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

/// In which part of the cycle the change is, where it is in one.
pub(crate) fn place(lang: Lang, alarm: &Alarm) -> Option<String> {
    let contrast = alarm.reason.as_ref()?.contrast.as_ref()?;
    let part = contrast.part();
    (part != CyclePart::Whole).then(|| lang.coded("why-part_", part.code()))
}
