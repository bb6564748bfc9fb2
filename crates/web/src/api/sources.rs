//! The devices that the box reads by itself, as scripts reach them: what kinds there are, how each
//! device is doing, trying one out, connecting and ending it.

use std::sync::Arc;

use app::ports::devices::{DeviceProblem, Devices};
use app::ports::sources::{Sources, trouble_text};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::NoContent;
use identity::Who;
use model::{Field, FieldKind, Found, ReadDevice, Source, TrialAnswer, Trouble};
use schemars::JsonSchema;
use serde::Serialize;
use store::Page;
use text::Lang;

use super::Named;
use crate::changes;
use crate::http::access::{DEVICES, LOOK};
use crate::http::asked::Asked;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::{Answer, Created, Sent, whole};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    api!(
        get "/api/v1/sources", LOOK, list,
        "Devices that the box reads by itself, and how each is doing"
    ),
    api!(
        post "/api/v1/sources", DEVICES, add,
        "Reads a device from now on; what is wrong with what was sent is named with its field \
            (422)"
    ),
    api!(
        get "/api/v1/sources/kinds", LOOK, kinds,
        "The kinds of devices the box can read, and what has to be said of each"
    ),
    api!(
        post "/api/v1/sources/search/{kind}", DEVICES, search,
        "Looks around the network for devices of a kind (404 if it cannot be looked for); no \
            packet at all says that nothing gets through"
    ),
    api!(
        post "/api/v1/sources/try", DEVICES, try_out,
        "Reads a device once and keeps nothing; a line that is being read stands still \
            meanwhile"
    ),
    api!(post "/api/v1/sources/{id}/end", DEVICES, end, "A device is no longer read"),
];

/// Lists all sources and how they are doing.
pub(crate) async fn list(State(sources): State<Arc<dyn Sources>>) -> Json<Page<ReadDevice>> {
    whole(sources.states())
}

/// A kind of device that can be read.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KindOffered {
    /// The kind's code.
    code: &'static str,
    /// What has to be said of a device of this kind.
    fields: Vec<FieldOffered>,
    /// Devices of this kind can be searched for.
    is_searched: bool,
}

/// Something that has to be said of a device.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FieldOffered {
    /// As it is written.
    name: &'static str,
    /// What is taken if it is left out; null if it has to be said.
    default: Option<&'static str>,
    #[serde(flatten)]
    shape: FieldShape,
}

/// What can be said.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
enum FieldShape {
    /// Any text.
    Text {
        /// Usual ones.
        offered: &'static [&'static str],
    },
    /// One of these.
    Choice {
        /// The codes.
        choices: &'static [&'static str],
    },
    /// A number within these bounds.
    Number {
        /// The smallest.
        minimum: f64,
        /// The largest.
        maximum: f64,
    },
    /// A serial port of this PC.
    SerialPort,
    /// Rows of these columns.
    Rows {
        /// What each row has.
        columns: Vec<FieldOffered>,
    },
}

impl From<&Field> for FieldOffered {
    fn from(field: &Field) -> Self {
        Self {
            name: field.name,
            default: field.default,
            shape: match field.kind {
                FieldKind::Text(offered) => FieldShape::Text { offered },
                FieldKind::Choice(choices) => FieldShape::Choice { choices },
                FieldKind::Number(minimum, maximum) => FieldShape::Number { minimum, maximum },
                FieldKind::SerialPort => FieldShape::SerialPort,
                FieldKind::Rows(columns) => FieldShape::Rows {
                    columns: columns.iter().map(Self::from).collect(),
                },
            },
        }
    }
}

/// Lists the kinds of devices and what has to be said of each.
pub(crate) async fn kinds(State(sources): State<Arc<dyn Sources>>) -> Json<Page<KindOffered>> {
    let kinds = sources.kinds().into_iter();
    whole(kinds.map(|kind| KindOffered {
        code: kind.code,
        fields: kind.fields.iter().map(FieldOffered::from).collect(),
        is_searched: kind.is_searched,
    }))
}

/// Connects a device.
pub(crate) async fn add(
    State(devices): State<Arc<dyn Devices>>,
    Asked(who): Asked<Who>,
    Sent(source): Sent<Source>,
) -> Result<Created<Named>, Failure> {
    let id = source.id.to_string();
    changes::connect(&*devices, &who, source).await?;
    Ok(Created(Named { id }))
}

/// What a point said.
#[derive(Debug, Serialize, JsonSchema)]
struct PointValue {
    point: String,
    value: f64,
}

/// What a device said when it was tried out.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tried {
    readings: Vec<PointValue>,
    /// Points it did not tell although the map says so; behind a point in brackets, what keeps it
    /// from being told.
    lacks: Vec<String>,
    /// How long it took to answer, in seconds.
    answer_s: Option<f64>,
    /// What kept it from answering.
    trouble: Option<Trouble>,
    /// The trouble in the caller's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Reads a device once and keeps nothing.
pub(crate) async fn try_out(
    State(sources): State<Arc<dyn Sources>>,
    Asked(lang): Asked<Lang>,
    Sent(source): Sent<Source>,
) -> Answer<Tried> {
    let tried = sources.try_out(&source).await;
    let said = tried.map_err(DeviceProblem::Wrong)?;
    let trouble = said.as_ref().err().copied();
    let TrialAnswer {
        readings,
        lacks,
        answer_s,
    } = said.unwrap_or_default();
    let value = |(point, value)| PointValue { point, value };
    Ok(Json(Tried {
        readings: readings.into_iter().map(value).collect(),
        lacks,
        answer_s,
        message: trouble.map(|trouble| trouble_text(lang, &source.kind, trouble)),
        trouble,
    }))
}

/// What was found on the network.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Searched {
    /// Packets that were sent.
    packets: u64,
    found: Vec<Found>,
    /// What kept it from searching.
    trouble: Option<Trouble>,
    /// The trouble in the caller's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Looks around for devices of a kind.
pub(crate) async fn search(
    State(sources): State<Arc<dyn Sources>>,
    Asked(lang): Asked<Lang>,
    Path(kind): Path<String>,
) -> Answer<Searched> {
    let searched = sources.search(&kind).await;
    Ok(Json(match searched.ok_or_else(Failure::not_found)? {
        Ok(search) => Searched {
            packets: search.packets,
            found: search.found,
            trouble: None,
            message: None,
        },
        Err(trouble) => Searched {
            packets: 0,
            found: Vec::new(),
            trouble: Some(trouble),
            message: Some(trouble_text(lang, &kind, trouble)),
        },
    }))
}

/// Reads a device no longer.
pub(crate) async fn end(
    State(sources): State<Arc<dyn Sources>>,
    State(devices): State<Arc<dyn Devices>>,
    Asked(who): Asked<Who>,
    Path(id): Path<String>,
) -> Result<NoContent, Failure> {
    if !sources.knows(&id) {
        return Err(Failure::not_found());
    }
    changes::end(&*devices, &who, &id).await?;
    Ok(NoContent)
}
