//! What scripts send and get: JSON and queries of a known shape, from which the description of the
//! API is made, or the reason why not.

use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseText};
use aide::{OperationInput, OperationOutput};
use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::Page;

use crate::http::failure::Failure;

/// A value as JSON, or why there is none.
pub(crate) type Answer<T> = Result<Json<T>, Failure>;

/// A list that is never long enough to be cut into pages.
pub(crate) fn whole<T>(items: impl IntoIterator<Item = T>) -> Json<Page<T>> {
    let items = items.into_iter().collect();
    Json(Page { items, next: None })
}

/// What a script sent as JSON.
pub(crate) struct Sent<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let sent = Json::from_request(request, state).await;
        let Json(sent) = sent.map_err(|_| Failure::bad_request())?;
        Ok(Self(sent))
    }
}

impl<T: JsonSchema> OperationInput for Sent<T> {
    fn operation_input(ctx: &mut GenContext, said: &mut Operation) {
        Json::<T>::operation_input(ctx, said);
    }
}

/// What a script asks for in the query.
pub(crate) struct Queried<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Queried<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let asked = Query::try_from_uri(&parts.uri);
        let Query(asked) = asked.map_err(|_| Failure::bad_request())?;
        Ok(Self(asked))
    }
}

impl<T: JsonSchema> OperationInput for Queried<T> {
    fn operation_input(ctx: &mut GenContext, said: &mut Operation) {
        Query::<T>::operation_input(ctx, said);
    }
}

/// Something that was made.
pub(crate) struct Created<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn operation_response(ctx: &mut GenContext, said: &mut Operation) -> Option<ResponseText> {
        Json::<T>::operation_response(ctx, said)
    }

    fn inferred_responses(
        ctx: &mut GenContext,
        said: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseText)> {
        let response = Self::operation_response(ctx, said);
        response.into_iter().map(|said| (Some(201), said)).collect()
    }
}

/// Something was asked for and goes on by itself.
pub(crate) struct Accepted;

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}

impl OperationOutput for Accepted {
    type Inner = ();

    fn inferred_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseText)> {
        let description = "It goes on by itself".to_owned();
        let response = ResponseText {
            description,
            ..ResponseText::default()
        };
        vec![(Some(202), response)]
    }
}
