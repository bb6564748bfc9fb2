//! The two kinds of line: a TCP connection and a serial port. A line asks one question at a time
//! and says what is wrong with what comes back.

use std::time::Duration;

use model::{RefusalReason, Trouble};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_serial::{DataBits, ErrorKind, Parity, SerialPortBuilderExt, SerialStream, StopBits};
use wire::modbus::{AnswerError, FRAME_BYTES_MAX, Read, tcp_frame};

use crate::drivers::pace::AnswerPatience;

/// A question has this long to be sent.
const SEND_WITHIN: Duration = Duration::from_secs(1);
/// A connection has this long to open.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// What a device on a serial line says after that is waited for this long: nothing in an answer
/// says which question it belongs to.
const LATE_WITHIN: Duration = Duration::from_secs(1);
/// A frame on a serial line has ended when nothing comes for this long; USB adapters hand bytes on
/// in lumps some 16 ms apart.
const QUIET: Duration = Duration::from_millis(40);
/// Bits of one byte on a serial line: start, eight, parity or second stop, stop.
const BITS_A_BYTE: u32 = 11;
/// The silence before a frame, in bytes.
const SILENCE_BYTES: f64 = 3.5;

/// What came instead of an answer.
#[derive(Debug)]
pub(super) enum LineFailure {
    /// The device cannot be read; others on the line can.
    Device(Trouble),
    /// The device refuses this read: it does not have what was asked for.
    Refused,
    /// The line has to be opened anew.
    Line(Trouble),
}

/// Bytes that were no answer, to be shown.
pub(super) type Rejects = Vec<(RefusalReason, Vec<u8>)>;

/// A line that can be asked.
pub(super) trait Ask: Send {
    /// Asks and waits as long as it takes; gives the bytes of the values. What came and was no
    /// answer is added to the rejects.
    fn ask(
        &mut self,
        read: Read,
        patience: &mut AnswerPatience,
        rejects: &mut Rejects,
    ) -> impl Future<Output = Result<Vec<u8>, LineFailure>> + Send;
}

/// What an answer means that is none.
fn failure(error: AnswerError) -> LineFailure {
    match error {
        // Illegal function, address or value.
        AnswerError::Exception(1..=3) => LineFailure::Refused,
        // A gateway cannot reach the device behind it.
        AnswerError::Exception(0x0a | 0x0b) => LineFailure::Device(Trouble::GatewaySilent),
        AnswerError::Exception(_) => LineFailure::Device(Trouble::DeviceFailed),
        AnswerError::Garbled => LineFailure::Device(Trouble::Garbled),
        AnswerError::OtherUnit(_) => LineFailure::Device(Trouble::OtherUnit),
        AnswerError::OtherAnswer | AnswerError::Late => LineFailure::Device(Trouble::OtherAnswer),
    }
}

/// What is shown of an answer that is none; a device that says no has answered properly.
fn reject(error: AnswerError) -> Option<RefusalReason> {
    match error {
        AnswerError::Exception(_) => None,
        AnswerError::Garbled => Some(RefusalReason::Garbled),
        AnswerError::Late => Some(RefusalReason::LateAnswer),
        AnswerError::OtherUnit(_) | AnswerError::OtherAnswer => Some(RefusalReason::Misaddressed),
    }
}

/// A connection to a device or a gateway.
#[derive(Debug)]
pub(super) struct TcpLine {
    stream: TcpStream,
    transaction: u16,
    bytes: Vec<u8>,
}

