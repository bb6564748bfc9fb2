//! One business day in detail: the factory as a whole, then each machine with its line of time.

use maud::{Markup, html};
use model::{MachineId, MachineState, Span, StateInterval};
use report::daily_words::count;
use report::machine_account::MachineAccount;
use text::{energy, key};

use super::super::{Ctx, chart, number, state_badge, strip};

/// Columns of a line of time.
const COLUMNS: usize = 288;
/// Waits inside cycles are told if they take more than this share of running.
const WAIT_SHARE_TOLD: f64 = 0.01;
/// The shortest stretch a line of time shows, in milliseconds.
const SHOWN_MS_MIN: i64 = 3_600_000;
/// Energy fed back is shown from so many watt-hours on,
const FED_IN_WH_MIN: f64 = 10.0;
/// if it is more than this share of what was drawn.
const FED_IN_SHARE_MIN: f64 = 0.001;

/// The day of the factory.
pub(super) fn section(
    ctx: &Ctx,
    span: Span,
    accounts: &[MachineAccount],
    name_of: &dyn Fn(&MachineId) -> String,
) -> Markup {
    let shown = shown_span(span, accounts.iter());
    html! {
        section.panel #day {
            div.panel-head {
                h2 { (ctx.with(key::RATES_DAY, &[("day", &ctx.date(span.from))])) }
                span.quiet { (ctx.with(key::RATES_UNTIL, &[("time", &ctx.when(span.to))])) }
            }
            (totals(ctx, accounts))
            ul.accounts {
                @for account in accounts {
                    li.account {
                        span.row {
                            a href={ "/machines/" (account.machine) } {
                                strong { (name_of(&account.machine)) }
                            }
                            span.big {
                                (percent(account.account.rate_observed())) small {
                                    (ctx.text(key::UNIT_PERCENT))
                                }
                            }
                        }
                        (time_line(ctx, account, shown))
                        (figures(ctx, account))
                    }
                }
            }
            ul.legend {
                @for state in MachineState::ALL.iter().copied() {
                    li { (state_badge(ctx.lang, state)) }
                }
            }
        }
    }
}

/// A day of one machine, for its own page.
pub(crate) fn of_machine(ctx: &Ctx, account: &MachineAccount, title: &str) -> Markup {
    let span = account.account.span;
    let shown = shown_span(span, std::iter::once(account));
    html! {
        section.panel {
            div.panel-head {
                h2 { (title) }
                span.quiet { (ctx.with(key::RATES_UNTIL, &[("time", &ctx.when(span.to))])) }
                a.end href="/rates" { (ctx.text(key::RATES_TITLE)) }
            }
            (time_line(ctx, account, shown))
            (figures(ctx, account))
        }
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::RATES_SPREAD)) }
                span.quiet { (ctx.text(key::UNIT_S)) }
            }
            @match account.cycle_time() {
                Some(usual) => (chart::spread(ctx, &account.account.cycle_times, usual)),
                None => p.quiet { (ctx.text(key::MACHINE_CYCLES_NONE)) },
            }
        }
    }
}

/// From the first that was seen to the end, so that a young day fills its lines.
fn shown_span<'a>(span: Span, accounts: impl Iterator<Item = &'a MachineAccount>) -> Span {
    let Span { from, to } = span;
    let first = accounts.filter_map(|account| account.account.begun).min();
    let from = first.unwrap_or(from).max(from).min(to - SHOWN_MS_MIN);
    Span::new(from, to)
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.1}", rate * 100.0))
}

/// Energy a machine fed back, in watt-hours; what a meter trembles around zero is none.
fn fed_in(account: &MachineAccount) -> Option<f64> {
    let energy = &account.account.energy;
    let drawn = energy.drawn_wh.unwrap_or(0.0);
    energy
        .fed_in_wh
        .filter(|wh| *wh >= FED_IN_WH_MIN && *wh > FED_IN_SHARE_MIN * drawn)
}

/// The factory's day in a row of figures.
fn totals(ctx: &Ctx, accounts: &[MachineAccount]) -> Markup {
    let sum = |value: &dyn Fn(&MachineAccount) -> f64| accounts.iter().map(value).sum::<f64>();
    let all = |value: &dyn Fn(&MachineAccount) -> Option<f64>| -> Option<f64> {
        let known: Vec<f64> = accounts.iter().filter_map(value).collect();
        (!known.is_empty()).then(|| known.iter().sum())
    };
    let observed_s = sum(&|a| a.account.observed_s());
    let run_s = sum(&|a| a.account.seconds(MachineState::Run));
    let planned_s = all(&|a| a.account.planned_s()).filter(|s| *s > 0.0);
    let wh = all(&|a| a.account.energy.drawn_wh);
    let standby_wh = all(&|a| a.account.energy.standby_wh);
    let price = |yen_of: Option<f64>| yen_of.map(|y| ctx.lang.yen(y));
    let card = |label: String, value: String, note: Option<String>| {
        html! {
            div.kpi {
                span.label { (label) } span.value { (value) }
                @if let Some(note) = note { span.note { (note) } }
            }
        }
    };
    let rate = (observed_s > 0.0).then(|| run_s / observed_s);
    let planned = planned_s.map(|s| sum(&|a| a.account.planned_run_s) / s);
    let planned = planned.map(|p| ctx.with(key::RATES_OF_PLANNED, &[("rate", &percent(Some(p)))]));
    let standby_share = standby_wh.zip(wh).filter(|(_, all)| *all > 0.0);
    let standby_note = [
        price(all(&|a| a.account.energy.standby_yen)),
        standby_share.map(|(rest, all)| format!("{:.0} %", 100.0 * rest / all)),
    ];
    let standby_note: Vec<String> = standby_note.into_iter().flatten().collect();
    html! {
        div.kpis {
            (card(ctx.text(key::MACHINE_RATE), format!("{} %", percent(rate)), planned))
            (card(
                ctx.text(key::DAILY_LOST),
                ctx.lang.length(sum(&MachineAccount::lost_s)),
                price(all(&MachineAccount::stop_yen)),
            ))
            @if let Some(wh) = wh {
                (card(
                    ctx.text(key::RATES_ENERGY),
                    energy(wh),
                    price(all(&|a| a.account.energy.drawn_yen)),
                ))
            }
            @if let Some(wh) = all(&fed_in) {
                (card(ctx.text(key::RATES_FED_IN), energy(wh), None))
            }
            @if let Some(wh) = standby_wh {
                (card(ctx.text(key::RATES_STANDBY), energy(wh), Some(standby_note.join(" · "))))
            }
        }
    }
}

