//! The program's own log, line by line: to a terminal or a file with the time, to the journal of
//! the system with how grave a line is, so that it shows what somebody has to act on.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Lines as systemd's journal reads them: `<3>` something failed, `<4>` somebody should look, `<6>`
/// it is told, `<7>` for whoever looks for a fault (sd-daemon(3)). The journal knows the time.
struct JournalLines(Format<Full, ()>);

impl<S, N> FormatEvent<S, N> for JournalLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let grave = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(to, "<{grave}>")?;
        self.0.format_event(context, to, event)
    }
}

/// Whether standard error is the journal's own stream, which its device and inode tell.
fn goes_to_journal() -> bool {
    let told = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let own = rustix::fs::fstat(std::io::stderr());
    own.is_ok_and(|own| told == format!("{}:{}", own.st_dev, own.st_ino))
}

/// Writes what `MIMAMORI_LOG` wants, `info` if it says nothing.
pub(super) fn to_stderr() {
    let wanted = std::env::var("MIMAMORI_LOG").unwrap_or_else(|_| "info".to_owned());
    let usual = || Targets::new().with_default(LevelFilter::INFO);
    let filter: Targets = wanted.parse().unwrap_or_else(|_| usual());
    // A log that cannot be written (its disk may be the full one) must not end the program.
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let log = tracing_subscriber::registry();
    if goes_to_journal() {
        let plain = Format::default()
            .without_time()
            .with_level(false)
            .with_ansi(false);
        let lines = lines.with_ansi(false).event_format(JournalLines(plain));
        log.with(lines.with_filter(filter)).init();
    } else {
        log.with(lines.with_filter(filter)).init();
    }
}
