//! Why machines stood still: their downtimes, each with the reason that was told.

use app::views::MaintenanceView;
use kpi::{Downtime, Factory};
use model::{Annotation, Remark, StopReason, Time};
use schemars::JsonSchema;
use serde::Serialize;
use text::{Lang, key};

/// A reason that was told at most this long before the downtime it is about, as it is known now, in
/// milliseconds: what is heard late moves its beginning.
const BEGINS_LATER_MS_MAX: i64 = 60_000;

/// A downtime, and what people said of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Downtime")]
pub struct ExplainedDowntime {
    /// From when.
    pub start: Time,
    /// To when; to now while it lasts.
    pub end: Time,
    /// Seconds of it that were planned for work.
    pub lost_s: f64,
    /// It is shorter than what people are asked about, and nobody said anything.
    pub is_short: bool,
    /// The machine was not to run then: it is no loss. So says its reason, or it was looked after.
    pub is_planned: bool,
    /// It was looked after then.
    pub is_maintained: bool,
    /// Why; null while nobody said it.
    pub reason: Option<StopReason>,
    /// The number of the annotation that says why.
    pub annotation: Option<i64>,
    /// Who said it, as the evidence writes it.
    pub told_by: Option<String>,
}

impl ExplainedDowntime {
    /// Why, in words: as somebody said, or because it was looked after; `None` where nobody knows.
    pub fn why(&self, lang: Lang) -> Option<String> {
        let told = self.reason.as_ref().map(|reason| reason_text(lang, reason));
        let maintained = self
            .is_maintained
            .then(|| lang.text(key::REMARK_MAINTENANCE));
        told.or(maintained)
    }

    /// Whether somebody should say why.
    pub fn is_open_question(&self) -> bool {
        self.reason.is_none() && !self.is_short && !self.is_planned
    }

    /// Which cause it is counted under; `None` for what is no loss.
    pub(crate) fn cause(&self) -> Option<LossCause> {
        match &self.reason {
            _ if self.is_planned => None,
            Some(reason) => Some(LossCause::Told(reason.clone())),
            None if self.is_short => Some(LossCause::Short),
            None => Some(LossCause::Untold),
        }
    }
}

/// A reason in the reader's language, or in the factory's own words.
pub fn reason_text(lang: Lang, reason: &StopReason) -> String {
    match reason {
        StopReason::Usual(usual) => lang.coded("stop-reason-", usual.code()),
        StopReason::Own(words) => words.to_string(),
    }
}

/// Joins downtimes, oldest first, with the reasons among annotations of the same machine, in the
/// order in which they were told: of two reasons of one downtime the later one holds.
pub(crate) fn explain(
    downtimes: &[Downtime],
    annotations: &[Annotation],
    factory: &Factory,
) -> Vec<ExplainedDowntime> {
    let short_s = factory.short_stop_s();
    let plain = |downtime: &Downtime| ExplainedDowntime {
        start: downtime.span.from,
        end: downtime.span.to,
        lost_s: downtime.lost_s,
        is_short: downtime.lost_s < short_s,
        is_planned: false,
        is_maintained: false,
        reason: None,
        annotation: None,
        told_by: None,
    };
    let mut explained: Vec<_> = downtimes.iter().map(plain).collect();
    for window in annotations.iter().filter_map(MaintenanceView::of) {
        // They are cut at its edges.
        for downtime in explained.iter_mut().filter(|d| window.holds(d.start)) {
            downtime.is_short = false;
            downtime.is_planned = true;
            downtime.is_maintained = true;
        }
    }
    for annotation in annotations.iter().filter(|a| a.withdrawn_at.is_none()) {
        let (Remark::StopReason { reason } | Remark::NotProducing { why: reason, .. }) =
            &annotation.said
        else {
            continue;
        };
        let ended = explained.partition_point(|d| d.end <= annotation.at);
        let meant = explained.get_mut(ended);
        let is_near = |d: &&mut ExplainedDowntime| d.start <= annotation.at + BEGINS_LATER_MS_MAX;
        if let Some(downtime) = meant.filter(is_near) {
            downtime.is_short = false;
            downtime.is_planned = factory.is_planned(reason);
            downtime.reason = Some(reason.clone());
            downtime.annotation = Some(annotation.id);
            downtime.told_by = Some(annotation.told_by.clone());
        }
    }
    explained
}

