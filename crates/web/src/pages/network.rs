//! What is on the network: everybody who showed up, what could be done with each, and what cannot
//! be seen from here.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use model::{Coverage, DeviceId, Neighbour, Right, SeenBy};
use text::key;

use super::{Ctx, Place, frame};
use crate::api::neighbours::{NetworkPart, Proposal, seen};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/network", LOOK, show)];

/// The page.
pub(crate) async fn show(
    State(site): State<NetworkPart>,
    Asked(visitor): Asked<Visitor>,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, &visitor);
    let found = seen(&site).await?;
    let n = found.items.len().to_string();
    let body = html! {
        p.back { a href="/devices" { (ctx.text(key::CONNECT_BACK)) } }
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::NETWORK_WHO)) }
                span.quiet { (ctx.with(key::NETWORK_COUNT, &[("n", &n)])) }
            }
            @if found.items.is_empty() { p.quiet { (ctx.text(key::NETWORK_NOBODY)) } }
            ul.cards {
                @for seen in &found.items {
                    (card(&ctx, &seen.neighbour, seen.proposal.as_ref()))
                }
            }
        }
        (covered(&ctx, found.coverage))
    };
    let title = ctx.text(key::NETWORK_TITLE);
    Ok(frame(&ctx, Place::Devices, &title, "", body))
}

fn card(ctx: &Ctx, neighbour: &Neighbour, proposal: Option<&Proposal>) -> Markup {
    let address = neighbour.address.to_string();
    let name = neighbour.names.iter().next().unwrap_or(&address);
    let others = neighbour.names.iter().skip(1).chain(&neighbour.services);
    let others: Vec<&str> = others.map(String::as_str).collect();
    let by = neighbour
        .seen_by
        .iter()
        .map(|by| ctx.lang.coded("seen-by-", by.code()));
    let by: Vec<String> = by.collect();
    html! {
        li.card {
            span.row {
                strong.long { (name) }
                @if let Some(Proposal::Connected { .. }) = proposal {
                    span.badge.t-run { (ctx.text(key::NETWORK_CONNECTED)) }
                }
            }
            span.quiet {
                (address) @if let Some(hardware) = &neighbour.hardware { " · " (hardware) }
            }
            @if !others.is_empty() { span.quiet.small.long { (others.join(" · ")) } }
            span.quiet.small { (by.join(" · ")) }
            span.quiet.small {
                (ctx.with(key::DEVICES_LAST, &[("time", &ctx.when(neighbour.last))]))
            }
            (what_to_do(ctx, neighbour, proposal))
        }
    }
}

/// How it could be called here: as it calls itself.
fn called(neighbour: &Neighbour) -> Option<DeviceId> {
    let names = neighbour.names.iter();
    let short =
        names.filter_map(|name| DeviceId::new(name.strip_suffix(".local").unwrap_or(name)).ok());
    short.min_by_key(|name| name.as_str().len())
}

fn what_to_do(ctx: &Ctx, neighbour: &Neighbour, proposal: Option<&Proposal>) -> Markup {
    let address = neighbour.address.to_string();
    let name = called(neighbour);
    let register = match &name {
        Some(name) => format!("/devices?name={name}#register"),
        None => "/devices#register".to_owned(),
    };
    let may = ctx.may(Right::Devices);
    html! {
        @match proposal {
            Some(Proposal::Connected { device }) => {
                span { (ctx.with(key::NETWORK_AS, &[("name", device)])) }
            }
            Some(Proposal::Register) => {
                span { (ctx.text(key::NETWORK_SENDS)) }
                @if may { span { a.button href=(register) { (ctx.text(key::DEVICES_ADD)) } } }
            },
            Some(Proposal::Read { driver, class }) => {
                @let of = class.as_ref().map(|class| format!("&class={class}"));
                @let of = of.unwrap_or_default();
                span {
                    @match class {
                        Some(class) => (ctx.lang.coded("choice-class-", class)),
                        None => (ctx.lang.coded("source-kind-", driver)),
                    }
                }
                @if may {
                    span {
                        a.button href={ "/connect/" (driver) "?address=" (address) (of) } {
                            (ctx.text(key::CONNECT_USE))
                        }
                    }
                }
            },
            None => @if may {
                details {
                    summary.quiet { (ctx.text(key::NETWORK_KNOW)) }
                    p {
                        a href={ "/connect/modbus-tcp?address=" (address) } {
                            (ctx.lang.coded("source-kind-", "modbus-tcp"))
                        }
                    }
                    p {
                        a href={ "/connect/echonet-lite?address=" (address) } {
                            (ctx.lang.coded("source-kind-", "echonet-lite"))
                        }
                    }
                    p { a href=(register) { (ctx.text(key::CONNECT_SPEAKS)) } }
                }
            },
        }
    }
}

/// What can be seen from here, and what cannot.
fn covered(ctx: &Ctx, coverage: Coverage) -> Markup {
    let ways = [
        (SeenBy::Table, coverage.table),
        (SeenBy::Mdns, coverage.mdns),
        (SeenBy::Ssdp, coverage.ssdp),
        (SeenBy::Echonet, coverage.echonet),
        (SeenBy::Mqtt, true),
    ];
    html! {
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::NETWORK_COVERAGE)) }
                span.quiet {
                    (ctx.with(key::CONNECT_SINCE, &[("time", &ctx.when(coverage.since))]))
                }
            }
            p { (ctx.text(key::NETWORK_PASSIVE)) }
            ul.why {
                @for (way, is_heard) in ways {
                    li {
                        (ctx.lang.coded("seen-by-", way.code())) " "
                        @if !is_heard { span.cause { (ctx.text(key::NETWORK_NOT_HEARD)) } }
                    }
                }
            }
            p.quiet { (ctx.text(key::NETWORK_SWITCH)) }
        }
    }
}
