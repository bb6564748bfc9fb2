//! The web page, the JSON API and the live view. Pages are HTML from the server in the reader's
//! language; a small first-party script exchanges the parts that changed. Nothing here judges:
//! it shows what the recorder put into the `BoardView` and what the store keeps.

mod api;
mod changes;
mod http;
mod live;
mod pages;
mod routes;
mod site;
mod strips;

pub use http::access::Access;
pub use http::doors::{Tls, run};
pub use http::route::Route;
pub use routes::{Served, routes};
pub use site::{Ports, ProofPort, Site};
pub use strips::StripShelf;
