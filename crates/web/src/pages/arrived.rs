//! Values that arrived from devices of other makers: which machine each concerns, given with one
//! tap.

use app::ports::devices::{DeviceChange, DeviceChanged, DeviceProblem};
use app::views::BoardView;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use model::{Binding, DeviceId, MachineId, Place, Right, Seen, Wrong, WrongWhy};
use serde::Deserialize;
use text::key;

use super::devices::{self, value_text};
use super::typed::half_width;
use super::{Ctx, problem_box};
use crate::http::access::DEVICES;
use crate::http::asked::{Asked, Visitor};
use crate::http::route::{Route, page};
use crate::pages::devices::DevicesPart;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(post "/bindings", DEVICES, bind),
    page!(post "/bindings/end", DEVICES, unbind),
];

/// What a value can be for a machine, beside what its maker calls it.
const MEANINGS: [&str; 8] = [
    "power_w",
    "cycle",
    "pulse",
    "red",
    "yellow",
    "green",
    "vibration_mm_s",
    "temperature_c",
];
/// Longest guess of a machine's name.
const GUESS_MAX: usize = 40;

/// What a browser says of a value.
#[derive(Debug, Deserialize)]
pub(crate) struct WantedBinding {
    device: String,
    #[serde(default)]
    behind: String,
    point: String,
    #[serde(default)]
    machine: String,
    #[serde(default, rename = "as")]
    becomes: String,
}

impl WantedBinding {
    fn place(&self) -> Result<Place, Wrong> {
        let device = DeviceId::new(&self.device);
        Ok(Place {
            device: device.map_err(|_| Wrong::new("id", WrongWhy::Name))?,
            behind: self.behind.clone(),
            point: self.point.clone(),
        })
    }

    fn binding(&self) -> Result<Binding, Wrong> {
        let machine = MachineId::new(half_width(&self.machine).trim());
        Ok(Binding {
            place: self.place()?,
            machine: machine.map_err(|_| Wrong::new("machine", WrongWhy::Name))?,
            becomes: self.becomes.clone(),
        })
    }
}

/// Gives a value to a machine.
pub(crate) async fn bind(
    State(site): State<DevicesPart>,
    Asked(visitor): Asked<Visitor>,
    Form(wanted): Form<WantedBinding>,
) -> Response {
    let done = match wanted.binding() {
        Ok(binding) => {
            let change = DeviceChange::Bind(binding);
            site.devices.change(change, &visitor.who.actor()).await
        }
        Err(wrong) => Err(DeviceProblem::Wrong(wrong)),
    };
    finish(&site, &visitor, done).await
}

/// A value is no longer given to anybody.
pub(crate) async fn unbind(
    State(site): State<DevicesPart>,
    Asked(visitor): Asked<Visitor>,
    Form(wanted): Form<WantedBinding>,
) -> Response {
    let done = match wanted.place() {
        Ok(place) => {
            let change = DeviceChange::Unbind(place);
            site.devices.change(change, &visitor.who.actor()).await
        }
        Err(wrong) => Err(DeviceProblem::Wrong(wrong)),
    };
    finish(&site, &visitor, done).await
}

async fn finish(
    site: &DevicesPart,
    visitor: &Visitor,
    done: Result<DeviceChanged, DeviceProblem>,
) -> Response {
    let done = done.map_err(|problem| problem_box(&problem.text(visitor.lang)));
    devices::finish(site, visitor, "/devices#arrived", done).await
}

/// The section; nothing if nobody of another maker has spoken.
pub(crate) fn section(ctx: &Ctx, site: &DevicesPart, board: &BoardView) -> Markup {
    let seen = site.arrivals.seen();
    let is_one = |a: &Seen, b: &Seen| {
        (&a.place.device, &a.place.behind) == (&b.place.device, &b.place.behind)
    };
    let has_gateway = board.devices.iter().any(|device| device.is_gateway);
    html! {
        @if !seen.is_empty() || has_gateway {
            section.panel #arrived {
                div.panel-head { h2 { (ctx.text(key::ARRIVED_TITLE)) } }
                p.quiet { (ctx.text(key::ARRIVED_NOTE)) }
                @if seen.is_empty() { p.quiet { (ctx.text(key::ARRIVED_NONE)) } }
                ul.cards.arrived {
                    @for group in seen.chunk_by(is_one) { (card(ctx, board, group)) }
                }
                datalist id="l-machines" {
                    @for machine in &board.machines { option value=(machine.id) {} }
                }
            }
        }
    }
}