/// What downtimes are counted under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossCause {
    /// Somebody said why.
    Told(StopReason),
    /// Short stops of which nobody said anything.
    Short,
    /// Nobody said why yet.
    Untold,
}

impl LossCause {
    /// The cause in the reader's language.
    pub fn text(&self, lang: Lang) -> String {
        match self {
            Self::Told(reason) => reason_text(lang, reason),
            Self::Short => lang.text(key::STOP_SHORT),
            Self::Untold => lang.text(key::STOP_UNTOLD),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{MachineId, Span, UsualReason};

    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_ms(seconds * 1_000)
    }

    fn reason(usual: UsualReason) -> Remark {
        Remark::StopReason {
            reason: StopReason::Usual(usual),
        }
    }

    fn annotation(id: i64, at_s: i64, said: Remark) -> Annotation {
        Annotation {
            id,
            machine: MachineId::new("press").unwrap(),
            at: at(at_s),
            said,
            told_at: at(9_000),
            told_by: "person:1".to_owned(),
            withdrawn_at: None,
            withdrawn_by: None,
        }
    }

    #[test]
    fn the_reason_that_was_told_last_holds_and_what_was_withdrawn_does_not() {
        let downtime = |from, to| Downtime {
            span: Span::new(at(from), at(to)),
            lost_s: (to - from) as f64,
        };
        let downtimes = [
            downtime(0, 1_000),
            downtime(2_000, 2_100),
            downtime(3_000, 4_000),
            downtime(5_000, 5_010),
        ];
        let withdrawn = Annotation {
            withdrawn_at: Some(at(9_500)),
            ..annotation(5, 3_500, reason(UsualReason::Staff))
        };
        let told = [
            annotation(1, 0, reason(UsualReason::Tool)),
            annotation(2, 0, reason(UsualReason::Material)),
            // Told of a moment at which it ran, as is known by now: the downtime began later.
            annotation(3, 1_960, reason(UsualReason::Planned)),
            annotation(4, 3_500, Remark::Scrap { parts: 1.0 }),
            withdrawn,
            // Nothing stood still anywhere near.
            annotation(6, 4_500, reason(UsualReason::Cleaning)),
        ];
        let explained = explain(&downtimes, &told, &Factory::default());
        let reasons: Vec<_> = explained
            .iter()
            .map(|d| (d.annotation, d.is_planned))
            .collect();
        assert_eq!(
            reasons,
            [
                (Some(2), false),
                (Some(3), true),
                (None, false),
                (None, false)
            ]
        );
        let asked: Vec<_> = explained
            .iter()
            .map(ExplainedDowntime::is_open_question)
            .collect();
        assert_eq!(asked, [false, false, true, false]);
        let causes: Vec<_> = explained.iter().map(ExplainedDowntime::cause).collect();
        let material = LossCause::Told(StopReason::Usual(UsualReason::Material));
        assert_eq!(
            causes,
            [
                Some(material),
                None,
                Some(LossCause::Untold),
                Some(LossCause::Short)
            ]
        );
    }

    #[test]
    fn what_lies_in_maintenance_is_planned_and_what_somebody_said_still_holds() {
        let downtime = |from, to| Downtime {
            span: Span::new(at(from), at(to)),
            lost_s: (to - from) as f64,
        };
        // Cut at the edges of the window, as accounts do.
        let downtimes = [
            downtime(0, 600),
            downtime(600, 1_200),
            downtime(1_200, 5_000),
            downtime(6_000, 7_000),
        ];
        let window =
            |id, from, until| annotation(id, from, Remark::Maintenance { until: at(until) });
        let told = [
            window(1, 600, 1_200),
            window(2, 5_900, 7_100),
            annotation(3, 6_500, reason(UsualReason::Breakdown)),
        ];
        let explained = explain(&downtimes, &told, &Factory::default());
        let planned: Vec<_> = explained
            .iter()
            .map(|d| (d.is_planned, d.is_maintained))
            .collect();
        let (loss, no_loss) = ((false, false), (true, true));
        assert_eq!(planned, [loss, no_loss, loss, (false, true)]);
        let asked: Vec<_> = explained
            .iter()
            .map(ExplainedDowntime::is_open_question)
            .collect();
        assert_eq!(asked, [true, false, true, false]);
        let why: Vec<_> = explained
            .iter()
            .map(|d| d.why(Lang::En).is_some())
            .collect();
        assert_eq!(why, [false, true, false, true]);
    }
}