/// The day as a line, with its ends written below.
fn time_line(ctx: &Ctx, account: &MachineAccount, span: Span) -> Markup {
    let stretches = account
        .chronicle
        .iter()
        .flat_map(|chronicle| &chronicle.stretches);
    let states: Vec<StateInterval> = stretches
        .map(|stretch| StateInterval {
            state: stretch.state,
            from: stretch.from,
            to: Some(stretch.to),
        })
        .collect();
    html! {
        div.strip-day { (strip::strip_svg(&states, span, COLUMNS)) }
        span.row.quiet.small { span { (ctx.clock(span.from)) } span { (ctx.clock(span.to)) } }
    }
}

fn with_yen(ctx: &Ctx, text: &str, price: Option<f64>) -> Markup {
    html! {
        span { (text) }
        @if let Some(price) = price { " " span.price { (ctx.lang.yen(price)) } }
    }
}

/// How long a machine stood still although it was to run, and the way to why.
fn lost(ctx: &Ctx, account: &MachineAccount) -> Markup {
    let (lost_s, short) = (account.lost_s(), account.short_stops());
    let stops = format!(
        "/stops?machine={}&date={}",
        account.machine,
        ctx.date(account.account.span.from)
    );
    html! {
        @if lost_s > 0.0 {
            div {
                dt { a href=(stops) { (ctx.text(key::DAILY_LOST)) } }
                dd { (with_yen(ctx, &ctx.lang.length(lost_s), account.stop_yen())) }
            }
            @if short > 0 {
                div {
                    dt { (ctx.text(key::STOP_SHORT)) }
                    dd { (ctx.lang.times(short)) }
                }
            }
        }
    }
}

/// What a machine's day comes to in numbers; what was not measured is left out.
fn figures(ctx: &Ctx, account: &MachineAccount) -> Markup {
    let times = &account.account;
    let figure = |label: String, value: Markup| html! { div { dt { (label) } dd { (value) } } };
    let plain = |value: String| html! { (value) };
    let length = |seconds: f64| ctx.lang.length(seconds);
    let with_yen = |text: String, price: Option<f64>| with_yen(ctx, &text, price);
    html! {
        dl.figures {
            @for state in MachineState::ALL.iter().copied() {
                @let seconds = times.seconds(state);
                @if seconds > 0.0 {
                    div {
                        dt { (state_badge(ctx.lang, state)) }
                        dd { @match state {
                            MachineState::Setup => {
                                (length(seconds)) " · "
                                (ctx.lang.times(times.setups()))
                            }
                            _ => (length(seconds)),
                        } }
                    }
                }
            }
            @if times.cycle_wait_s > WAIT_SHARE_TOLD * times.seconds(MachineState::Run) {
                (figure(ctx.text(key::RATES_CYCLE_WAIT), plain(length(times.cycle_wait_s))))
            }
            (lost(ctx, account))
            @if let Some(planned) = times.rate_planned() {
                (figure(
                    ctx.text(key::RATES_BY_PLANNED),
                    plain(format!("{} %", percent(Some(planned)))),
                ))
            }
            @if times.cycles > 0 {
                (figure(ctx.text(key::RATES_PARTS), plain(count(account.parts()))))
            }
            @if let Some([low, median, high]) = account.cycle_time() {
                (figure(ctx.text(key::MACHINE_CYCLE), plain(ctx.with(key::RATES_CYCLE_TIME, &[
                    ("median", &number(median)), ("low", &number(low)), ("high", &number(high)),
                ]))))
            }
            @if let Some(wh) = times.energy.drawn_wh {
                (figure(
                    ctx.text(key::RATES_ENERGY),
                    with_yen(energy(wh), times.energy.drawn_yen),
                ))
            }
            @if let Some(wh) = fed_in(account) {
                (figure(ctx.text(key::RATES_FED_IN), plain(energy(wh))))
            }
            @if let Some(wh) = times.energy.standby_wh {
                (figure(
                    ctx.text(key::RATES_STANDBY),
                    with_yen(energy(wh), times.energy.standby_yen),
                ))
            }
            @if let Some(wh) = account.wh_per_part() {
                (figure(
                    ctx.text(key::RATES_PER_PART),
                    with_yen(energy(wh), account.yen_of(wh)),
                ))
            }
        }
    }
}