fn card(ctx: &Ctx, board: &BoardView, group: &[Seen]) -> Markup {
    let Some(first) = group.first() else {
        return html! {};
    };
    let place = &first.place;
    let name = if place.behind.is_empty() {
        place.device.as_str()
    } else {
        &place.behind
    };
    html! {
        li.card {
            span.row {
                strong.long { (name) }
                span.quiet {
                    (first.maker)
                    @if !place.behind.is_empty() { " · " (place.device) }
                }
            }
            @for seen in group { (row(ctx, board, seen)) }
        }
    }
}

fn row(ctx: &Ctx, board: &BoardView, seen: &Seen) -> Markup {
    let place = &seen.place;
    let device = place.device.as_str();
    let known = board.devices.iter().find(|known| known.id == device);
    let own = known.map_or(device, |known| known.machine.as_str());
    let machine = |id: &str| board.called(ctx.lang, id).to_owned();
    let text = |code: &str| ctx.lang.coded_or_code("point-", code);
    html! {
        details.value {
            summary {
                span.long { (text(&place.point)) } strong { (value_text(seen.value)) }
                @match &seen.binding {
                    Some(bound) => span.bound {
                        (ctx.with(key::ARRIVED_BOUND, &[
                            ("machine", &machine(bound.machine.as_str())),
                            ("as", &text(&bound.becomes)),
                        ]))
                    },
                    None if place.behind.is_empty() => span.quiet {
                        (ctx.with(key::ARRIVED_OWN, &[("machine", &machine(own))]))
                    },
                    None => span.quiet { (ctx.text(key::ARRIVED_NOBODY)) },
                }
            }
            p.quiet { (ctx.with(key::DEVICES_LAST, &[("time", &ctx.when(seen.at))])) }
            @if ctx.may(Right::Devices) { (form(ctx, seen, own)) }
        }
    }
}

fn hidden(place: &Place) -> Markup {
    html! {
        input type="hidden" name="device" value=(place.device);
        input type="hidden" name="behind" value=(place.behind);
        input type="hidden" name="point" value=(place.point);
    }
}

/// Filled in so that one tap is enough where the guess is right.
fn form(ctx: &Ctx, seen: &Seen, own: &str) -> Markup {
    let place = &seen.place;
    let (machine, meaning) = match &seen.binding {
        Some(bound) => (bound.machine.to_string(), bound.becomes.clone()),
        None => (guessed_machine(place, own), guessed_meaning(&place.point)),
    };
    let text = |code: &str| ctx.lang.coded_or_code("point-", code);
    html! {
        form.stack method="post" action="/bindings" {
            (hidden(place))
            label {
                (ctx.lang.coded("field-", "machine-bound"))
                input name="machine" value=(machine) list="l-machines" maxlength="64"
                    autocomplete="off" autocapitalize="none";
            }
            label {
                (ctx.lang.coded("field-", "as"))
                select name="as" {
                    @for code in MEANINGS {
                        option value=(code) selected[code == meaning] { (text(code)) }
                    }
                    @if !MEANINGS.contains(&place.point.as_str()) {
                        option value=(place.point) selected[place.point == meaning] {
                            (ctx.with(key::ARRIVED_SAME, &[("point", &text(&place.point))]))
                        }
                    }
                }
            }
            button.primary type="submit" { (ctx.text(key::CONNECT_ADD)) }
        }
        @if seen.binding.is_some() {
            form.plain method="post" action="/bindings/end" {
                (hidden(place))
                button type="submit" { (ctx.text(key::ARRIVED_END)) }
            }
        }
    }
}

/// A machine of the name of the device behind the gateway, as far as that can be one.
fn guessed_machine(place: &Place, own: &str) -> String {
    if place.behind.is_empty() {
        return own.to_owned();
    }
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fine = |c: char| if is_fine(c) { c } else { '-' };
    let name = half_width(&place.behind);
    let name: String = name.chars().map(fine).take(GUESS_MAX).collect();
    name.trim_matches('-').to_owned()
}

fn guessed_meaning(point: &str) -> String {
    let is_power = point.starts_with("power") && point.ends_with("_w");
    if is_power {
        "power_w".to_owned()
    } else if point.starts_with("counter") {
        "cycle".to_owned()
    } else {
        point.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guessed_can_be_taken() {
        let place = |behind: &str| Place {
            device: DeviceId::new("z2m").unwrap(),
            behind: behind.to_owned(),
            point: "power_a_w".to_owned(),
        };
        assert_eq!(
            guessed_machine(&place("hall 1/ｃlamp"), "z2m"),
            "hall-1-clamp"
        );
        assert_eq!(guessed_machine(&place(""), "press-1"), "press-1");
        assert_eq!(
            ["power_a_w", "counter_c1", "humidity_percent"].map(guessed_meaning),
            ["power_w", "cycle", "humidity_percent"]
        );
    }
}