impl TcpLine {
    pub(super) async fn open(address: &str) -> Result<Self, Trouble> {
        let opened = timeout(CONNECT_WITHIN, TcpStream::connect(address)).await;
        let stream = match opened {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
                return Err(Trouble::NotListening);
            }
            Ok(Err(_)) | Err(_) => return Err(Trouble::Unreachable),
        };
        stream.set_nodelay(true).ok();
        Ok(Self {
            stream,
            transaction: 0,
            bytes: Vec::with_capacity(FRAME_BYTES_MAX),
        })
    }

    /// The next whole frame.
    async fn frame(&mut self, until: Instant) -> Result<Vec<u8>, NoFrame> {
        loop {
            match tcp_frame(&self.bytes) {
                Ok(Some(whole)) => return Ok(self.bytes.drain(..whole).collect()),
                Ok(None) => {}
                Err(_) => return Err(NoFrame::Garbled),
            }
            let more = self.stream.read_buf(&mut self.bytes);
            match timeout_at(until, more).await {
                Err(_) => return Err(NoFrame::Silent),
                Ok(Ok(0) | Err(_)) => return Err(NoFrame::Line(Trouble::Cut)),
                Ok(Ok(_)) => {}
            }
        }
    }
}

/// Why there is no frame.
enum NoFrame {
    Garbled,
    Silent,
    Line(Trouble),
}

impl Ask for TcpLine {
    async fn ask(
        &mut self,
        read: Read,
        patience: &mut AnswerPatience,
        rejects: &mut Rejects,
    ) -> Result<Vec<u8>, LineFailure> {
        self.transaction = self.transaction.wrapping_add(1);
        let request = read.tcp_request(self.transaction);
        match timeout(SEND_WITHIN, self.stream.write_all(&request)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(LineFailure::Line(Trouble::Cut)),
        }
        let sent = Instant::now();
        loop {
            let frame = match self.frame(sent + patience.limit()).await {
                Ok(frame) => frame,
                Err(NoFrame::Silent) => {
                    patience.was_silent();
                    return Err(LineFailure::Device(Trouble::Silent));
                }
                Err(NoFrame::Line(trouble)) => return Err(LineFailure::Line(trouble)),
                Err(NoFrame::Garbled) => {
                    // Where the next frame begins is unknown: the line starts over.
                    rejects.push((RefusalReason::Garbled, std::mem::take(&mut self.bytes)));
                    return Err(LineFailure::Line(Trouble::Garbled));
                }
            };
            let answer = read.tcp_answer(self.transaction, &frame);
            if !matches!(answer, Err(AnswerError::Late)) {
                patience.answered(sent.elapsed());
            }
            match answer {
                Ok(data) => return Ok(data.to_vec()),
                Err(AnswerError::Late) => rejects.push((RefusalReason::LateAnswer, frame)),
                Err(error) => {
                    rejects.extend(reject(error).map(|reason| (reason, frame)));
                    return Err(failure(error));
                }
            }
        }
    }
}

/// How a serial port is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PortSettings {
    pub(super) baud: u32,
    pub(super) parity: Parity,
    pub(super) stop: StopBits,
}

/// A serial line with devices on it.
#[derive(Debug)]
pub(super) struct RtuLine {
    port: SerialStream,
    byte: Duration,
    used_at: Instant,
    /// The last question was not answered: its answer may still come.
    is_owed: bool,
}

impl RtuLine {
    pub(super) fn open(path: &str, settings: PortSettings) -> Result<Self, Trouble> {
        let port = tokio_serial::new(path, settings.baud)
            .data_bits(DataBits::Eight)
            .parity(settings.parity)
            .stop_bits(settings.stop)
            .open_native_async()
            .map_err(|error| match error.kind {
                ErrorKind::Io(std::io::ErrorKind::NotFound) => Trouble::PortMissing,
                _ => Trouble::PortBusy,
            })?;
        Ok(Self {
            port,
            byte: Duration::from_secs(1) * BITS_A_BYTE / settings.baud.max(1),
            used_at: Instant::now(),
            // Somebody may have asked before this line was opened.
            is_owed: true,
        })
    }

