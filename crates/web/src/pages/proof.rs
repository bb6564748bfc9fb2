//! The owner's one page: what holds now, what does not, what nobody knows; what to do first; what
//! changed. A lamp is colour, shape and word; one tap shows what was seen.

use app::commands::Orders;
use app::known::Known;
use app::proofs::Statement;
use app::stage::Stage;
use app::threads::waiting;
use assure::{
    Catalogue, Claim, DAYS_MAX, DOCUMENT_CHARS_MAX, Declaration, DeclareError, FunctionId,
    FunctionView, MeasureView, Observation, PhaseCount, ProofView, ProvenBy, REASON_CHARS_MAX,
    Requirement, Verdict,
};
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, NoContent, Redirect, Response};
use identity::Who;
use maud::{Markup, html};
use model::{DAY_MS, EventKind, Right, Time};
use report::paper;
use report::proofs::{catalogue_text, claim_text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use store::Entry;
use text::key;

use super::plots::{self, RadarAxis};
use super::{Ctx, Place, daily, frame, number};
use crate::ProofPort;
use crate::http::access::{EVIDENCE, LOOK};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What the pages of the proofs need.
    ProofPart {
        known: Known,
        orders: Orders,
        proofs: ProofPort,
    }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/proof/pdf", LOOK, print),
    page!(get "/proof", LOOK, show),
    page!(post "/proof/{catalogue}/{function}/declare", EVIDENCE, declare),
    page!(post "/proof/{catalogue}/{function}/read", LOOK, read),
    page!(post "/demo/time-source", EVIDENCE, toggle_time),
];

/// What to do first: so many at most.
const FIRST_MAX: usize = 3;
/// Changes are shown for a day, and so many at most.
const CHANGES_SHOWN: usize = 8;

/// What a person declares.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TypedDeclaration {
    /// Whether it holds.
    holds: bool,
    /// Why.
    reason: String,
    /// For how many days.
    days: u32,
    /// The document it rests on, if there is one.
    #[serde(default)]
    document: String,
}

/// The page.
pub(crate) async fn show(
    State(site): State<ProofPart>,
    Asked(visitor): Asked<Visitor>,
) -> Response {
    page(&site, &visitor, None)
}

/// What holds now as PDF.
pub(crate) async fn print(
    State(site): State<ProofPart>,
    Asked(visitor): Asked<Visitor>,
) -> Result<Response, Failure> {
    let view = site.proofs.view.borrow().clone();
    let made = paper::proof::print(&site.known, view.as_ref().clone(), visitor.lang).await;
    daily::sheet("mimamori-measures.pdf", made)
}

fn page(site: &ProofPart, visitor: &Visitor, wrong: Option<&str>) -> Response {
    let ctx = Ctx::new(&site.known, visitor);
    let view = site.proofs.view.borrow().clone();
    let body = html! {
        @if let Some(wrong) = wrong { p.problem role="alert" { (wrong) } }
        @if let Some(until) = view.valid_until() {
            p.on-paper { (ctx.with(key::PROOF_PAPER_VALID, &[("until", &ctx.written(until))])) }
        }
        div #proof-now { (now(&ctx, &view)) }
        @if let Some(stage) = site.proofs.stage.as_ref().filter(|_| ctx.may(Right::Evidence)) {
            (demonstration(&ctx, stage))
        }
        section.panel {
            div.panel-head {
                h2 { (ctx.text(key::PROOF_MEASURES)) }
                span.quiet { (ctx.text(key::PROOF_MEASURES_NOTE)) }
                a.button.off-paper href="/proof/pdf" { (ctx.text(key::PROOF_SHEET)) }
                @if ctx.may(Right::Evidence) {
                    button.end type="button" data-post="/api/v1/proofs/look" {
                        (ctx.text(key::PROOF_LOOK))
                    }
                }
            }
            p.problem role="alert" hidden {}
            div.proofs { @for measure in &view.measures {
                div #(place(&measure.claim)) { (self::measure(&ctx, measure)) }
            } }
        }
        section.panel.matrix {
            div.panel-head {
                h2 { (ctx.text(key::PROOF_MATRIX)) }
                span.quiet { (matrix_note(&ctx, &view)) }
            }
            @for catalogue in view.catalogues.iter() {
                div #(phases_place(catalogue)) { (phases(&ctx, &view, catalogue)) }
                @for requirement in &catalogue.requirement {
                    (demanded(&ctx, &view, Of { catalogue, requirement }))
                }
                @let source = catalogue_text(ctx.lang, &catalogue.source);
                p.quiet { (source) " " (catalogue.dated) " – "
                    (ctx.text(key::PROOF_OWN_WORDS)) }
            }
        }
    };
    let title = ctx.text(key::PROOF_TITLE);
    let status = wrong.map_or(StatusCode::OK, |_| StatusCode::UNPROCESSABLE_ENTITY);
    (status, frame(&ctx, Place::Proof, &title, "proof", body)).into_response()
}

