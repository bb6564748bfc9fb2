//! The description of the API, made from its handlers: what they take, what they give, and who may
//! use them.

use std::sync::LazyLock;

use aide::OperationOutput as _;
use aide::axum::ApiRouter;
use aide::generate::{in_context, reset_context};
use aide::openapi::{
    ApiKeyLocation, Info, License, MediaType, OpenApi, Operation, Parameter, ParameterData,
    ParameterSchemaOrContent, PathStyle, ReferenceOr, RequestBody, Response as ResponseText,
    SchemaObject, SecurityScheme, StatusCode as StatusText,
};
use aide::transform::{TransformOpenApi, TransformPathItem};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use indexmap::IndexMap;
use model::Role;
use schemars::generate::SchemaSettings;
use schemars::json_schema;

use crate::http::access::{Access, OPEN};
use crate::http::failure::Failure;
use crate::http::route::{Described, Route, api};

/// The addresses of these.
pub(crate) const ROUTES: &[Route] =
    &[api!(get "/api/v1/openapi.json", OPEN, show, "This description", text "application/json")];

/// Where schemas stand in the description.
const SCHEMAS: &str = "/components/schemas";
/// The type of media of nearly everything.
const JSON: &str = "application/json";
/// How scripts show who they are.
const TOKEN: &str = "token";
/// How browsers do.
const SESSION: &str = "session";

/// What is said of the API as a whole.
const ABOUT: &str = "Times are RFC 3339 in UTC. Lists are paged with `limit` and `cursor`. Errors \
    carry a code, and a message and a hint in the caller's language (Accept-Language: ja or en). \
    Who is signed in may use what their role allows; scripts send a token made on the page \
    \"People\".";

/// The description as it is served.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let text = serde_json::to_string_pretty(&describe()).unwrap_or_default();
    // The comments of the types speak Rust, and are broken where a line of source ends.
    let text = text.replace("`None`", "null").replace("\\n ", " ");
    text + "\n"
});

/// Gives this description.
pub(crate) async fn show() -> Response {
    ([(CONTENT_TYPE, JSON)], TEXT.as_str()).into_response()
}

/// Describes every address that is for scripts.
fn describe() -> OpenApi {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        SCHEMAS.clone_into(settings.definitions_path.to_mut());
        settings.meta_schema = None;
    });
    in_context(|ctx| ctx.schema = settings.into_generator());
    let mut api = OpenApi {
        info: Info {
            title: "Mimamori".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: Some(ABOUT.to_owned()),
            license: Some(License {
                name: "Apache-2.0 OR MIT".to_owned(),
                identifier: Some("Apache-2.0 OR MIT".to_owned()),
                ..License::default()
            }),
            ..Info::default()
        },
        ..OpenApi::default()
    };
    let refused = in_context(|ctx| Failure::operation_response(ctx, &mut Operation::default()));
    let mut router = ApiRouter::new();
    for route in crate::routes() {
        if let Some(said) = route.described {
            router = router.api_route_with(route.path, (said.told)(), |path| {
                complete(path, route, said, refused.as_ref())
            });
        }
    }
    let _served_elsewhere = router.finish_api_with(&mut api, secured);
    reset_context();
    api
}

/// How scripts and browsers show who they are.
fn secured(api: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    let token = SecurityScheme::Http {
        scheme: "bearer".to_owned(),
        bearer_format: None,
        description: Some("A token made on the page \"People\"; of a device, its own".to_owned()),
        extensions: IndexMap::default(),
    };
    let session = SecurityScheme::ApiKey {
        location: ApiKeyLocation::Cookie,
        name: "session".to_owned(),
        description: Some("Set when somebody signs in on a page".to_owned()),
        extensions: IndexMap::default(),
    };
    api.security_scheme(TOKEN, token)
        .security_scheme(SESSION, session)
}

