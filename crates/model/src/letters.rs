//! Letters as people type them and scanners read them: made plain, so that what is meant alike is
//! alike, and the number of a lot.

use crate::{IdError, Title};

/// What a Japanese keyboard types for the hyphen of a number.
const HYPHENS: [char; 6] = ['ー', '−', '‐', '‑', '–', '—'];

/// Letters, digits and signs as a Japanese keyboard types them, made plain.
pub fn half_width(typed: &str) -> String {
    let plain = typed.chars().map(|c| match c {
        '！'..='～' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '￥' => '¥',
        '\u{3000}' => ' ',
        _ => c,
    });
    plain.collect()
}

/// A lot's number, alike however it was typed: `Ａー１` is `A-1`. What is a word stays one; dots and
/// dashes alone are none, and would lead a browser elsewhere.
pub fn lot_number(typed: &str) -> Result<Title, IdError> {
    let plain = half_width(typed);
    if !plain.contains(char::is_alphanumeric) {
        return Title::new("");
    }
    let letters: Vec<char> = plain.trim().chars().collect();
    let is_of_number = |at: Option<usize>| {
        let beside = at.and_then(|at| letters.get(at));
        beside.is_some_and(char::is_ascii_alphanumeric)
    };
    let number = letters.iter().enumerate().map(|(at, letter)| {
        let is_between = is_of_number(at.checked_sub(1)) && is_of_number(at.checked_add(1));
        if is_between && HYPHENS.contains(letter) {
            '-'
        } else {
            *letter
        }
    });
    Title::new(&number.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_was_typed() {
        for typed in ["A-1", " A-1 ", "Ａ－１", "Ａー１", "A−1", "A‐1"] {
            assert_eq!(lot_number(typed).unwrap().as_str(), "A-1", "{typed}");
        }
        assert_eq!(lot_number("ローラー 3").unwrap().as_str(), "ローラー 3");
        for none in ["\u{3000}", ".", "..", "-"] {
            assert!(lot_number(none).is_err(), "{none}");
        }
    }
}
