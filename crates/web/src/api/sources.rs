//! The devices that the box reads by itself, as pages and scripts reach them: what kinds there are,
//! how each device is doing, trying one out, connecting and ending it.

use app::ports::devices::DeviceProblem;
use app::ports::sources::trouble_text;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{Field, FieldKind, Source};
use serde_json::{Value, json};
use text::{Lang, key};

use crate::Site;
use crate::api::{answer, bad_request};
use crate::changes::{self, connect};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;

pub(crate) fn failure(lang: Lang, problem: &DeviceProblem) -> Response {
    let (status, code) = match problem {
        DeviceProblem::Wrong(_) | DeviceProblem::WrongIn(..) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "wrong_source")
        }
        DeviceProblem::NotFound => return Failure::not_found().answer(lang),
        DeviceProblem::NotDurable => return Failure::store().answer(lang),
    };
    let hint = lang.text(key::CONNECT_WRONG_HINT);
    let message = problem.text(lang);
    let mut body = json!({"code": code, "message": message, "hint": hint});
    if let DeviceProblem::Wrong(wrong) = problem {
        body["field"] = json!(wrong.field);
        body["row"] = json!(wrong.row);
        body["why"] = json!(wrong.why.code());
    }
    (status, Json(body)).into_response()
}

/// All sources and how they are doing.
pub(crate) async fn list(State(site): State<Site>) -> Response {
    let items: Vec<Value> = site
        .sources
        .states()
        .into_iter()
        .map(|(source, state)| {
            let mut item = json!(source);
            item["state"] = json!(state);
            item
        })
        .collect();
    answer(json!({"items": items, "next": null}))
}

/// The kinds of devices and what has to be said of each.
pub(crate) async fn kinds(State(site): State<Site>) -> Response {
    let kinds = site.sources.kinds();
    let items = kinds.iter().map(|kind| {
        let fields = kind.fields.iter().map(field_json).collect::<Vec<_>>();
        json!({"code": kind.code, "fields": fields, "is_searched": kind.is_searched})
    });
    let items: Vec<Value> = items.collect();
    answer(json!({"items": items, "next": null}))
}

fn field_json(field: &Field) -> Value {
    let mut value = json!({"name": field.name, "default": field.default});
    match field.kind {
        FieldKind::Text(offered) => {
            value["type"] = json!("text");
            value["offered"] = json!(offered);
        }
        FieldKind::Choice(choices) => {
            value["type"] = json!("choice");
            value["choices"] = json!(choices);
        }
        FieldKind::Number(from, to) => {
            value["type"] = json!("number");
            value["minimum"] = json!(from);
            value["maximum"] = json!(to);
        }
        FieldKind::SerialPort => value["type"] = json!("serial_port"),
        FieldKind::Rows(columns) => {
            value["type"] = json!("rows");
            value["columns"] = columns.iter().map(field_json).collect();
        }
    }
    value
}

/// Connects a device.
pub(crate) async fn add(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    body: Result<Json<Source>, JsonRejection>,
) -> Response {
    let Ok(Json(source)) = body else {
        return bad_request().answer(lang);
    };
    let id = source.id.to_string();
    match connect(&site, &who, source).await {
        Ok(()) => (StatusCode::CREATED, Json(json!({"id": id}))).into_response(),
        Err(problem) => failure(lang, &problem),
    }
}

/// Reads a device once and keeps nothing.
pub(crate) async fn try_out(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    body: Result<Json<Source>, JsonRejection>,
) -> Response {
    let Ok(Json(source)) = body else {
        return bad_request().answer(lang);
    };
    match site.sources.try_out(&source).await {
        Ok(Ok(said)) => {
            let readings = said.iter();
            let readings = readings.map(|(point, value)| json!({"point": point, "value": value}));
            answer(json!({"readings": readings.collect::<Vec<_>>(), "trouble": null}))
        }
        Ok(Err(trouble)) => answer(json!({
            "readings": [],
            "trouble": trouble,
            "message": trouble_text(lang, &source.kind, trouble),
        })),
        Err(wrong) => failure(lang, &DeviceProblem::Wrong(wrong)),
    }
}

/// Looks around for devices of a kind.
pub(crate) async fn search(
    State(site): State<Site>,
    Asked(lang): Asked<Lang>,
    Path(kind): Path<String>,
) -> Response {
    match site.sources.search(&kind).await {
        Some(Ok(search)) => answer(json!({"packets": search.packets, "found": search.found,
            "trouble": null})),
        Some(Err(trouble)) => answer(json!({"packets": 0, "found": [], "trouble": trouble,
            "message": trouble_text(lang, &kind, trouble)})),
        None => Failure::not_found().answer(lang),
    }
}

/// A device is no longer read.
pub(crate) async fn end(
    State(site): State<Site>,
    Asked(Visitor { who, lang }): Asked<Visitor>,
    Path(id): Path<String>,
) -> Response {
    if !site.sources.knows(&id) {
        return Failure::not_found().answer(lang);
    }
    finish(lang, changes::end(&site, &who, &id).await)
}

/// The answer to a change.
pub(crate) fn finish<T>(lang: Lang, done: Result<T, DeviceProblem>) -> Response {
    match done {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => failure(lang, &problem),
    }
}
