//! What is proven, and of whom. Evidence, verdicts and what follows from them are kept by this: a
//! look at one device says nothing of another, and nothing of the box.

use std::fmt;

use model::{DeviceId, SiteId};
use serde::{Deserialize, Serialize};

use crate::measure::Measure;

/// How devices are told from the box where a subject is a text.
const DEVICE: &str = "device:";
/// The box as a text.
const BOX: &str = "box";

/// Of whom something is proven.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// The box itself, with all that hangs on it.
    Box,
    /// One device.
    Device(DeviceId),
}

/// Something that holds or does not, of somebody, somewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
pub struct Claim {
    /// Where.
    pub site: SiteId,
    /// Of whom.
    pub subject: Subject,
    /// What.
    pub measure: Measure,
}

impl Claim {
    /// Something about this box.
    pub fn of_box(measure: Measure) -> Self {
        Self {
            site: SiteId::own(),
            subject: Subject::Box,
            measure,
        }
    }

    /// What this box can prove of itself, in the order of the measures.
    pub fn all_of_box() -> impl Iterator<Item = Self> {
        Measure::ALL.iter().copied().map(Self::of_box)
    }
}

model::described_as!(Subject, String);

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Box => f.write_str(BOX),
            Self::Device(id) => write!(f, "{DEVICE}{id}"),
        }
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl TryFrom<String> for Subject {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text == BOX {
            return Ok(Self::Box);
        }
        let id = text
            .strip_prefix(DEVICE)
            .and_then(|id| DeviceId::new(id).ok());
        id.map(Self::Device)
            .ok_or("a subject is `box` or `device:` and a name")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_text_and_a_device_called_box_is_not_the_box() {
        let device = |name: &str| Subject::Device(DeviceId::new(name).unwrap());
        for subject in [Subject::Box, device("press-1"), device("box")] {
            let text = String::from(subject.clone());
            assert_eq!(Subject::try_from(text), Ok(subject));
        }
        for wrong in ["", "press-1", "device:", "device:a/b"] {
            assert!(Subject::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }
}
