//! HTTP itself: listening, what stands before every request, what a request tells of its sender,
//! and how one is refused.

pub(crate) mod access;
pub(crate) mod apart;
pub(crate) mod asked;
pub(crate) mod doors;
pub(crate) mod failure;
pub(crate) mod guard;
pub(crate) mod passing;
pub(crate) mod route;
pub(crate) mod script;
pub(crate) mod timed;
