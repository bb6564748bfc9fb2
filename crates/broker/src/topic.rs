//! Topic names and filters (MQTT 3.1.1, section 4.7).

/// Longest topic or filter, in bytes.
const TOPIC_BYTES_MAX: usize = 1_024;
/// Most levels of a topic or filter; bounds the depth of the subscription tree.
const LEVELS_MAX: usize = 32;

/// Whether a publish may carry this topic: not empty, no wildcard, no zero character.
pub fn topic_is_valid(topic: &str) -> bool {
    has_valid_size(topic) && !topic.contains(['+', '#', '\0'])
}

/// Whether a subscription may use this filter: `+` alone in its level, `#` alone in the last one.
pub fn filter_is_valid(filter: &str) -> bool {
    if !has_valid_size(filter) || filter.contains('\0') {
        return false;
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let is_last = levels.peek().is_none();
        let fine = match level {
            "+" => true,
            "#" => is_last,
            other => !other.contains(['+', '#']),
        };
        if !fine {
            return false;
        }
    }
    true
}

fn has_valid_size(text: &str) -> bool {
    !text.is_empty() && text.len() <= TOPIC_BYTES_MAX && text.split('/').count() <= LEVELS_MAX
}

/// Whether a topic lies under a filter. A wildcard in the first level does not reach topics that
/// begin with `$`.
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut topic_levels = topic.split('/');
    for level in filter.split('/') {
        match (level, topic_levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(found)) if wanted == found => {}
            _ => return false,
        }
    }
    topic_levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard() {
        assert!(matches("sport/tennis/player1/#", "sport/tennis/player1"));
        assert!(matches(
            "sport/tennis/player1/#",
            "sport/tennis/player1/score/wimbledon"
        ));
        assert!(matches("sport/tennis/+", "sport/tennis/player1"));
        assert!(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
        assert!(!matches("sport/+", "sport"));
        assert!(matches("sport/+", "sport/"));
        assert!(matches("+/+", "/finance"));
        assert!(matches("/+", "/finance"));
        assert!(!matches("+", "/finance"));
        assert!(!matches("#", "$SYS/broker"));
        assert!(!matches("+/monitor/Clients", "$SYS/monitor/Clients"));
        assert!(matches("$SYS/#", "$SYS/broker"));
    }

    #[test]
    fn filters_that_are_none() {
        for bad in [
            "",
            "sport/tennis#",
            "sport/tennis/#/ranking",
            "sport+",
            "a\0b",
        ] {
            assert!(!filter_is_valid(bad), "{bad:?}");
        }
        assert!(!filter_is_valid(&"a/".repeat(40)));
        assert!(filter_is_valid("+/tennis/#"));
        assert!(!topic_is_valid("a/+"));
    }
}
