//! Guidelines as data: a dated file with its source, in our own words in both languages, whose
//! functions name the measures that prove them. A file that names what does not exist is refused.

use serde::{Deserialize, Serialize};

use crate::measure::Measure;

/// The file that comes with the program.
const IPA_2019: &str = include_str!("../catalog/ipa-2019.toml");

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

/// Part of a device's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Its name.
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
    /// The twelve requirements and twenty-three functions.
    pub fn ipa_2019() -> Result<Self, CatalogueError> {
        Self::read(IPA_2019)
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

    /// A function by its name.
    pub fn function(&self, id: &str) -> Option<&Function> {
        self.function.iter().find(|function| function.id == id)
    }
}
