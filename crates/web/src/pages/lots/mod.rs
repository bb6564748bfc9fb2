//! Lots: where each is, and its way through the machines. A scanner that types its code and Enter,
//! or a telephone that reads the slip of a lot, says in one step that a lot has come to a machine.

pub(crate) mod guest;
mod way;

use std::sync::Arc;

use app::annotations::Annotations;
use app::known::Known;
use app::ports::network::Network;
use app::views::{BoardView, TrustView};
use axum::Form;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use identity::Gate;
use maud::{Markup, html};
use model::{Annotation, MachineId, Remark, Right, Title, lot_number};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use report::lots::{LotPlace, LotTrace, lot_at, lots};
use report::paper;
use report::remarks::remark_text;
use serde::Deserialize;
use store::Pass;
use text::key;

use self::way::WayOf;
use super::entry::{RefusedEntry, WrongEntry};
use super::reach::reached;
use super::words::help;
use super::{Ctx, Place, daily, door, frame, name_of, problem_box, qr, shown_once, typed};
use crate::changes;
use crate::http::access::{ACKNOWLEDGE, LOOK, PEOPLE};
use crate::http::asked::{Asked, Here, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the pages of lots need.
    LotsPart {
        known: Known,
        gate: Arc<Gate>,
        annotations: Arc<Annotations>,
        network: Arc<dyn Network>,
        trust: Option<Arc<TrustView>>,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/lots", LOOK, show),
    page!(post "/lots", ACKNOWLEDGE, scan),
    page!(get "/lots/{lot}", LOOK, show_one),
    page!(get "/lots/{lot}/slip", LOOK, slip),
    page!(get "/lots/{lot}/pdf", LOOK, print),
    page!(post "/lots/{lot}/begin", ACKNOWLEDGE, begin),
    page!(post "/lots/{lot}/end", ACKNOWLEDGE, end),
    page!(post "/lots/{lot}/withdraw", ACKNOWLEDGE, withdraw),
    page!(post "/lots/{lot}/share", PEOPLE, share),
    page!(post "/lots/{lot}/unshare", PEOPLE, unshare),
];

/// For how many days a customer may look.
const SHARED_DAYS: [u16; 4] = [7, 30, 90, 365];

/// Which lots, and which machine is chosen already.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WantedLots {
    q: String,
    machine: String,
}

/// A lot that came to a machine, as it was scanned or typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ScannedLot {
    lot: String,
    machine: String,
}

/// The machine that a lot came to, or that is done with it.
#[derive(Debug, Deserialize)]
pub(crate) struct LotMachine {
    machine: MachineId,
}

/// The number of what is taken back.
#[derive(Debug, Deserialize)]
pub(crate) struct WithdrawnLot {
    annotation: i64,
    machine: MachineId,
}

/// For how long a customer may look.
#[derive(Debug, Deserialize)]
pub(crate) struct SharedFor {
    days: u16,
}

/// The link that shows no longer.
#[derive(Debug, Deserialize)]
pub(crate) struct UnsharedLink {
    pass: i64,
}

impl ScannedLot {
    fn read(&self, board: &BoardView) -> Result<(Title, MachineId), WrongEntry> {
        let lot = lot_number(&scanned_text(&self.lot));
        let lot = lot.map_err(|_| WrongEntry::new("lot", key::LOTS_WRONG_LOT))?;
        let machine = board.machine(&self.machine).map(|found| found.id.clone());
        let machine = machine.ok_or_else(|| WrongEntry::new("machine", key::PARTS_WRONG_MACHINE));
        Ok((lot, machine?))
    }
}

/// What was scanned: a number, or the address on a slip that ends in one.
fn scanned_text(scanned: &str) -> String {
    let scanned = typed::half_width(scanned);
    let address = scanned.trim().rsplit_once("/lots/");
    let is_address = |(before, _): &(&str, &str)| before.starts_with("http");
    match address.filter(is_address) {
        Some((_, number)) => percent_decode_str(number).decode_utf8_lossy().into_owned(),
        None => scanned,
    }
}

/// The list.
pub(crate) async fn show(
    State(site): State<LotsPart>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedLots>,
) -> Result<Response, Failure> {
    list_page(&site, &visitor, &wanted, None).await
}