/// Where a claim stands on the page.
pub(crate) fn place(claim: &Claim) -> String {
    let measure = claim.measure.code();
    if *claim == Claim::of_box(claim.measure) {
        return format!("p-{measure}");
    }
    format!("p-{}-{}-{measure}", claim.site, claim.subject)
}

/// Class of a lamp's colour and shape.
fn shape(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "run",
        Verdict::Fails => "stop",
        Verdict::Unknown => "unknown",
    }
}

fn lamp(ctx: &Ctx, verdict: Verdict) -> Markup {
    let shape = shape(verdict);
    html! {
        span.badge.{ "t-" (shape) } {
            svg.shape.{ "s-" (shape) } aria-hidden="true" { use href={ "#s-" (shape) } {} }
            span { (ctx.lang.coded("verdict-", verdict.code())) }
        }
    }
}

/// What changes by itself: the three counts, what to do first, what changed.
pub(crate) fn now(ctx: &Ctx, view: &ProofView) -> Markup {
    html! {
        div.kpis {
            @for verdict in [Verdict::Holds, Verdict::Fails, Verdict::Unknown] {
                div.kpi.{ "top-" (shape(verdict)) } {
                    span.label { (lamp(ctx, verdict)) }
                    span.value { (view.count(verdict)) small { "/ " (view.measures.len()) } }
                }
            }
        }
        div.grid {
            section.panel {
                div.panel-head { h2 { (ctx.text(key::PROOF_FIRST)) } }
                (first(ctx, view))
            }
            section.panel {
                div.panel-head { h2 { (ctx.text(key::PROOF_CHANGED)) } }
                (changed(ctx, view))
            }
        }
    }
}

/// What fails comes first, then what nobody knows.
fn first(ctx: &Ctx, view: &ProofView) -> Markup {
    let mut open: Vec<&MeasureView> = view.measures.iter().collect();
    open.retain(|m| m.judged.verdict != Verdict::Holds);
    open.sort_by_key(|m| m.judged.verdict);
    html! {
        @if open.is_empty() { p { (ctx.text(key::PROOF_NOTHING)) } }
        ol.todo { @for measure in open.into_iter().take(FIRST_MAX) {
            li {
                strong { (claim_text(ctx.lang, &measure.claim)) }
                " " (lamp(ctx, measure.judged.verdict))
                span.look { (ctx.lang.coded("todo-", measure.claim.measure.code())) }
            }
        } }
    }
}

fn changed(ctx: &Ctx, view: &ProofView) -> Markup {
    let recent = view.changes.iter().rev();
    let recent = recent.filter(|change| ctx.now.ms() - change.at.ms() <= DAY_MS);
    let recent: Vec<_> = recent.take(CHANGES_SHOWN).collect();
    html! {
        @if recent.is_empty() { p { (ctx.text(key::PROOF_NO_CHANGE)) } }
        ol.events { @for change in recent {
            li {
                time { (ctx.when(change.at)) }
                div {
                    strong { (claim_text(ctx.lang, &change.claim)) } " "
                    (lamp(ctx, change.to))
                }
            }
        } }
    }
}

