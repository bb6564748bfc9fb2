//! A type per identifier: a device's name can never be handed where a machine's is wanted.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// Longest identifier accepted anywhere, in bytes.
const ID_BYTES_MAX: usize = 64;
/// Longest name of a product, in letters.
const NAME_CHARS_MAX: usize = 64;

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdError {
    /// Empty text.
    Empty,
    /// Longer than 64 bytes.
    TooLong,
    /// Holds something other than ASCII letters, digits, `-`, `_` or `.`; of a product, something
    /// that is no letter at all.
    Character,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an identifier may not be empty",
            Self::TooLong => "an identifier has at most 64 characters",
            Self::Character => "an identifier has only letters, digits, '-', '_' and '.'",
        })
    }
}

impl std::error::Error for IdError {}

/// An identifier as it appears in topics, paths and addresses without any escaping: 1 to 64 ASCII
/// letters, digits, `-`, `_` or `.`.
fn identifier(text: &str) -> Result<Box<str>, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong);
    }
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !text.bytes().all(fine) || text.bytes().all(|b| b == b'.') {
        return Err(IdError::Character);
    }
    Ok(text.into())
}

/// A name as people write it, in any script: 1 to 64 letters, composed (Unicode NFC), so that the
/// same name typed on two computers is one.
fn name(text: &str) -> Result<Box<str>, IdError> {
    let text: String = text.trim().nfc().collect();
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.chars().count() > NAME_CHARS_MAX {
        return Err(IdError::TooLong);
    }
    if text.chars().any(|c| c.is_control() || is_unseen(c)) {
        return Err(IdError::Character);
    }
    Ok(text.into())
}

/// What nobody sees and what turns others round: two names that look alike would be two.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks the text.
            pub fn new(text: &str) -> Result<Self, IdError> {
                Ok(Self($check(text)?))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        $crate::described_as!($name, String);

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A factory, or the part of one that one box watches.
    SiteId, identifier
}
text_id! {
    /// Something that speaks to Mimamori: a sensor, a meter, a gateway, a robot controller.
    DeviceId, identifier
}
text_id! {
    /// Something that makes parts. One machine is seen through one or more devices.
    MachineId, identifier
}
text_id! {
    /// What a machine is making, as people call it; a reference belongs to a machine and a product.
    ProductId, name
}
text_id! {
    /// What people call a machine, or a part of the factory.
    Title, name
}
text_id! {
    /// One measured point of a device, for example `power_w`.
    PointName, identifier
}

impl SiteId {
    /// The site that this box watches.
    pub fn own() -> Self {
        Self("own".into())
    }
}

impl MachineId {
    /// The machine of a device's own name, for devices of which nobody said what they watch.
    pub fn named_like(device: &DeviceId) -> Self {
        Self(device.0.clone())
    }
}

/// Products that nobody named, known by the shape of their power, are called this and a number.
pub const UNNAMED_PRODUCT: &str = "shape-";

impl ProductId {
    /// The product of a machine that never names one.
    pub fn only() -> Self {
        Self("-".into())
    }
}

/// The number under which the store keeps one point of one device.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct SeriesId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_holds_nothing_that_needs_escaping() {
        assert!(DeviceId::new("robot-1").is_ok());
        assert!(PointName::new("power_w").is_ok());
        for product in ["部品A", "A/100", "bracket 7"] {
            assert_eq!(ProductId::new(product).unwrap().as_str(), product);
        }
        let composed = ProductId::new("ガ").unwrap();
        assert_eq!(ProductId::new(" カ\u{3099} ").unwrap(), composed);
        assert!(ProductId::new(&"品".repeat(64)).is_ok());
        for bad in ["", "  ", "a\0b", &"品".repeat(65)] {
            assert!(ProductId::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a/b", "a b", "機械", "..", "+", "#", "a\0b"] {
            assert!(MachineId::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(DeviceId::new(&"x".repeat(65)), Err(IdError::TooLong));
    }
}