/// A lot came to a machine; the page is ready for the next one.
pub(crate) async fn scan(
    State(site): State<LotsPart>,
    Asked(visitor): Asked<Visitor>,
    Form(scanned): Form<ScannedLot>,
) -> Result<Response, Failure> {
    let read = scanned.read(&site.known.board());
    match read {
        Ok((lot, machine)) => {
            came(&site, &visitor, &lot, &machine).await?;
            Ok(Redirect::to(&format!("/lots?machine={machine}")).into_response())
        }
        Err(wrong) => {
            let wanted = WantedLots {
                machine: scanned.machine.clone(),
                ..WantedLots::default()
            };
            let refused = RefusedEntry::of(scanned, wrong, visitor.lang);
            list_page(&site, &visitor, &wanted, Some(&refused)).await
        }
    }
}

/// Keeps that a lot came to a machine; scanned twice it came once.
async fn came(
    site: &LotsPart,
    visitor: &Visitor,
    lot: &Title,
    machine: &MachineId,
) -> Result<(), Failure> {
    if lot_at(&site.known, machine).await?.as_ref() == Some(lot) {
        return Ok(());
    }
    let said = Remark::LotBegan { lot: lot.clone() };
    tell(site, visitor, machine, said).await
}

async fn tell(
    site: &LotsPart,
    visitor: &Visitor,
    machine: &MachineId,
    said: Remark,
) -> Result<(), Failure> {
    let (now, by) = (site.known.now(), visitor.who.actor());
    site.annotations.tell(machine, now, said, &by).await?;
    Ok(())
}

/// The lot that an address is about.
pub(crate) struct LotOf(Title);

impl<S: Send + Sync> FromRequestParts<S> for LotOf {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(number) = path.map_err(|_| Failure::not_found())?;
        let lot = lot_number(&number).map_err(|_| Failure::not_found())?;
        Ok(Self(lot))
    }
}

/// Where a lot has its page.
pub(crate) fn page_of(lot: &Title) -> String {
    format!(
        "/lots/{}",
        utf8_percent_encode(lot.as_str(), NON_ALPHANUMERIC)
    )
}

fn back_to(lot: &Title) -> Response {
    Redirect::to(&page_of(lot)).into_response()
}

/// One lot; one that nobody has told of can be begun.
pub(crate) async fn show_one(
    State(site): State<LotsPart>,
    Asked(visitor): Asked<Visitor>,
    LotOf(lot): LotOf,
) -> Result<Response, Failure> {
    lot_page(&site, &visitor, &lot, &html! {}).await
}

/// The lot came to the machine that was tapped.
pub(crate) async fn begin(
    State(site): State<LotsPart>,
    Asked(visitor): Asked<Visitor>,
    LotOf(lot): LotOf,
    Form(tapped): Form<LotMachine>,
) -> Result<Response, Failure> {
    came(&site, &visitor, &lot, &tapped.machine).await?;
    Ok(back_to(&lot))
}

/// The machine is done with it.
pub(crate) async fn end(
    State(site): State<LotsPart>,
    Asked(visitor): Asked<Visitor>,
    LotOf(lot): LotOf,
    Form(tapped): Form<LotMachine>,
) -> Result<Response, Failure> {
    let said = Remark::LotEnded { lot: lot.clone() };
    tell(&site, &visitor, &tapped.machine, said).await?;
    Ok(back_to(&lot))
}

/// Takes back what was scanned.
pub(crate) async fn withdraw(
    State(site): State<LotsPart>,
    Asked(visitor): Asked<Visitor>,
    LotOf(lot): LotOf,
    Form(taken): Form<WithdrawnLot>,
) -> Result<Response, Failure> {
    let of = Some(&taken.machine);
    changes::take_back(&site.annotations, &visitor.who, taken.annotation, of).await?;
    Ok(back_to(&lot))
}

/// Makes a link for a customer and shows it, this once.
pub(crate) async fn share(
    State(site): State<LotsPart>,
    Asked(visitor): Asked<Visitor>,
    Asked(here): Asked<Here>,
    LotOf(lot): LotOf,
    Form(wanted): Form<SharedFor>,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, &visitor);
    let above = match site.gate.share_lot(&visitor.who, &lot, wanted.days).await {
        Ok(secret) => {
            let link = from_elsewhere(&site, &here, &format!("/lot/{secret}"));
            shown_once(&ctx, key::LOTS_LINK, key::LOTS_LINK_NOTE, &link)
        }
        Err(denied) => problem_box(&door::why_denied(visitor.lang, denied)),
    };
    lot_page(&site, &visitor, &lot, &above).await
}