/// One measure; a tap shows what was seen.
pub(crate) fn measure(ctx: &Ctx, measure: &MeasureView) -> Markup {
    let (judged, code) = (&measure.judged, measure.claim.measure.code());
    let since = measure.since.map(|at| ctx.when(at)).unwrap_or_default();
    html! {
        details.proof.{ "is-" (shape(judged.verdict)) } {
            summary {
                strong { (claim_text(ctx.lang, &measure.claim)) }
                (lamp(ctx, judged.verdict))
                @if !since.is_empty() {
                    span.quiet { (ctx.with(key::PROOF_SINCE, &[("time", &since)])) }
                }
            }
            p { (ctx.lang.coded("why-", &judged.reason)) }
            @if judged.verdict != Verdict::Holds {
                p { (ctx.lang.coded("todo-", code)) }
            }
            p.quiet {
                (ctx.lang.coded("method-", method(measure)))
                @if let (Some(at), Some(until)) = (judged.proven_at, judged.valid_until) {
                    " · " (ctx.with(key::PROOF_VALID, &[
                        ("at", &ctx.when(at)), ("until", &ctx.when(until))]))
                }
            }
            @if let Some(seen) = &measure.last { (seen_last(ctx, seen)) }
        }
    }
}

/// What was seen last, each figure with its name.
fn seen_last(ctx: &Ctx, seen: &Observation) -> Markup {
    let raw: Value = serde_json::from_str(&seen.raw).unwrap_or_default();
    let figures = raw.as_object().into_iter().flatten();
    html! {
        dl.seen {
            div { dt { (ctx.text(key::PROOF_SEEN_AT)) } dd { (ctx.when(seen.at)) } }
            @for (name, value) in figures {
                div {
                    dt { (seen_name(ctx, name)) }
                    dd { (seen_value(ctx, name, value)) }
                }
            }
        }
    }
}

/// What a figure is called; one of an older program by its own name.
fn seen_name(ctx: &Ctx, name: &str) -> String {
    let called = ctx.lang.coded_or_code("seen-figure-", name);
    called.replace('_', " ")
}

fn seen_value(ctx: &Ctx, name: &str, value: &Value) -> String {
    match value {
        Value::Null => ctx.text(key::PROOF_SEEN_NOTHING),
        Value::Bool(true) => ctx.text(key::PROOF_SEEN_YES),
        Value::Bool(false) => ctx.text(key::PROOF_SEEN_NO),
        Value::Number(whole) => {
            let n = whole.as_f64().unwrap_or_default();
            match name {
                "used_share" => format!("{:.0} %", n * 100.0),
                "free_bytes" => format!("{:.1} GB", n / 1e9),
                // What is rounded to nothing has no sign.
                _ if name.ends_with("_ms") => format!("{:.0} ms", n.round() + 0.0),
                _ if whole.is_f64() => number(n),
                _ => whole.to_string(),
            }
        }
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => ctx.text(key::PROOF_SEEN_NOTHING),
        Value::Array(all) => {
            let all = all.iter().map(|one| seen_value(ctx, name, one));
            all.collect::<Vec<_>>().join(", ")
        }
        Value::Object(of) => {
            let all = of.iter();
            let all = all.map(|(name, value)| {
                format!("{}: {}", seen_name(ctx, name), seen_value(ctx, name, value))
            });
            all.collect::<Vec<_>>().join(" · ")
        }
    }
}

fn method(measure: &MeasureView) -> &'static str {
    match measure.method {
        assure::Method::Probe => "probe",
        assure::Method::Configuration => "configuration",
        assure::Method::ChainEvent => "chain_event",
        assure::Method::Drill => "drill",
        assure::Method::Measurement => "measurement",
    }
}