/// What cannot be seen from a handler: what it is for, who may use it, what its address names, and
/// which text it gives where that is no JSON.
fn complete<'t>(
    mut path: TransformPathItem<'t>,
    route: &Route,
    said: Described,
    refused: Option<&ResponseText>,
) -> TransformPathItem<'t> {
    let item = path.inner_mut();
    let operations = [&mut item.get, &mut item.post, &mut item.put];
    for operation in operations.into_iter().flatten() {
        operation.summary = Some(said.summary.to_owned());
        let needs = |name: &str| IndexMap::from([(name.to_owned(), Vec::new())]);
        operation.security = match route.access {
            Access::Clear | Access::Open => Vec::new(),
            Access::DeviceToken => vec![needs(TOKEN)],
            Access::SignedIn => vec![needs(SESSION)],
            Access::May(_) => vec![needs(TOKEN), needs(SESSION)],
        };
        // Whoever is asked who they are may be refused.
        if !operation.security.is_empty() {
            let responses = operation.responses.get_or_insert_default();
            let refused = refused.cloned().map(ReferenceOr::Item);
            responses.default = responses.default.take().or(refused);
        }
        if let Access::May(right) = route.access {
            let roles = Role::ALL.iter().filter(|role| role.may(right));
            let roles: Vec<&str> = roles.map(|role| role.code()).collect();
            operation.description = Some(format!("For these roles: {}.", roles.join(", ")));
        }
        let known: Vec<String> = operation.parameters.iter().filter_map(name_of).collect();
        let named = named_in(route.path).filter(|name| !known.iter().any(|known| known == name));
        let named: Vec<_> = named.map(parameter).map(ReferenceOr::Item).collect();
        operation.parameters.splice(0..0, named);
        if !said.takes.is_empty() {
            let media = said
                .takes
                .iter()
                .map(|kind| ((*kind).to_owned(), media_of(kind)));
            let body = RequestBody {
                content: media.collect(),
                required: true,
                ..RequestBody::default()
            };
            operation.request_body = Some(ReferenceOr::Item(body));
        }
        if let Some(kind) = said.text {
            let responses = operation.responses.get_or_insert_default();
            let text = ReferenceOr::Item(text_response(kind));
            responses.responses.insert(StatusText::Code(200), text);
        }
    }
    path
}

/// The names in braces.
fn named_in(path: &'static str) -> impl Iterator<Item = &'static str> {
    let parts = path.split('/');
    parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn name_of(parameter: &ReferenceOr<Parameter>) -> Option<String> {
    Some(parameter.as_item()?.parameter_data_ref().name.clone())
}

fn text_schema() -> SchemaObject {
    SchemaObject {
        json_schema: json_schema!({"type": "string"}),
        external_docs: None,
        example: None,
    }
}

fn parameter(name: &str) -> Parameter {
    Parameter::Path {
        parameter_data: ParameterData {
            name: name.to_owned(),
            description: None,
            required: true,
            deprecated: None,
            format: ParameterSchemaOrContent::Schema(text_schema()),
            example: None,
            examples: IndexMap::default(),
            explode: None,
            extensions: IndexMap::default(),
        },
        style: PathStyle::Simple,
    }
}

/// What a type of media holds, as far as it can be said of all of it.
fn media_of(kind: &str) -> MediaType {
    let schema = if kind == JSON {
        SchemaObject {
            json_schema: json_schema!({}),
            ..text_schema()
        }
    } else {
        text_schema()
    };
    MediaType {
        schema: Some(schema),
        ..MediaType::default()
    }
}

fn text_response(kind: &str) -> ResponseText {
    ResponseText {
        description: "As it is".to_owned(),
        content: IndexMap::from([(kind.to_owned(), media_of(kind))]),
        ..ResponseText::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The committed description shows in a review what a change does to the API. Set
    /// `MIMAMORI_BLESS` to write it anew.
    #[test]
    fn the_committed_description_is_the_one_the_handlers_give() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("MIMAMORI_BLESS").is_some() {
            std::fs::write(path, TEXT.as_str()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == *TEXT,
            "openapi.json is not what the handlers give: run this test with MIMAMORI_BLESS=1 \
             and look at the difference"
        );
    }

    #[test]
    fn it_speaks_of_json_and_not_of_rust() {
        for word in ["`None`", "`Some`", "[`", "``"] {
            let lines = TEXT.lines().filter(|line| line.contains(word));
            let lines: Vec<&str> = lines.collect();
            assert!(lines.is_empty(), "{word}: {lines:#?}");
        }
    }

    #[test]
    fn every_address_for_scripts_is_described() {
        let for_scripts = [
            "/api/", "/enroll/", "/ingest/", "/live", "/healthz", "/metrics",
        ];
        let is_api = |path: &str| for_scripts.iter().any(|start| path.starts_with(start));
        for route in crate::routes() {
            let (is_described, path) = (route.described.is_some(), route.path);
            assert_eq!(is_described, is_api(path), "{path}");
        }
    }
}