/// Ends a link to the lot.
pub(crate) async fn unshare(
    State(site): State<LotsPart>,
    Asked(visitor): Asked<Visitor>,
    LotOf(lot): LotOf,
    Form(wanted): Form<UnsharedLink>,
) -> Result<Response, Failure> {
    let links = site.gate.lot_links(Some(&lot));
    if links.iter().any(|link| link.id == wanted.pass) {
        let ended = site.gate.end_pass(&visitor.who, wanted.pass).await;
        if let Err(denied) = ended {
            let above = problem_box(&door::why_denied(visitor.lang, denied));
            return lot_page(&site, &visitor, &lot, &above).await;
        }
    }
    Ok(back_to(&lot))
}

/// A path of this box as it is reached from elsewhere, if it is at all.
fn from_elsewhere(site: &LotsPart, here: &Here, path: &str) -> String {
    match reached(&*site.network, site.trust.as_deref(), here) {
        Some(reached) => reached.secure(path),
        None => format!("{}{path}", here.0),
    }
}

/// The slip that goes with the lot: its number to read, and to scan with a telephone.
pub(crate) async fn slip(
    State(site): State<LotsPart>,
    Asked(visitor): Asked<Visitor>,
    Asked(here): Asked<Here>,
    LotOf(lot): LotOf,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, &visitor);
    let address = from_elsewhere(&site, &here, &page_of(&lot));
    let title = ctx.text(key::LOTS_SLIP);
    let body = html! {
        p.back.off-paper { a href=(page_of(&lot)) { "‹ " (ctx.text(key::LOTS_ONE)) " " (lot) } }
        section.panel.lot-slip {
            (qr(&address, &title))
            div {
                p.quiet { (ctx.text(key::LOTS_NUMBER)) }
                p.lot-number { (lot) }
                p { (ctx.text(key::LOTS_SLIP_HOW)) }
            }
        }
    };
    Ok(frame(&ctx, Place::Lots, &title, "", body))
}

/// The way of a lot as PDF, for the customer.
pub(crate) async fn print(
    State(site): State<LotsPart>,
    Asked(visitor): Asked<Visitor>,
    LotOf(lot): LotOf,
) -> Result<Response, Failure> {
    let trace = LotTrace::read(&site.known, &lot).await?;
    let trace = trace.ok_or_else(Failure::not_found)?;
    let made = paper::lot::print(&site.known, trace, visitor.lang).await;
    daily::sheet("mimamori-lot.pdf", made)
}

async fn list_page(
    site: &LotsPart,
    visitor: &Visitor,
    wanted: &WantedLots,
    refused: Option<&RefusedEntry<ScannedLot>>,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, visitor);
    let board = site.known.board();
    let found = lots(&site.known, &wanted.q).await?;
    let body = html! {
        @if ctx.may(Right::Acknowledge) { (scan_form(&ctx, &board, wanted, refused)) }
        form.inline.off-paper.lot-find method="get" action="/lots" role="search" {
            label { (ctx.text(key::LOTS_FIND))
                input type="search" name="q" value=(wanted.q) maxlength="64" autocomplete="off"; }
            button type="submit" { (ctx.text(key::SEARCH_TITLE)) }
        }
        @if found.is_empty() {
            div.empty {
                @let none = if wanted.q.is_empty() { key::LOTS_NONE } else { key::LOTS_NOT_FOUND };
                p { (ctx.text(none)) }
                p.quiet { (ctx.text(key::LOTS_NONE_HINT)) }
            }
        } @else { (list(&ctx, &board, &found)) }
    };
    let status = RefusedEntry::status(refused);
    let title = ctx.text(key::LOTS_TITLE);
    Ok((status, frame(&ctx, Place::Lots, &title, "", body)).into_response())
}

