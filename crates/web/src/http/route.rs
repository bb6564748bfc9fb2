//! An address: how it is asked, who may use it, what is said of it and which handler answers.

use aide::axum::routing::ApiMethodRouter;
use axum::routing::MethodRouter;

use crate::Site;
use crate::http::access::Access;

/// One address.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// `GET`, `POST` or `PUT`.
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// What is said of it in the description of the API; `None` if it is for people.
    pub(crate) described: Option<Described>,
    pub(crate) answered_by: fn() -> MethodRouter<Site>,
}

/// What is said of an address beside what its handler tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Described {
    /// What it is for.
    pub(crate) summary: &'static str,
    /// What its handler tells. Apart from the answering: the types of everything stay in memory
    /// where they were looked at.
    pub(crate) told: fn() -> ApiMethodRouter<Site>,
    /// The types of what it takes, where its handler reads that itself.
    pub(crate) takes: &'static [&'static str],
    /// The type of its text, if it gives no JSON.
    pub(crate) text: Option<&'static str>,
}

impl Described {
    /// Takes and gives what its handler tells.
    pub(crate) const fn new(summary: &'static str, told: fn() -> ApiMethodRouter<Site>) -> Self {
        Self {
            summary,
            told,
            takes: &[],
            text: None,
        }
    }
}

/// An address that is for people.
macro_rules! page {
    ($method:ident $path:literal, $access:expr, $handler:expr) => {
        $crate::http::route::page!(@ $method $path, $access, axum::routing::$method($handler))
    };
    ($method:ident $path:literal, $access:expr, $handler:expr, $layer:expr) => {
        $crate::http::route::page!(@ $method $path, $access,
            axum::routing::$method($handler).layer($layer))
    };
    (@ $method:ident $path:literal, $access:expr, $router:expr) => {
        $crate::http::route::Route {
            method: $crate::http::route::method!($method),
            path: $path,
            access: $access,
            described: None,
            answered_by: || $router,
        }
    };
}

/// An address that is for scripts, with what it is for, and the types of what it takes or gives
/// where that is no JSON.
macro_rules! api {
    (
        $method:ident $path:literal, $access:expr, $handler:expr, $summary:literal
        $(, takes $takes:expr)? $(, text $text:literal)?
    ) => {
        $crate::http::route::Route {
            method: $crate::http::route::method!($method),
            path: $path,
            access: $access,
            described: Some($crate::http::route::Described {
                $(takes: $takes,)?
                $(text: Some($text),)?
                ..$crate::http::route::Described::new($summary, || {
                    aide::axum::routing::$method($handler)
                })
            }),
            answered_by: || axum::routing::$method($handler),
        }
    };
}

macro_rules! method {
    (get) => {
        "GET"
    };
    (post) => {
        "POST"
    };
    (put) => {
        "PUT"
    };
}

pub(crate) use {api, method, page};
