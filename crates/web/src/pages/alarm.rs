//! An alarm in a list, on whichever page.

use identity::Gate;
use maud::{Markup, html};
use model::{Alarm, Right};
use report::alarm_words;
use text::key;

use super::taught::{self, Answers};
use super::{Ctx, chart, name_of, timeline, why};

/// An alarm: what to look at, who has seen it, or the button to say so.
pub(super) fn alarm_item(
    ctx: &Ctx,
    gate: &Gate,
    name: Option<&str>,
    alarm: &Alarm,
    answers: &Answers,
) -> Markup {
    html! {
        li.k-alarm {
            (timeline::way::moment(ctx, alarm.machine.as_ref(), alarm.since))
            div {
                strong {
                    @if let Some(name) = name { (name) " " }
                    (alarm_words::title(ctx.lang, alarm))
                }
                p.look { (alarm_words::look(ctx.lang, alarm)) }
                @if let Some(reason) = &alarm.reason {
                    (why(ctx, reason))
                    @if let Some(contrast) = &reason.contrast { (chart::contrast(ctx, contrast)) }
                }
                @match alarm.acknowledged_at {
                    Some(at) => {
                        @let by = alarm.acknowledged_by.as_deref();
                        p.quiet {
                            (ctx.with(key::EVENTS_SEEN, &[("time", &ctx.when(at))]))
                            @if let Some(by) = by { " · " (name_of(ctx, gate, by)) }
                        }
                    }
                    None => @if alarm.id > 0 && ctx.may(Right::Acknowledge) {
                        button type="button"
                            data-post={ "/api/v1/alarms/" (alarm.id) "/acknowledge" } {
                            (ctx.text(key::EVENTS_ACK))
                        }
                    },
                }
                (taught::of_alarm(ctx, alarm, answers))
            }
        }
    }
}