fn matrix_note(ctx: &Ctx, view: &ProofView) -> String {
    let count = |by| view.count_by(by).to_string();
    ctx.with(
        key::PROOF_MATRIX_NOTE,
        &[
            ("machine", &count(ProvenBy::Machine)),
            ("person", &count(ProvenBy::Person)),
            ("nobody", &count(ProvenBy::Nobody)),
        ],
    )
}

/// A requirement of a catalogue.
#[derive(Clone, Copy)]
struct Of<'a> {
    catalogue: &'a Catalogue,
    requirement: &'a Requirement,
}

impl<'a> Of<'a> {
    /// Its functions, each with the identifier of its place: one stands under every requirement it
    /// meets.
    fn functions(self, view: &'a ProofView) -> impl Iterator<Item = (String, &'a FunctionView)> {
        let Self {
            catalogue,
            requirement,
        } = self;
        let names = requirement.functions.iter();
        names.filter_map(move |name| {
            let mut functions = view.functions_of(catalogue);
            let shown = functions.find(|shown| shown.id.function == *name)?;
            let place = format!("f-{}-{}-{name}", catalogue.id, requirement.id);
            Some((place, shown))
        })
    }
}

/// One requirement with its functions.
fn demanded(ctx: &Ctx, view: &ProofView, of: Of<'_>) -> Markup {
    let requirement = of.requirement;
    html! {
        div.demand {
            h3 {
                span.quiet { (requirement.id) " · "
                    (ctx.lang.coded("phase-", requirement.phase.code())) }
                br; (catalogue_text(ctx.lang, &requirement.title))
            }
            ul.chips { @for (place, shown) in of.functions(view) {
                li #(place) { (function(ctx, view, shown)) }
            } }
        }
    }
}

/// The functions by the identifiers of their places.
pub(crate) fn functions(ctx: &Ctx, view: &ProofView) -> Vec<(String, Markup)> {
    let mut places = Vec::new();
    for catalogue in view.catalogues.iter() {
        for requirement in &catalogue.requirement {
            let of = Of {
                catalogue,
                requirement,
            };
            let functions = of.functions(view);
            places.extend(functions.map(|(place, shown)| (place, function(ctx, view, shown))));
        }
    }
    places
}

fn function(ctx: &Ctx, view: &ProofView, shown: &FunctionView) -> Markup {
    let mut catalogues = view.catalogues.iter();
    let of = catalogues.find(|catalogue| catalogue.id == shown.id.catalogue);
    let known = of.and_then(|catalogue| catalogue.function(&shown.id.function));
    let measures = known.into_iter().flat_map(assure::Function::measures);
    let names: Vec<String> = measures
        .map(|m| ctx.lang.coded("measure-", m.code()))
        .collect();
    html! {
        details.chip.{ "is-" (shape(shown.judged.verdict)) } {
            summary {
                strong { @if let Some(known) = known { (catalogue_text(ctx.lang, &known.title)) } }
                (lamp(ctx, shown.judged.verdict))
                @if shown.judged.by == ProvenBy::Person {
                    span.quiet.small { (ctx.lang.coded("by-", "person")) }
                }
            }
            p.quiet.small {
                (shown.id.function) " · " (ctx.lang.coded("by-", shown.judged.by.code()))
                @if !names.is_empty() { " · " (names.join(" + ")) }
            }
            @if let Some(declared) = &shown.declared {
                (said(ctx, shown, declared))
                (document(ctx, view, declared))
            }
            @if ctx.may(Right::Evidence) { (declare_form(ctx, &shown.id)) }
        }
    }
}

fn said(ctx: &Ctx, shown: &FunctionView, declared: &Declaration) -> Markup {
    let until = ctx.date(declared.until);
    html! {
        p.small {
            (ctx.with(key::PROOF_DECLARED, &[("who", &declared.by), ("until", &until)]))
            " “" (declared.reason) "”"
        }
        @if let Some(seen) = shown.overruled {
            p.small.cause {
                (ctx.text(key::PROOF_OVERRULED)) " " (ctx.lang.coded("verdict-", seen.code()))
            }
        }
    }
}