    /// What comes too late for the last question.
    async fn late(&mut self) -> Result<Vec<u8>, LineFailure> {
        let mut late = Vec::new();
        self.drain(&mut late, Duration::ZERO).await?;
        if !std::mem::take(&mut self.is_owed) {
            return Ok(late);
        }
        if late.is_empty() {
            match timeout(LATE_WITHIN, self.port.read_buf(&mut late)).await {
                Err(_) => return Ok(late),
                Ok(Ok(0) | Err(_)) => return Err(LineFailure::Line(Trouble::PortMissing)),
                Ok(Ok(_)) => {}
            }
        }
        self.drain(&mut late, QUIET).await?;
        Ok(late)
    }

    /// Reads until the line is quiet; a port that can no longer be read was pulled out.
    async fn drain(&mut self, bytes: &mut Vec<u8>, quiet: Duration) -> Result<(), LineFailure> {
        while bytes.len() < 4 * FRAME_BYTES_MAX {
            match timeout(quiet, self.port.read_buf(bytes)).await {
                Err(_) => return Ok(()),
                Ok(Ok(0) | Err(_)) => return Err(LineFailure::Line(Trouble::PortMissing)),
                Ok(Ok(_)) => {}
            }
        }
        Ok(())
    }

    /// Reads one frame: as long as its own first bytes say, or until the line is quiet.
    async fn frame(
        &mut self,
        read: Read,
        patience: Duration,
        echo: &[u8],
    ) -> Result<Vec<u8>, LineFailure> {
        let longest = self.byte * FRAME_BYTES_MAX as u32;
        let until = Instant::now() + patience + self.byte * echo.len() as u32 + longest;
        let mut bytes = Vec::with_capacity(FRAME_BYTES_MAX);
        loop {
            // Some adapters hear what they send themselves.
            if bytes.starts_with(echo) {
                bytes.drain(..echo.len());
            }
            let whole = read
                .rtu_length(&bytes)
                .is_some_and(|all| bytes.len() >= all);
            let is_echo = !bytes.is_empty() && echo.starts_with(&bytes);
            if (whole && !is_echo) || bytes.len() > FRAME_BYTES_MAX {
                return Ok(bytes);
            }
            let patience = if bytes.is_empty() {
                until
            } else {
                until.min(Instant::now() + QUIET)
            };
            match timeout_at(patience, self.port.read_buf(&mut bytes)).await {
                Err(_) if bytes.is_empty() => return Err(LineFailure::Device(Trouble::Silent)),
                Err(_) => return Ok(bytes),
                Ok(Ok(0) | Err(_)) => return Err(LineFailure::Line(Trouble::PortMissing)),
                Ok(Ok(_)) => {}
            }
        }
    }
}

impl Ask for RtuLine {
    async fn ask(
        &mut self,
        read: Read,
        patience: &mut AnswerPatience,
        rejects: &mut Rejects,
    ) -> Result<Vec<u8>, LineFailure> {
        tokio::time::sleep_until(self.used_at + self.byte.mul_f64(SILENCE_BYTES)).await;
        let late = self.late().await?;
        if !late.is_empty() {
            rejects.push((RefusalReason::LateAnswer, late));
        }
        let request = read.rtu_request();
        match timeout(SEND_WITHIN, self.port.write_all(&request)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(LineFailure::Line(Trouble::PortMissing)),
            Err(_) => return Err(LineFailure::Line(Trouble::PortBusy)),
        }
        let sent = Instant::now();
        let frame = self.frame(read, patience.limit(), &request).await;
        self.used_at = Instant::now();
        self.is_owed = matches!(frame, Err(LineFailure::Device(Trouble::Silent)));
        if self.is_owed {
            patience.was_silent();
        } else {
            patience.answered(sent.elapsed());
        }
        let mut frame = frame?;
        match read.rtu_answer(&frame) {
            Ok(data) => Ok(data.to_vec()),
            Err(error) => {
                // The rest of what is wrong belongs to it.
                if !matches!(error, AnswerError::Exception(_)) {
                    // Its own answer may still come.
                    self.is_owed = true;
                    self.drain(&mut frame, QUIET).await?;
                    self.used_at = Instant::now();
                }
                rejects.extend(reject(error).map(|reason| (reason, frame)));
                Err(failure(error))
            }
        }
    }
}
