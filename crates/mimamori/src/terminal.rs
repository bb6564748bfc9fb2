//! What is said to the person at the terminal, and in which language.

use std::io::Write as _;
use std::time::Duration;

use text::Lang;

/// Prints a line for the person. Nobody reading any more is no reason to end.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").ok();
}

/// Prints a line beside the output.
pub(crate) fn note(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").ok();
}

/// The language from `--lang`, else from the environment, else English for terminals that say
/// nothing.
pub(crate) fn choose(asked: Option<Lang>) -> Lang {
    let environment = || {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let mut set = names.iter().filter_map(|name| std::env::var(name).ok());
        set.find(|value| !value.is_empty())
    };
    asked.unwrap_or_else(|| match environment() {
        Some(value) if value.starts_with("ja") => Lang::Ja,
        _ => Lang::En,
    })
}

/// Reads `ja` or `en`.
pub(crate) fn lang(code: &str) -> Result<Lang, String> {
    let known = Lang::from_code(code);
    known.ok_or_else(|| format!("{code:?} is neither ja nor en"))
}

/// Reads `90s`, `5m`, `2h` or a plain number of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a length of time: write 90s, 5m or 2h");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let seconds = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    Ok(Duration::from_secs(count * seconds))
}

/// Waits until the person or the system ends the program.
pub(crate) async fn wait_for_end(until_stdin_closes: bool) -> anyhow::Result<()> {
    use tokio::io::AsyncReadExt as _;
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    // A terminal that is closed, or a connection to it that is cut.
    let mut hangup = signal(SignalKind::hangup())?;
    let stdin_closed = async {
        let mut byte = [0; 64];
        let mut stdin = tokio::io::stdin();
        while until_stdin_closes && stdin.read(&mut byte).await.is_ok_and(|n| n > 0) {}
        if !until_stdin_closes {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        done = tokio::signal::ctrl_c() => done?,
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
        () = stdin_closed => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert!(duration("soon").is_err());
    }
}