/// Where a lot is scanned or typed: the field has the cursor, Enter sends it.
fn scan_form(
    ctx: &Ctx,
    board: &BoardView,
    wanted: &WantedLots,
    refused: Option<&RefusedEntry<ScannedLot>>,
) -> Markup {
    let lot = refused.map_or("", |refused| refused.typed.lot.as_str());
    let wrong = |field: &str| RefusedEntry::invalid(refused, field);
    html! {
        section.panel.off-paper {
            div.panel-head { h2 { (ctx.text(key::LOTS_CAME)) } (help(ctx, "lot")) }
            form.inline.lot-scan method="post" action="/lots" {
                label { (ctx.text(key::LOTS_NUMBER))
                    input name="lot" value=(lot) maxlength="64" autocomplete="off" autofocus
                        aria-invalid=[wrong("lot")]; }
                label { (ctx.text(key::LOTS_MACHINE))
                    select name="machine" aria-invalid=[wrong("machine")] {
                        // Enter of a scanner must not choose the first one.
                        @if board.machines.len() > 1 {
                            option value="" { (ctx.text(key::PARTS_WRONG_MACHINE)) }
                        }
                        @for machine in &board.machines {
                            option value=(machine.id)
                                selected[machine.id.as_str() == wanted.machine] {
                                (machine.names.of(ctx.lang))
                            }
                        }
                    } }
                button.primary type="submit" { (ctx.text(key::LOTS_BEGIN)) }
            }
            (RefusedEntry::why(refused))
            p.quiet.small { (ctx.text(key::LOTS_SCAN_HOW)) }
        }
    }
}

fn list(ctx: &Ctx, board: &BoardView, found: &[LotPlace]) -> Markup {
    html! {
        section.panel {
            div.scroll { table.lots {
                thead { tr {
                    th { (ctx.text(key::LOTS_NUMBER)) }
                    th { (ctx.text(key::LOTS_WHERE)) }
                    th { (ctx.text(key::LOTS_SINCE)) }
                    th { (ctx.text(key::LOTS_BEGAN)) }
                    th.num { (ctx.text(key::LOTS_STEPS)) }
                } }
                tbody { @for place in found {
                    tr {
                        td { a href=(page_of(&place.lot)) { (place.lot) } }
                        td { (board.called(ctx.lang, place.machine.as_str())) }
                        td { @match place.until {
                            None => { strong { (ctx.written(place.since)) " –" } }
                            Some(until) => {
                                span.quiet {
                                    (ctx.with(key::LOTS_DONE_AT, &[("time", &ctx.written(until))]))
                                }
                            }
                        } }
                        td { (ctx.written(place.began)) }
                        td.num { (place.steps) }
                    }
                } }
            } }
        }
    }
}

async fn lot_page(
    site: &LotsPart,
    visitor: &Visitor,
    lot: &Title,
    above: &Markup,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, visitor);
    let board = site.known.board();
    let trace = LotTrace::read(&site.known, lot).await?;
    let one = LotOnPage {
        ctx: &ctx,
        board: &board,
        gate: &site.gate,
        lot,
    };
    let shown = trace.as_ref().filter(|trace| !trace.steps.is_empty());
    let body = html! {
        (above)
        p.back.off-paper { a href="/lots" { "‹ " (ctx.text(key::LOTS_TITLE)) } }
        @if ctx.may(Right::Acknowledge) { (one.buttons(trace.as_ref())) }
        @match shown {
            Some(trace) => {
                (WayOf { ctx: &ctx, board: &board, is_guest: false }.all(trace))
                div.buttons.off-paper.lot-ways {
                    a.button href={ (page_of(lot)) "/pdf" } { (ctx.text(key::LOTS_SHEET)) }
                    a.button href={ (page_of(lot)) "/slip" } { (ctx.text(key::LOTS_SLIP)) }
                }
                (one.told(trace))
            }
            None => {
                div.empty { p { (ctx.text(key::LOTS_NOT_BEGUN)) } }
                div.buttons.off-paper.lot-ways {
                    a.button href={ (page_of(lot)) "/slip" } { (ctx.text(key::LOTS_SLIP)) }
                }
            }
        }
        @let links = site.gate.lot_links(Some(lot));
        @if ctx.may(Right::People) && (shown.is_some() || !links.is_empty()) {
            (one.sharing(&links))
        }
    };
    let title = format!("{} {lot}", ctx.text(key::LOTS_ONE));
    Ok(frame(&ctx, Place::Lots, &title, "", body))
}

/// What the parts of a lot's page have in common.
struct LotOnPage<'a> {
    ctx: &'a Ctx,
    board: &'a BoardView,
    gate: &'a Gate,
    lot: &'a Title,
}

