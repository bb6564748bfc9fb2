//! The JSON API under `/api/v1`, described by `openapi.json`. Times go out as RFC 3339 in UTC;
//! lists are paged with `limit` and `cursor`.

pub(crate) mod bindings;
pub(crate) mod files;
pub(crate) mod history;
pub(crate) mod ingest;
pub(crate) mod metrics;
pub(crate) mod neighbours;
pub(crate) mod notices;
pub(crate) mod rates;
pub(crate) mod sources;
pub(crate) mod tables;

use std::collections::BTreeMap;

use app::commands::{Command, OrderError};
use app::views::{BoardView, MachineView};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use identity::{Denied, Who};
use model::{MachineId, Role, Span, Time, Tolerance};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Page, Reader, StoreError};
use text::{Lang, key};

use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::{Site, pages};

/// Rows in a page if the caller does not say.
const LIMIT_DEFAULT: usize = 100;
/// Most rows in a page.
const LIMIT_MAX: usize = 5_000;

/// Where a page of a list starts and how long it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Paging {
    limit: Option<usize>,
    cursor: Option<i64>,
    from: Option<String>,
    to: Option<String>,
    point: Option<String>,
    open: Option<bool>,
    machine: Option<String>,
}

impl Paging {
    pub(crate) fn limit(&self) -> usize {
        self.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX)
    }

    fn before(&self) -> i64 {
        self.cursor.unwrap_or(i64::MAX)
    }

    pub(crate) fn cursor(&self) -> Option<i64> {
        self.cursor
    }

    /// The point that is wanted; all of them if none is named.
    pub(crate) fn point(&self) -> Option<&str> {
        self.point.as_deref()
    }

    pub(crate) fn span(&self, now: Time) -> Result<Span, Failure> {
        let from = self
            .from
            .as_deref()
            .map_or(Ok(now - 8 * 3_600_000), parse_time)?;
        let to = self.to.as_deref().map_or(Ok(now), parse_time)?;
        Ok(Span::new(from, to))
    }
}

pub(crate) fn bad_request() -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        "bad_request",
        key::ERROR_BAD_REQUEST,
    )
}

pub(crate) fn busy() -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", key::ERROR_BUSY)
        .hint(key::ERROR_BUSY_HINT)
}

fn parse_time(text: &str) -> Result<Time, Failure> {
    let moment: jiff::Timestamp = text.parse().map_err(|_| bad_request())?;
    Ok(Time::from_ms(moment.as_millisecond()))
}

