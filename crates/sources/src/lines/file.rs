//! `sources.toml` in the data folder: the devices that the box reads by itself.

use model::Source;
use serde::{Deserialize, Serialize};

/// Its name.
pub(crate) const SOURCES_FILE: &str = "sources.toml";

/// The file as written; no file means no sources.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    #[serde(default)]
    pub(crate) source: Vec<Source>,
}
