//! Why a message did not get through.

/// A failure: a word that names nobody, and what the server or the system said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendFailure {
    /// For the evidence: `smtp-550`, `http-503`, `tls`, `timeout`, `network`.
    pub code: String,
    /// For people.
    pub text: String,
}

/// Longest text of a failure, in characters.
const TEXT_CHARS_MAX: usize = 300;

impl SendFailure {
    /// What others said is cut to a length that fits a page.
    pub fn new(code: impl Into<String>, text: &str) -> Self {
        Self {
            code: code.into(),
            text: text.chars().take(TEXT_CHARS_MAX).collect(),
        }
    }
}
