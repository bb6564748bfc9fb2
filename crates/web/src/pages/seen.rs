//! Two people may change one setting at once. A form tells what it was filled in from; where that
//! is no longer so, nothing is overwritten: whoever sends it is told, sees their own words, and
//! decides anew.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::Serialize;

/// A short mark of a value, for a hidden field. It keeps nothing secret and proves nothing.
pub(super) fn mark(value: &impl Serialize) -> String {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(value)
        .unwrap_or_default()
        .hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Whether a form was filled in from something else than what holds now. One that does not tell
/// was sent by a script that knows what it does.
pub(super) fn is_stale(told: &str, now: &impl Serialize) -> bool {
    !told.is_empty() && told != mark(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_meanwhile_is_noticed() {
        let told = mark(&["27.5", "6000"]);
        assert!(!is_stale(&told, &["27.5", "6000"]));
        assert!(is_stale(&told, &["28", "6000"]));
        assert!(!is_stale("", &["28"]));
    }
}
