//! From the bytes of a text file to text, and from the wide letters of a Japanese keyboard to those
//! that numbers and dates are made of.

use encoding_rs::{Encoding, SHIFT_JIS, UTF_8};

/// Decodes a file: by its mark if it has one, else as UTF-8 if it is that, else as the Shift JIS of
/// Japanese Windows (CP932). Gives the name of the encoding too.
pub(super) fn decode(bytes: &[u8]) -> (String, &'static str) {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => SHIFT_JIS,
    };
    let (text, ..) = encoding.decode(bytes);
    (text.into_owned(), encoding.name())
}

/// Wide letters, digits and signs become narrow ones.
pub(super) fn narrow(text: &str) -> String {
    text.trim().chars().map(narrow_char).collect()
}

fn narrow_char(c: char) -> char {
    match c {
        // The wide forms stand in the order of ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xff01 + 0x21).unwrap_or(c),
        '\u{3000}' => ' ',
        '−' | '‐' | '–' => '-',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_however_windows_wrote_it() {
        let cp932 = [0x93, 0x64, 0x97, 0xcd, b',', 0x87, 0x40];
        assert_eq!(decode(&cp932), ("電力,①".to_owned(), "Shift_JIS"));
        assert_eq!(
            decode("\u{feff}電力".as_bytes()),
            ("電力".to_owned(), "UTF-8")
        );
        let utf16: Vec<u8> = "\u{feff}電力"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(decode(&utf16), ("電力".to_owned(), "UTF-16LE"));
        assert_eq!(decode("電力".as_bytes()).1, "UTF-8");
    }

    #[test]
    fn wide_letters_become_narrow() {
        assert_eq!(narrow(" １２．５　ｋＷ "), "12.5 kW");
        assert_eq!(narrow("−５"), "-5");
    }
}
