//! The stack light, spoken to by PNS over TCP. After each write the light is asked what it shows,
//! where the model can tell, so "the light is red" is seen and not assumed.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Duration, timeout};
use tracing::{info, warn};
use wire::pns::{self, AnswerError, Family, Light, STATUS_BYTES};

/// Time for one question and its answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);
/// An unchanged light is checked this often.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// After a failure it is tried again this much later.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Failures in a row after which the light counts as silent.
const FAILURES_UNTIL_SILENT: u32 = 2;

/// Which light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LightConfig {
    /// Host and port, for example `192.168.10.1:10000`.
    pub address: String,
    /// Which family it belongs to.
    pub family: Family,
}

/// What is known of the light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LightReport {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It answered. `shown` is what it says it shows; `None` if the model cannot tell.
    Answers {
        /// What was last asked of it.
        wanted: Light,
        /// What it reported back.
        shown: Option<Light>,
    },
    /// It does not answer, refuses, or shows something else than asked.
    Silent,
}

/// Keeps the light showing what is wanted, until `wanted` is dropped.
pub async fn run_light(
    config: LightConfig,
    mut wanted: watch::Receiver<Light>,
    report: watch::Sender<LightReport>,
) {
    let mut connection = None;
    let mut failures = 0;
    loop {
        let want = *wanted.borrow_and_update();
        let shown = show(&config, want, &mut connection).await;
        let pause = match shown {
            Ok(shown) => {
                if failures >= FAILURES_UNTIL_SILENT {
                    info!(address = %config.address, "the stack light answers again");
                }
                failures = 0;
                tell(
                    &report,
                    LightReport::Answers {
                        wanted: want,
                        shown,
                    },
                );
                CHECK_EVERY
            }
            Err(error) => {
                connection = None;
                failures += 1;
                if failures == FAILURES_UNTIL_SILENT {
                    warn!(address = %config.address, %error, "the stack light does not answer");
                }
                if failures >= FAILURES_UNTIL_SILENT {
                    tell(&report, LightReport::Silent);
                }
                RETRY_AFTER
            }
        };
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn tell(report: &watch::Sender<LightReport>, now: LightReport) {
    report.send_if_modified(|before| std::mem::replace(before, now) != now);
}

/// Writes what is wanted and reads back what is shown.
async fn show(
    config: &LightConfig,
    want: Light,
    connection: &mut Option<TcpStream>,
) -> io::Result<Option<Light>> {
    let work = async {
        let stream = match connection {
            Some(stream) => stream,
            None => connection.insert(TcpStream::connect(&config.address).await?),
        };
        stream
            .write_all(&pns::write_request(config.family, want))
            .await?;
        pns::read_ack(stream.read_u8().await?).map_err(as_io)?;
        if !config.family.reads_back() {
            return Ok(None);
        }
        stream.write_all(&pns::status_request()).await?;
        let mut answer = [0; STATUS_BYTES];
        stream.read_exact(&mut answer).await?;
        let shown = pns::read_status(&answer).map_err(as_io)?;
        if shown == want {
            Ok(Some(shown))
        } else {
            Err(io::Error::other("it shows something else"))
        }
    };
    timeout(ANSWER_TIME_MAX, work)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

fn as_io(error: AnswerError) -> io::Error {
    io::Error::other(match error {
        AnswerError::Refused => "it refused the command",
        AnswerError::Garbled => "its answer is not PNS",
    })
}