impl LotOnPage<'_> {
    /// A button for each machine that it may have come to, and one that says that it is done.
    fn buttons(&self, trace: Option<&LotTrace>) -> Markup {
        let ctx = self.ctx;
        let at = trace.and_then(LotTrace::at_work).map(|step| &step.machine);
        let is_done = trace.is_some_and(|trace| !trace.steps.is_empty()) && at.is_none();
        html! {
            details.panel.off-paper open[!is_done] {
                summary { h2 { (ctx.text(key::LOTS_TAP)) } }
                form.plain method="post" action={ (page_of(self.lot)) "/begin" } {
                    div.lot-machines {
                        @for machine in self.board.machines.iter().filter(|m| Some(&m.id) != at) {
                            button.tall type="submit" name="machine" value=(machine.id) {
                                (machine.names.of(ctx.lang))
                            }
                        }
                    }
                }
                @if let Some(at) = at {
                    form.plain method="post" action={ (page_of(self.lot)) "/end" } {
                        input type="hidden" name="machine" value=(at);
                        button.primary.tall type="submit" {
                            (ctx.with(key::LOTS_END, &[
                                ("machine", self.board.called(ctx.lang, at.as_str())),
                            ]))
                        }
                    }
                }
            }
        }
    }

    /// What was scanned, by whom; each can be taken back.
    fn told(&self, trace: &LotTrace) -> Markup {
        let ctx = self.ctx;
        let row = |said: &Annotation| {
            html! {
                li {
                    time { (ctx.written(said.at)) }
                    span { (self.board.called(ctx.lang, said.machine.as_str())) }
                    span { (remark_text(ctx.lang, &said.said)) }
                    span.quiet { (name_of(ctx, self.gate, &said.told_by)) }
                    @if ctx.may(Right::Acknowledge) {
                        form.plain method="post" action={ (page_of(self.lot)) "/withdraw" } {
                            input type="hidden" name="machine" value=(said.machine);
                            input type="hidden" name="annotation" value=(said.id);
                            button.small type="submit" { (ctx.text(key::STOPS_TAKE_BACK)) }
                        }
                    }
                }
            }
        };
        html! {
            details.panel.off-paper {
                summary { h2 { (ctx.text(key::LOTS_TOLD)) } }
                ul.part-history { @for said in trace.told.iter().rev() { (row(said)) } }
            }
        }
    }

    /// Links for customers: those that last, and another one.
    fn sharing(&self, links: &[Pass]) -> Markup {
        let ctx = self.ctx;
        html! {
            section.panel.off-paper {
                div.panel-head { h2 { (ctx.text(key::LOTS_SHARE)) } }
                p.quiet { (ctx.text(key::LOTS_SHARE_NOTE)) }
                @if !links.is_empty() {
                    ul.part-history { @for link in links {
                        li {
                            span { (ctx.with(key::LOTS_SHARED_UNTIL, &[(
                                "time",
                                &link.expires.map_or_else(String::new, |end| ctx.written(end)),
                            )])) }
                            form.plain method="post" action={ (page_of(self.lot)) "/unshare" } {
                                input type="hidden" name="pass" value=(link.id);
                                button.small type="submit" { (ctx.text(key::LOTS_UNSHARE)) }
                            }
                        }
                    } }
                }
                form.inline method="post" action={ (page_of(self.lot)) "/share" } {
                    label { (ctx.text(key::LOTS_SHARE_DAYS))
                        select name="days" { @for days in SHARED_DAYS {
                            option value=(days) selected[days == 30] {
                                (ctx.with(key::LOTS_DAYS, &[("n", &days.to_string())]))
                            }
                        } } }
                    button type="submit" { (ctx.text(key::LOTS_SHARE_MAKE)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_what_a_scanner_reads() {
        for (scanned, number) in [
            ("A-1", "A-1"),
            (" Ａ－１ ", " A-1 "),
            ("https://box.local:8443/lots/A%2D1", "A-1"),
            (
                "http://10.0.0.5/lots/B%2F8%20%E8%A9%A6%E4%BD%9C",
                "B/8 試作",
            ),
            ("X/lots/1", "X/lots/1"),
        ] {
            assert_eq!(scanned_text(scanned), number, "{scanned}");
        }
    }
}
