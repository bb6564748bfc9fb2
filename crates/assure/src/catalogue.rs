//! Guidelines as data: a dated file with its source, in our own words in both languages, whose
//! functions name the measures that prove them. A file that names what does not exist is refused.

use std::fmt;

use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};

use crate::measure::Measure;

/// The files that come with the program: every one in this folder.
static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/catalog");
/// The catalogue of what was declared before functions were named with theirs.
const FIRST: &str = "ipa2019";

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

/// Part of a device's life, in the order of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Phase {
    /// Taking it into use.
    Start,
    /// Keeping harm away.
    Prevent,
    /// Noticing harm.
    Detect,
    /// Getting over it.
    Recover,
    /// Taking it out of use.
    End,
}

model::coded!(Phase);

/// What is demanded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// `R1` to `R12`.
    pub id: String,
    /// When in a device's life.
    pub phase: Phase,
    /// What it says, in our words.
    pub title: Words,
    /// The functions that meet it.
    pub functions: Vec<String>,
}

/// What meets a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// `F01` to `F23`.
    pub id: String,
    /// What it is called.
    pub title: Words,
    /// The measures that prove it; none if the box cannot see it.
    #[serde(default)]
    pub measures: Vec<String>,
}

impl Function {
    /// The measures that prove it.
    pub fn measures(&self) -> impl Iterator<Item = Measure> {
        let codes = self.measures.iter();
        codes.filter_map(|code| Measure::from_code(code))
    }
}

/// A guideline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Its name, before the names of its functions: `ipa2019`.
    pub id: String,
    /// The day of the source.
    pub dated: String,
    /// Where it comes from.
    pub source: Words,
    /// What is demanded.
    pub requirement: Vec<Requirement>,
    /// What meets it.
    pub function: Vec<Function>,
}

/// A function of a catalogue by name: `ipa2019/F01`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct FunctionId {
    /// Name of the guideline, as its file has it: `ipa2019`.
    pub catalogue: String,
    /// The function's name in it.
    pub function: String,
}

model::described_as!(FunctionId, String);

impl fmt::Display for FunctionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.catalogue, self.function)
    }
}

impl From<FunctionId> for String {
    fn from(id: FunctionId) -> Self {
        id.to_string()
    }
}

impl From<String> for FunctionId {
    /// A name alone is one of the first catalogue: so was it written before there were more.
    fn from(text: String) -> Self {
        let (catalogue, function) = text.split_once('/').unwrap_or((FIRST, &text));
        Self {
            catalogue: catalogue.to_owned(),
            function: function.to_owned(),
        }
    }
}

/// Why a catalogue is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogueError {
    /// The file is not what it should be.
    Content(String),
    /// A requirement names a function, or a function a measure, that does not exist.
    Unknown(String),
    /// Two things have one name.
    Twice(String),
}

impl Catalogue {
    /// All that come with the program, by name.
    pub fn all() -> Result<Vec<Self>, CatalogueError> {
        let files = FILES.files().filter(|file| {
            let ending = file.path().extension();
            ending.is_some_and(|ending| ending == "toml")
        });
        let read = |file: &include_dir::File<'_>| {
            let name = file.path().display();
            let text = file.contents_utf8();
            let no_text = || CatalogueError::Content(format!("{name} is no text"));
            Self::read(text.ok_or_else(no_text)?)
        };
        let mut all: Vec<Self> = files.map(read).collect::<Result<_, _>>()?;
        all.sort_by(|a, b| a.id.cmp(&b.id));
        let twice = all.windows(2).find(|pair| pair[0].id == pair[1].id);
        match twice {
            Some(twice) => Err(CatalogueError::Twice(twice[0].id.clone())),
            None => Ok(all),
        }
    }

    /// Reads a file.
    pub fn read(text: &str) -> Result<Self, CatalogueError> {
        let read: Self =
            toml::from_str(text).map_err(|e| CatalogueError::Content(e.to_string()))?;
        let mut names: Vec<&str> = read.function.iter().map(|f| f.id.as_str()).collect();
        names.extend(read.requirement.iter().map(|r| r.id.as_str()));
        names.sort_unstable();
        if let Some([twice, _]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CatalogueError::Twice((*twice).to_owned()));
        }
        let functions = read.requirement.iter().flat_map(|r| &r.functions);
        let lost = functions
            .filter(|id| read.function(id).is_none())
            .chain(
                read.function
                    .iter()
                    .flat_map(|f| &f.measures)
                    .filter(|code| Measure::from_code(code).is_none()),
            )
            .next();
        match lost {
            Some(name) => Err(CatalogueError::Unknown(name.clone())),
            None => Ok(read),
        }
    }

    /// A function of this catalogue, with its name.
    pub fn name(&self, function: &str) -> FunctionId {
        FunctionId {
            catalogue: self.id.clone(),
            function: function.to_owned(),
        }
    }

    /// A function by its name in this catalogue.
    pub fn function(&self, id: &str) -> Option<&Function> {
        self.function.iter().find(|function| function.id == id)
    }
}
