//! By which clock the factory lives: its zone and the beginning of its day. The program begins anew
//! with another one.

use app::factory_clock::{self, ClockWrong, FactoryClock};
use app::known::Known;
use maud::{Markup, html};
use model::Right;
use text::key;

use super::super::{Ctx, problem_box};

/// Zones that are offered; any other may be typed.
const ZONES: [&str; 8] = [
    "Asia/Tokyo",
    "Asia/Seoul",
    "Asia/Shanghai",
    "Asia/Taipei",
    "Asia/Bangkok",
    "Asia/Ho_Chi_Minh",
    "Asia/Singapore",
    "UTC",
];

/// A clock that could not be taken, as it was typed, and why.
pub(super) struct RefusedClock {
    pub(super) typed: FactoryClock,
    pub(super) field: Option<ClockWrong>,
    pub(super) said: String,
}

/// By which clock the factory lives.
pub(super) fn panel(
    ctx: &Ctx,
    known: &Known,
    saved: Option<&str>,
    refused: Option<&RefusedClock>,
) -> Markup {
    let typed = refused.map_or_else(
        || FactoryClock::of(&known.calendar),
        |refused| refused.typed.clone(),
    );
    let field = refused.and_then(|refused| refused.field);
    let wrong = |of: ClockWrong| (field == Some(of)).then_some("true");
    let may = ctx.may(Right::Judge);
    html! {
        section.panel #clock {
            div.panel-head {
                h2 { (ctx.text(key::SETTINGS_CLOCK)) }
                span.quiet { (ctx.with(key::SETTINGS_CLOCK_NOW, &[("time", &ctx.when(ctx.now))])) }
            }
            @if factory_clock::is_unset(&ctx.zone) {
                (problem_box(&ctx.text(key::SETTINGS_ZONE_UTC)))
            }
            form.plate-form method="post" action="/settings/clock" {
                label {
                    span { (ctx.text(key::SETTINGS_ZONE)) }
                    input name="zone" value=(typed.zone) list="zones" autocomplete="off"
                        required disabled[!may] aria-invalid=[wrong(ClockWrong::Zone)];
                }
                datalist #zones { @for zone in ZONES { option value=(zone) {} } }
                label {
                    span { (ctx.text(key::SETTINGS_DAY_STARTS)) }
                    input name="day_starts" value=(typed.day_starts) inputmode="numeric"
                        autocomplete="off" required disabled[!may]
                        aria-invalid=[wrong(ClockWrong::DayStarts)];
                }
                @if may {
                    div.buttons {
                        button.primary type="submit"
                            data-wait=(ctx.text(key::SETTINGS_BEGINS_ANEW)) {
                            (ctx.text(key::MACHINE_SAVE))
                        }
                    }
                }
            }
            p.quiet { (ctx.text(key::SETTINGS_CLOCK_NOTE)) }
            @if let Some(refused) = refused { p.problem role="alert" { (refused.said) } }
            @if saved == Some("clock") {
                p.done role="status" { (ctx.text(key::SETTINGS_SAVED)) }
            }
        }
    }
}