/// The rule a declaration rests on, and who has read it.
fn document(ctx: &Ctx, view: &ProofView, declared: &Declaration) -> Markup {
    let Some(document) = &declared.document else {
        return Markup::default();
    };
    let me = ctx.who.actor();
    let has_to = view.people.contains(&me) && !document.read_by.contains(&me);
    let (have, all) = (document.readers(&view.people), view.people.len());
    html! {
        blockquote.rule { (document.text) }
        p.small { (ctx.with(key::PROOF_READERS, &[
            ("have", &have.to_string()), ("all", &all.to_string())])) }
        @if has_to {
            form.stack method="post" action={ "/proof/" (declared.function) "/read" } {
                button.primary type="submit" { (ctx.text(key::PROOF_READ)) }
            }
        }
    }
}

fn declare_form(ctx: &Ctx, id: &FunctionId) -> Markup {
    html! {
        form.stack method="post" action={ "/proof/" (id) "/declare" } {
            label {
                (ctx.text(key::PROOF_DECLARE_WHAT)) " "
                select name="holds" {
                    option value="true" { (ctx.lang.coded("verdict-", "holds")) }
                    option value="false" { (ctx.lang.coded("verdict-", "fails")) }
                }
            }
            label {
                (ctx.text(key::PROOF_DECLARE_WHY)) " "
                input name="reason" required maxlength=(REASON_CHARS_MAX);
            }
            label {
                (ctx.text(key::PROOF_DECLARE_DAYS)) " "
                input name="days" type="number" min="1" max=(DAYS_MAX) value="180" required;
            }
            label {
                (ctx.text(key::PROOF_DECLARE_DOCUMENT)) " "
                textarea name="document" rows="3" maxlength=(DOCUMENT_CHARS_MAX) {}
            }
            button type="submit" { (ctx.text(key::PROOF_DECLARE_SEND)) }
        }
    }
}

/// A catalogue and a function of it, as an address names them.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct FunctionPath {
    catalogue: String,
    function: String,
}

impl From<FunctionPath> for FunctionId {
    fn from(at: FunctionPath) -> Self {
        Self {
            catalogue: at.catalogue,
            function: at.function,
        }
    }
}

/// Makes something that somebody did evidence.
async fn note(
    orders: &Orders,
    who: &Who,
    kind: EventKind,
    body: Value,
    at: Time,
) -> Result<(), Failure> {
    let by = who.actor();
    let entry = Entry::new(at, by.as_str(), kind, body);
    let kept = orders.give(entry.into(), &by).await;
    kept.map_err(|_| Failure::store())
}

/// Takes what a person declares: durable and in the evidence before it counts.
pub(crate) async fn take(
    site: &ProofPart,
    who: &Who,
    id: FunctionId,
    typed: &TypedDeclaration,
) -> Result<(), Failure> {
    let view = site.proofs.view.borrow().clone();
    if !view.functions.iter().any(|function| function.id == id) {
        return Err(Failure::not_found());
    }
    let now = site.known.now();
    // The name as it is now: what was declared stays readable when the person has gone.
    let name = if who.name.is_empty() {
        who.actor()
    } else {
        who.name.clone()
    };
    let declared = assure::Declared {
        holds: typed.holds,
        reason: &typed.reason,
        by: &name,
        days: typed.days,
    };
    let made = Declaration::new(id, declared, now);
    let made = made.and_then(|made| made.resting_on(&typed.document));
    let made = made.map_err(|error| {
        let text = match error {
            DeclareError::Reason => key::PROOF_NO_REASON,
            DeclareError::Days => key::PROOF_NO_DAYS,
            DeclareError::Document => key::PROOF_LONG_DOCUMENT,
        };
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "declaration", text)
    })?;
    let body = json!(made);
    note(&site.orders, who, EventKind::ProofDeclared, body, now).await?;
    site.proofs.hand.tell(Statement::Declared(made)).await;
    Ok(())
}

