//! Lists of numbers in a stored watch: as text of their bytes, exact and a third of the digits.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// Writes the numbers.
pub(crate) fn serialize<S, C>(values: &C, serializer: S) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    for<'a> &'a C: IntoIterator<Item = &'a f32>,
{
    let bytes: Vec<u8> = values.into_iter().flat_map(|v| v.to_le_bytes()).collect();
    serializer.serialize_str(&data_encoding::BASE64_NOPAD.encode(&bytes))
}

/// Reads them back.
pub(crate) fn deserialize<'de, D, C>(deserializer: D) -> Result<C, D::Error>
where
    D: Deserializer<'de>,
    C: FromIterator<f32>,
{
    let text = String::deserialize(deserializer)?;
    let bytes = data_encoding::BASE64_NOPAD
        .decode(text.as_bytes())
        .map_err(D::Error::custom)?;
    let four = bytes.chunks_exact(4);
    if !four.remainder().is_empty() {
        return Err(D::Error::custom("a number is cut off"));
    }
    Ok(four
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect())
}
