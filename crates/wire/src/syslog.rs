//! Syslog: RFC 5424, the older form that most devices still speak (RFC 3164), and the framing over
//! TCP and TLS (RFC 6587, RFC 5425). A line that is neither is kept as it is: a log that refuses
//! what it does not understand loses just what matters.

/// Largest line, in bytes; the rest of a longer one is cut off.
pub const LINE_BYTES_MAX: usize = 8 * 1024;
/// Largest number before a frame with a length.
const LENGTH_DIGITS_MAX: usize = 5;
/// Severity of a line that does not say: notice.
const SEVERITY_UNSAID: u8 = 5;
/// Facility of a line that does not say: user.
const FACILITY_UNSAID: u8 = 1;

/// A line, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyslogLine<'a> {
    /// 0 to 7.
    pub severity: u8,
    /// 0 to 23.
    pub facility: u8,
    /// The host it says it is; empty if it does not say.
    pub host: &'a str,
    /// The program; empty if it does not say.
    pub app: &'a str,
    /// The rest: in the newer form from the structured data on.
    pub text: &'a str,
}

/// Reads a line.
pub fn parse(line: &str) -> SyslogLine<'_> {
    let line = line.trim_end_matches(['\r', '\n', '\0']);
    let plain = SyslogLine {
        severity: SEVERITY_UNSAID,
        facility: FACILITY_UNSAID,
        host: "",
        app: "",
        text: line,
    };
    let Some((priority, rest)) = priority(line) else {
        return plain;
    };
    let (severity, facility) = (priority % 8, priority / 8);
    let with = |host, app, text| SyslogLine {
        severity,
        facility,
        host,
        app,
        text,
    };
    if let Some(rest) = rest.strip_prefix("1 ") {
        let mut words = rest.splitn(6, ' ');
        let fields = (
            words.next(),
            words.next(),
            words.next(),
            words.nth(1),
            words.next(),
        );
        if let (Some(_time), Some(host), Some(app), Some(_id), Some(text)) = fields {
            let said = |word| if word == "-" { "" } else { word };
            let text = text
                .strip_prefix("- ")
                .unwrap_or(text)
                .trim_start_matches('\u{feff}');
            return with(said(host), said(app), if text == "-" { "" } else { text });
        }
        return with("", "", rest);
    }
    older(rest).map_or_else(
        || with("", "", rest),
        |(host, app, text)| with(host, app, text),
    )
}

/// `<34>`, at most 191, and what follows.
fn priority(line: &str) -> Option<(u8, &str)> {
    let (digits, rest) = line.strip_prefix('<')?.split_once('>')?;
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number = digits.parse().ok().filter(|n| is_number && *n <= 191)?;
    Some((number, rest))
}

/// `Oct 11 22:14:15 host app[17]: text`.
fn older(rest: &str) -> Option<(&str, &str, &str)> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (time, rest) = rest.split_at_checked("Oct 11 22:14:15".len())?;
    if !MONTHS.iter().any(|month| time.starts_with(month)) {
        return None;
    }
    let (host, rest) = rest.strip_prefix(' ')?.split_once(' ')?;
    let (tag, text) = rest.split_once(':').unwrap_or(("", rest));
    let app = tag.split_once('[').map_or(tag, |(app, _)| app);
    if app.contains(' ') {
        return Some((host, "", rest));
    }
    Some((host, app, text.trim_start()))
}

/// Cuts a stream into lines: frames with a length, or lines with an end.
#[derive(Debug, Default)]
pub struct Splitter {
    waiting: Vec<u8>,
    /// The rest of a line that was too long is being passed over.
    is_skipping: bool,
}

impl Splitter {
    /// Takes bytes and calls `each` with every line that is complete.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        self.waiting.extend_from_slice(bytes);
        let mut taken = 0;
        while let Some(rest) = self.waiting.get(taken..).filter(|rest| !rest.is_empty()) {
            let Some(piece) = next(rest, self.is_skipping) else {
                break;
            };
            if let Some(line) = piece.line {
                each(line);
            }
            self.is_skipping = piece.is_cut;
            taken += piece.length;
        }
        self.waiting.drain(..taken.min(self.waiting.len()));
    }
}

/// A piece of a stream.
struct SyslogPiece<'a> {
    /// The line in it; none if it was to be passed over.
    line: Option<&'a [u8]>,
    /// How many bytes it is long.
    length: usize,
    /// The line goes on behind it.
    is_cut: bool,
}

