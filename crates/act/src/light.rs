//! The stack light, spoken to by PNS or PHN over TCP, by HTTP, or told over MQTT. After each write
//! the light is asked what it shows, where the model can tell, so "the light is red" is seen and
//! not assumed.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Duration, timeout};
use tracing::{info, warn};
use wire::patlite;
use wire::pns::{self, Family, Light, PnsError, STATUS_BYTES};

/// Time for one question and its answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);
/// An unchanged light is checked this often.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// After a failure it is tried again this much later.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Looks that a light that listens to MQTT may be missed after a start.
const LOOKS_AT_START: u32 = 8;
/// Longest answer of a light over HTTP.
const ANSWER_BYTES_MAX: u64 = 1_024;
/// Failures in a row after which the light counts as silent.
const FAILURES_UNTIL_SILENT: u32 = 2;

/// How a light is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// PNS, as the lights of this family speak it.
    Pns(Family),
    /// PHN, as older lights speak it.
    Phn,
    /// HTTP: it says that it has understood, not what it shows.
    Http,
}

/// Where the stack light is, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LightConfig {
    /// Host and port, for example `192.168.10.1:10000`.
    pub address: String,
    /// How it is spoken to.
    pub protocol: Protocol,
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

/// Keeps a light that listens to MQTT showing what is wanted: `tell` publishes to it, `is_there`
/// says whether it is connected. What it shows it does not say.
pub async fn run_told_light(
    mut wanted: watch::Receiver<Light>,
    report: watch::Sender<LightReport>,
    tell_it: impl Fn(&str) + Send,
    is_there: impl Fn() -> bool + Send,
) {
    // A light takes a while to come back after a start.
    let mut looks_left = LOOKS_AT_START;
    loop {
        let want = *wanted.borrow_and_update();
        // Kept for it if it is away, and said again to one that has missed it.
        tell_it(&patlite::mqtt_message(want));
        if is_there() {
            looks_left = FAILURES_UNTIL_SILENT;
            let (wanted, shown) = (want, None);
            tell(&report, LightReport::Answers { wanted, shown });
        } else {
            looks_left = looks_left.saturating_sub(1);
            if looks_left == 0 {
                tell(&report, LightReport::Silent);
            }
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(CHECK_EVERY) => {}
        }
    }
}

/// Writes what is wanted and reads back what is shown.
async fn show(
    config: &LightConfig,
    want: Light,
    connection: &mut Option<TcpStream>,
) -> io::Result<Option<Light>> {
    let work = async {
        let address = &config.address;
        let shown = match config.protocol {
            Protocol::Http => {
                show_by_http(address, want).await?;
                None
            }
            Protocol::Pns(family) => {
                show_by_pns(connected(address, connection).await?, family, want).await?
            }
            Protocol::Phn => Some(show_by_phn(connected(address, connection).await?, want).await?),
        };
        if shown.is_none_or(|shown| shown == want) {
            Ok(shown)
        } else {
            Err(io::Error::other("it shows something else"))
        }
    };
    timeout(ANSWER_TIME_MAX, work)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// The connection to a light that keeps one.
async fn connected<'a>(
    address: &str,
    connection: &'a mut Option<TcpStream>,
) -> io::Result<&'a mut TcpStream> {
    match connection {
        Some(stream) => Ok(stream),
        None => Ok(connection.insert(TcpStream::connect(address).await?)),
    }
}

async fn show_by_pns(
    stream: &mut TcpStream,
    family: Family,
    want: Light,
) -> io::Result<Option<Light>> {
    stream.write_all(&pns::write_request(family, want)).await?;
    pns::read_ack(stream.read_u8().await?).map_err(as_io)?;
    if !family.reads_back() {
        return Ok(None);
    }
    stream.write_all(&pns::status_request()).await?;
    let mut answer = [0; STATUS_BYTES];
    stream.read_exact(&mut answer).await?;
    pns::read_status(&answer).map(Some).map_err(as_io)
}

async fn show_by_phn(stream: &mut TcpStream, want: Light) -> io::Result<Light> {
    stream.write_all(&patlite::phn_write(want)).await?;
    let mut done = [0; 3];
    stream.read_exact(&mut done).await?;
    patlite::phn_ack(&done).map_err(as_io)?;
    stream.write_all(&patlite::phn_read()).await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    patlite::phn_status(answer).map_err(as_io)
}