/// A person declares by the page.
pub(crate) async fn declare(
    State(site): State<ProofPart>,
    Asked(visitor): Asked<Visitor>,
    Path(at): Path<FunctionPath>,
    Form(typed): Form<TypedDeclaration>,
) -> Response {
    match take(&site, &visitor.who, at.into(), &typed).await {
        Ok(()) => Redirect::to("/proof").into_response(),
        Err(failure) => page(&site, &visitor, Some(&failure.text(visitor.lang))),
    }
}

/// A person has read the document a declaration rests on.
pub(crate) async fn read(
    State(site): State<ProofPart>,
    Asked(who): Asked<Who>,
    Path(at): Path<FunctionPath>,
) -> Result<Redirect, Failure> {
    let id = FunctionId::from(at);
    let view = site.proofs.view.borrow().clone();
    let shown = view.functions.iter().find(|function| function.id == id);
    let declared = shown.and_then(|function| function.declared.as_ref());
    let Some(declared) = declared.filter(|declared| declared.document.is_some()) else {
        return Err(Failure::not_found());
    };
    let body = json!({"function": id, "declared_at": declared.at});
    let (kind, now) = (EventKind::ProofRead, site.known.now());
    note(&site.orders, &who, kind, body, now).await?;
    site.proofs
        .hand
        .tell(Statement::Read(id, who.actor()))
        .await;
    Ok(Redirect::to("/proof"))
}

/// Where the picture of a catalogue stands on the page.
pub(crate) fn phases_place(catalogue: &Catalogue) -> String {
    format!("phases-{}", catalogue.id)
}

/// How far each part of a device's life is met: what the box saw as a surface, what rests on a
/// person's word as a line around it.
pub(crate) fn phases(ctx: &Ctx, view: &ProofView, catalogue: &Catalogue) -> Markup {
    let axis = |count: &PhaseCount| {
        let share = |n: usize| n as f64 / count.functions.max(1) as f64;
        let hold = count.seen + count.declared;
        RadarAxis {
            name: ctx.lang.coded("phase-", count.phase.code()),
            figure: format!("{hold} / {}", count.functions),
            certain: share(count.seen),
            with_words: share(hold),
        }
    };
    let counts = view.by_phase(catalogue);
    let axes: Vec<RadarAxis> = counts.iter().map(axis).collect();
    html! {
        figure.phases {
            (plots::radar(&ctx.text(key::PROOF_PHASES), &axes))
            figcaption.quiet {
                strong { (ctx.text(key::PROOF_PHASES)) } " " (ctx.text(key::PROOF_PHASES_NOTE))
            }
        }
    }
}

/// What a demonstration lets people break.
fn demonstration(ctx: &Ctx, stage: &Stage) -> Markup {
    let (text, button) = if stage.is_running() {
        (key::STAGE_RUNNING, key::STAGE_STOP)
    } else {
        (key::STAGE_STOPPED, key::STAGE_START)
    };
    html! {
        section.panel.stage {
            div.panel-head { h2 { (ctx.text(key::STAGE_TITLE)) } span.quiet { (ctx.text(text)) } }
            button type="button" data-post="/demo/time-source" data-reload { (ctx.text(button)) }
            p.problem role="alert" hidden {}
        }
    }
}

/// Stops the demonstration's time source, or lets it run again.
pub(crate) async fn toggle_time(State(site): State<ProofPart>) -> Result<NoContent, Failure> {
    let stage = site.proofs.stage.ok_or_else(Failure::not_found)?;
    let toggled = waiting(move || stage.toggle()).await;
    toggled.map_err(|_| Failure::store())?;
    Ok(NoContent)
}