/// The next piece of a stream, if it is there as a whole.
fn next(rest: &[u8], is_skipping: bool) -> Option<SyslogPiece<'_>> {
    let piece = |line, length, is_cut| {
        Some(SyslogPiece {
            line,
            length,
            is_cut,
        })
    };
    let end = rest.iter().position(|byte| *byte == b'\n');
    if is_skipping {
        return end.map_or(piece(None, rest.len(), true), |end| {
            piece(None, end + 1, false)
        });
    }
    if let Some((start, length)) = frame(rest) {
        return piece(
            Some(rest.get(start..start + length)?),
            start + length,
            false,
        );
    }
    match end {
        Some(end) => piece(rest.get(..end.min(LINE_BYTES_MAX)), end + 1, false),
        None if rest.len() >= LINE_BYTES_MAX => {
            piece(rest.get(..LINE_BYTES_MAX), LINE_BYTES_MAX, true)
        }
        None => None,
    }
}

/// `123 ` before a frame: where it starts and how long it is.
fn frame(rest: &[u8]) -> Option<(usize, usize)> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_length = (1..=LENGTH_DIGITS_MAX).contains(&digits) && rest.get(digits) == Some(&b' ');
    let text = rest.get(..digits).filter(|_| is_length)?;
    let length = std::str::from_utf8(text).ok()?.parse().ok()?;
    (1..=LINE_BYTES_MAX)
        .contains(&length)
        .then_some((digits + 1, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_are_read_and_what_is_neither_is_kept() {
        let line = parse(
            "<165>1 2003-10-11T22:14:15.003Z plc-7 evntslog - ID47 [ex@32473 iut=\"3\"] An event",
        );
        assert_eq!(
            (line.severity, line.facility, line.host, line.app),
            (5, 20, "plc-7", "evntslog")
        );
        assert_eq!(line.text, "[ex@32473 iut=\"3\"] An event");
        let bare = parse("<14>1 - - - - - -");
        assert_eq!((bare.host, bare.app, bare.text), ("", "", ""));
        let old = parse("<34>Oct 11 22:14:15 router su[23]: 'su root' failed on /dev/pts/8\n");
        assert_eq!(
            (old.severity, old.facility, old.host, old.app),
            (2, 4, "router", "su")
        );
        assert_eq!(old.text, "'su root' failed on /dev/pts/8");
        for odd in ["hello", "<999>x", "<>", "<13>no date at all", ""] {
            let line = parse(odd);
            assert!(odd.ends_with(line.text), "{odd}");
        }
    }

    fn cut(pieces: &[&[u8]]) -> Vec<String> {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        for piece in pieces {
            splitter.push(piece, |line| {
                lines.push(String::from_utf8_lossy(line).into_owned());
            });
        }
        lines
    }

    #[test]
    fn a_stream_is_cut_by_lengths_or_by_ends() {
        assert_eq!(cut(&[b"5 <1>ab6 <1>a", b"bc"]), ["<1>ab", "<1>abc"]);
        assert_eq!(cut(&[b"<1>a\n<2>", b"b\n"]), ["<1>a", "<2>b"]);
        let long = [
            b"<1>".as_slice(),
            &vec![b'x'; 3 * LINE_BYTES_MAX],
            b"\n<2>next\n",
        ]
        .concat();
        let lines = cut(&[&long]);
        assert_eq!((lines.len(), lines[0].len()), (2, LINE_BYTES_MAX));
        assert_eq!(lines[1], "<2>next");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..300) {
            let at = at.min(bytes.len());
            let (first, second) = bytes.split_at(at);
            let mut splitter = Splitter::default();
            for piece in [first, second, b"\n"] {
                splitter.push(piece, |line| {
                    let text = String::from_utf8_lossy(line);
                    assert!(parse(&text).severity <= 7);
                });
            }
        }

        #[test]
        fn where_a_stream_is_cut_does_not_matter(lines in proptest::collection::vec("[a-z<>1-9 ]{1,40}", 1..8), at in 0_usize..300) {
            let framed: Vec<u8> = lines.iter().flat_map(|line| format!("{} {line}", line.len()).into_bytes()).collect();
            let (first, second) = framed.split_at(at.min(framed.len()));
            prop_assert_eq!(cut(&[first, second]), lines);
        }
    }
}