async fn show_by_http(address: &str, want: Light) -> io::Result<()> {
    let url = format!("http://{address}{}", patlite::http_path(want));
    let ask = move || {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_TIME_MAX))
            .max_redirects(0)
            .proxy(None)
            .build();
        let answer = ureq::Agent::new_with_config(config).get(&url).call();
        let mut answer = answer.map_err(io::Error::other)?;
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        body.read_to_string().map_err(io::Error::other)
    };
    let body = tokio::task::spawn_blocking(ask)
        .await
        .map_err(io::Error::other)??;
    patlite::http_ack(&body).map_err(as_io)
}

fn as_io(error: PnsError) -> io::Error {
    io::Error::other(match error {
        PnsError::Refused => "it refused the command",
        PnsError::Garbled => "its answer is not of this protocol",
    })
}

#[cfg(test)]
mod tests {
    use wire::pns::Tier;

    use super::*;

    const RED: Light = Light {
        red: Tier::On,
        amber: Tier::Off,
        green: Tier::Off,
    };

    /// So many bytes are read, and this is answered; then the next.
    type Talk = &'static [(usize, &'static [u8])];

    /// A light that talks like this.
    async fn light(talk: Talk) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    for (asked, answer) in talk {
                        let mut bytes = vec![0; *asked];
                        stream.read_exact(&mut bytes).await.ok()?;
                        stream.write_all(answer).await.ok()?;
                    }
                    Some(())
                });
            }
        });
        address
    }

    async fn shown(address: String, protocol: Protocol) -> Result<Option<Light>, String> {
        let config = LightConfig { address, protocol };
        let shown = show(&config, RED, &mut None).await;
        shown.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_light_that_speaks_phn_is_written_and_read_back() {
        let fine = light(&[(2, b"ACK"), (1, &[0x52, 0x01])]).await;
        assert_eq!(shown(fine, Protocol::Phn).await, Ok(Some(RED)));
        let dark = light(&[(2, b"ACK"), (1, &[0x52, 0x00])]).await;
        assert!(
            shown(dark, Protocol::Phn)
                .await
                .unwrap_err()
                .contains("else")
        );
        let refuses = light(&[(2, b"NAK")]).await;
        assert!(
            shown(refuses, Protocol::Phn)
                .await
                .unwrap_err()
                .contains("refused")
        );
        let other = light(&[(2, b"HTT")]).await;
        assert!(
            shown(other, Protocol::Phn)
                .await
                .unwrap_err()
                .contains("protocol")
        );
        let silent = light(&[(9, b"")]).await;
        assert!(shown(silent, Protocol::Phn).await.is_err());
    }

    #[tokio::test]
    async fn a_light_that_speaks_pns_is_written_and_read_back_where_it_can_be() {
        const SHOWS_RED: [u8; STATUS_BYTES] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
        const DARK: [u8; STATUS_BYTES] = [0; STATUS_BYTES];
        const NOTHING: [u8; STATUS_BYTES] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0];
        let (la6, nh) = (Protocol::Pns(Family::La6), Protocol::Pns(Family::Nh));
        let fine = light(&[(12, &[0x06]), (6, &SHOWS_RED)]).await;
        assert_eq!(shown(fine, la6).await, Ok(Some(RED)));
        // The NH family cannot tell what it shows.
        let told = light(&[(12, &[0x06])]).await;
        assert_eq!(shown(told, nh).await, Ok(None));
        let faults: [(Talk, &str); 5] = [
            (&[(12, &[0x15])], "refused"),
            (&[(12, &[0x52])], "protocol"),
            (&[(12, &[0x06]), (6, &DARK)], "else"),
            (&[(12, &[0x06]), (6, &NOTHING)], "protocol"),
            // It closes the line in the middle of its answer.
            (&[(12, &[0x06]), (6, &[0, 0, 0])], "eof"),
        ];
        for (talk, reason) in faults {
            let error = shown(light(talk).await, la6).await.unwrap_err();
            assert!(error.contains(reason), "{reason}: {error}");
        }
        let silent = light(&[(13, b"")]).await;
        assert!(shown(silent, la6).await.unwrap_err().contains("timed out"));
    }

    #[tokio::test]
    async fn a_light_that_speaks_http_says_that_it_has_understood() {
        let asked = "GET /api/control?alert=100000 HTTP/1.1\r\n".len();
        let talk: &'static [(usize, &'static [u8])] = Box::leak(Box::new([(
            asked,
            &b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nSuccess."[..],
        )]));
        assert_eq!(shown(light(talk).await, Protocol::Http).await, Ok(None));
        let error: &'static [(usize, &'static [u8])] = Box::leak(Box::new([(
            asked,
            &b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nError."[..],
        )]));
        let refused = shown(light(error).await, Protocol::Http).await;
        assert!(refused.unwrap_err().contains("refused"));
        let nobody = "127.0.0.1:1".to_owned();
        assert!(shown(nobody, Protocol::Http).await.is_err());
    }
}