pub(crate) fn answer(value: impl serde::Serialize) -> Response {
    match serde_json::to_value(value) {
        Ok(value) => Json(value).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Reads the store off the threads that serve sockets.
pub(crate) async fn read<T: Send + 'static>(
    site: &Site,
    work: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Failure> {
    Ok(site.known.read(work).await?)
}

pub(crate) fn respond(lang: Lang, result: Result<Response, Failure>) -> Response {
    result.unwrap_or_else(|failure| failure.answer(lang))
}

fn page_of<T: serde::Serialize>(page: Page<T>) -> Response {
    answer(json!({"items": page.items, "next": page.next}))
}

pub(crate) fn known(board: &BoardView, id: &str) -> Result<MachineId, Failure> {
    board
        .machine(id)
        .map(|machine| machine.id.clone())
        .ok_or_else(Failure::not_found)
}

pub(crate) fn machine_json(machine: &MachineView) -> Value {
    let mut value = serde_json::to_value(machine).unwrap_or_default();
    if let Some(day) = value.get_mut("day") {
        day["operating_rate_observed"] = json!(machine.day.rate());
    }
    value
}

/// The API's description.
pub(crate) async fn openapi() -> Response {
    (
        [(CONTENT_TYPE, "application/json")],
        include_str!("../../openapi.json"),
    )
        .into_response()
}

/// Everything the board shows.
pub(crate) async fn board(State(site): State<Site>) -> Response {
    let board = site.known.board();
    let counters: BTreeMap<_, _> = board.counters.iter().copied().collect();
    answer(json!({
        "at": board.at,
        "machines": board.machines.iter().map(machine_json).collect::<Vec<_>>(),
        "light": board.light,
        "open_alarms": board.open_alarms,
        "counters": counters,
    }))
}

/// All machines.
pub(crate) async fn machines(State(site): State<Site>) -> Response {
    let board = site.known.board();
    let items: Vec<Value> = board.machines.iter().map(machine_json).collect();
    answer(json!({"items": items, "next": null}))
}

/// One machine.
pub(crate) async fn machine(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(id): Path<String>,
) -> Response {
    let board = site.known.board();
    match board.machine(&id) {
        Some(machine) => answer(machine_json(machine)),
        None => Failure::not_found().answer(lang),
    }
}

/// Cycles of a machine, newest first.
pub(crate) async fn cycles(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Response {
    let work = async {
        let machine = known(&site.known.board(), &id)?;
        let (before, limit) = (Time::from_ms(paging.before()), paging.limit());
        Ok(page_of(
            read(&site, move |r| r.cycles(&machine, before, limit)).await?,
        ))
    };
    respond(lang, work.await)
}

/// States of a machine in a span of time, oldest first.
pub(crate) async fn states(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Response {
    let work = async {
        let machine = known(&site.known.board(), &id)?;
        let span = paging.span(site.known.now())?;
        let items = read(&site, move |r| r.states(&machine, span)).await?;
        Ok(answer(json!({"items": items, "next": null})))
    };
    respond(lang, work.await)
}

/// Every version of every reference of a machine.
pub(crate) async fn reference(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(id): Path<String>,
) -> Response {
    let work = async {
        let machine = known(&site.known.board(), &id)?;
        let items = read(&site, move |r| r.references(&machine)).await?;
        Ok(answer(json!({"items": items, "next": null})))
    };
    respond(lang, work.await)
}

pub(crate) async fn order(site: &Site, lang: Lang, who: &Who, command: Command) -> Response {
    let failure = match site.orders.give(command, &who.actor()).await {
        Ok(()) => return StatusCode::NO_CONTENT.into_response(),
        Err(OrderError::NotFound) => Failure::not_found(),
        Err(OrderError::NothingToApprove) => Failure::new(
            StatusCode::CONFLICT,
            "nothing_to_approve",
            key::ERROR_NOTHING_TO_APPROVE,
        ),
        Err(OrderError::OutOfRange) => Failure::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "out_of_range",
            key::ERROR_SETTINGS,
        )
        .hint(key::ERROR_SETTINGS_HINT),
        Err(OrderError::NotDurable) => busy(),
    };
    failure.answer(lang)
}

/// Entries of the evidence chain, newest first.
pub(crate) async fn evidence(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Query(paging): Query<Paging>,
) -> Response {
    let (before, limit) = (paging.before(), paging.limit());
    let work = read(&site, move |r| r.evidence(before, limit));
    respond(lang, work.await.map(page_of))
}

/// The newest signed checkpoint, exactly as it was signed.
pub(crate) async fn checkpoint(State(site): State<Site>, Asked(lang): Asked<Lang>) -> Response {
    match read(&site, |reader| reader.checkpoint()).await {
        Ok(Some(checkpoint)) => Json(checkpoint).into_response(),
        Ok(None) => Failure::not_found().answer(lang),
        Err(failure) => failure.answer(lang),
    }
}

/// Signs where the chain stands now.
pub(crate) async fn sign_checkpoint(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
) -> Response {
    order(&site, lang, &who, Command::Attest).await
}

/// Checks the whole chain now.
pub(crate) async fn verify_evidence(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
) -> Response {
    let checked = site.chain.check(site.known.clock).await;
    let (report, by) = (checked.report(), who.actor());
    if site.orders.tell(report, &by).await.is_err() {
        return busy().answer(lang);
    }
    answer(
        json!({"at": checked.at, "took_ms": checked.took_ms, "sound": checked.is_sound(),
        "verdict": checked.verdict}),
    )
}

/// Everybody who may come in.
pub(crate) async fn people(State(site): State<Site>) -> Response {
    let items: Vec<Value> = site
        .gate
        .people()
        .iter()
        .map(|person| {
            json!({"id": person.id, "name": person.name, "role": person.role,
                "since": person.created, "second_factor": person.totp.is_some(),
                "invited_only": person.password.is_none()})
        })
        .collect();
    answer(json!({"items": items, "next": null}))
}

/// A token that is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct WantedToken {
    label: String,
    role: Role,
}

/// Makes a token for a script or a screen.
pub(crate) async fn make_token(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    body: Result<Json<WantedToken>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let Ok(Json(wanted)) = body else {
        return bad_request().answer(lang);
    };
    match site.gate.make_token(&who, &wanted.label, wanted.role).await {
        Ok(token) => answer(json!({"token": token})),
        Err(Denied::Name) => bad_request().answer(lang),
        Err(_) => busy().answer(lang),
    }
}

/// Gives an order about the machine that the address names.
async fn order_about(
    site: &Site,
    lang: Lang,
    who: &Who,
    id: &str,
    command: impl FnOnce(MachineId) -> Command,
) -> Response {
    match MachineId::new(id) {
        Ok(machine) => order(site, lang, who, command(machine)).await,
        Err(_) => Failure::not_found().answer(lang),
    }
}

/// Lets a learned reference judge.
pub(crate) async fn approve(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    Path(id): Path<String>,
) -> Response {
    order_about(&site, lang, &who, &id, Command::Approve).await
}

/// Forgets a reference and learns a new version.
pub(crate) async fn relearn(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    Path(id): Path<String>,
) -> Response {
    order_about(&site, lang, &who, &id, Command::Relearn).await
}

/// A tolerance that is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct WantedTolerance {
    #[serde(flatten)]
    tolerance: Tolerance,
    alarms_per_month: Option<f64>,
}

/// Puts another tolerance in force.
pub(crate) async fn set_tolerance(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    Path(id): Path<String>,
    body: Result<Json<WantedTolerance>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let Ok(Json(wanted)) = body else {
        return bad_request().answer(lang);
    };
    order_about(&site, lang, &who, &id, |machine| {
        Command::SetTolerance(machine, wanted.tolerance, wanted.alarms_per_month)
    })
    .await
}

/// Alarms, newest first.
pub(crate) async fn alarms(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Query(paging): Query<Paging>,
) -> Response {
    let (open, before, limit) = (
        paging.open.unwrap_or(false),
        paging.before(),
        paging.limit(),
    );
    let result = read(&site, move |r| r.alarms(open, before, limit)).await;
    respond(lang, result.map(page_of))
}

/// "I have seen this alarm."
pub(crate) async fn acknowledge(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    Path(id): Path<i64>,
) -> Response {
    order(&site, lang, &who, Command::Acknowledge(id)).await
}

/// Findings, newest first.
pub(crate) async fn findings(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Query(paging): Query<Paging>,
) -> Response {
    let work = async {
        let of = match &paging.machine {
            Some(id) => Some(known(&site.known.board(), id)?),
            None => None,
        };
        let (before, limit) = (paging.before(), paging.limit());
        Ok(page_of(
            read(&site, move |r| r.findings(of.as_ref(), before, limit)).await?,
        ))
    };
    respond(lang, work.await)
}

/// Asks for a backup now.
pub(crate) async fn back_up(State(site): State<Site>, Asked(lang): Asked<Lang>) -> Response {
    let Some(hand) = &site.backups else {
        return Failure::new(
            StatusCode::CONFLICT,
            "no_folder",
            key::ERROR_NO_BACKUP_FOLDER,
        )
        .hint(key::BACKUP_HOW)
        .answer(lang);
    };
    hand.request();
    StatusCode::ACCEPTED.into_response()
}

/// Stops the backup that is being made.
pub(crate) async fn cancel_backup(State(site): State<Site>) -> Response {
    if let Some(hand) = &site.backups {
        hand.cancel();
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Log lines of devices, newest first.
pub(crate) async fn logs(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Query(wanted): Query<pages::logs::WantedLogs>,
    Query(paging): Query<Paging>,
) -> Response {
    let (query, before, limit) = (wanted.query(), paging.before(), paging.limit());
    let work = read(&site, move |r| r.logs(&query, before, limit));
    respond(lang, work.await.map(page_of))
}

/// Devices and how many readings are stored.
pub(crate) async fn devices(State(site): State<Site>, Asked(lang): Asked<Lang>) -> Response {
    let devices = site.known.board().devices.clone();
    let count = |r: &dyn Reader| {
        let all = r.reading_count()?;
        // What the self-test sent is no reading of the factory's.
        Ok(all.saturating_sub(r.reading_count_of(model::TWIN)?))
    };
    let result = read(&site, count).await;
    respond(
        lang,
        result.map(|n| answer(json!({"items": devices, "next": null, "readings_stored": n}))),
    )
}

/// How the services of the program are doing.
pub(crate) async fn services(State(site): State<Site>) -> Response {
    let states = site.services.borrow().clone();
    let items = states.iter().map(|(name, state)| {
        let mut item = json!(state);
        item["service"] = json!(name);
        item
    });
    answer(json!({"items": items.collect::<Vec<_>>(), "next": null}))
}

/// Refused input: how often by source and reason, and the latest samples.
pub(crate) async fn refused(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Query(paging): Query<Paging>,
) -> Response {
    let (before, limit) = (paging.before(), paging.limit());
    let work = read(&site, move |r| {
        Ok((r.refused_counts()?, r.refused(before, limit)?))
    });
    let result = work.await.map(|(counts, page)| {
        let items: Vec<_> = page.items.into_iter().map(|(_, refused)| refused).collect();
        answer(json!({"counts": counts, "items": items, "next": page.next}))
    });
    respond(lang, result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_and_the_routes_name_the_same_addresses() {
        let described: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
        let mut described: Vec<String> = described["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                methods.map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        let for_scripts = [
            "/api/", "/enroll/", "/ingest/", "/live", "/healthz", "/metrics",
        ];
        let is_api = |path: &str| for_scripts.iter().any(|start| path.starts_with(start));
        let mut routes: Vec<String> = crate::ROUTES
            .iter()
            .filter(|route| is_api(route.path))
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        described.sort();
        routes.sort();
        assert_eq!(described, routes);
    }
}
