//! Files under a passphrase, in the format of age (age-encryption.org/v1, the recipient `scrypt`),
//! so that any program that knows it can open a backup without this one. The primitives are those
//! of `ring` and `scrypt`; here is only their order, as the format's specification has it.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::path::Path;

use data_encoding::BASE64_NOPAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::hmac;

/// The first line of such a file.
const INTRO: &str = "age-encryption.org/v1";
/// Before the salt of the passphrase.
const LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
/// Bytes sealed at once.
const PIECE: usize = 64 * 1024;
/// Bytes that seal a piece.
const TAG: usize = 16;
/// Work for one guess: 2^16 rounds take 64 MB and about a quarter of a second.
const WORK: u8 = 16;
/// More work than this is not done for a file that asks for it.
const WORK_MAX: u8 = 20;
/// Characters of a passphrase at least.
const CHARS_MIN: usize = 10;

/// A passphrase that is long enough.
#[derive(Clone)]
pub struct Passphrase(String);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase")
    }
}

impl Passphrase {
    /// Takes a passphrase; `None` if it is shorter than ten characters.
    pub fn new(text: &str) -> Option<Self> {
        (text.chars().count() >= CHARS_MIN).then(|| Self(text.to_owned()))
    }

    /// Reads the first line of a file.
    pub fn from_file(path: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let first = text.lines().next().unwrap_or_default();
        let short = || {
            Error::new(
                ErrorKind::InvalidData,
                "a passphrase has at least ten characters",
            )
        };
        Self::new(first).ok_or_else(short)
    }

    /// The key that wraps the file's own.
    fn wrapping_key(&self, salt: &[u8; 16], work: u8) -> std::io::Result<LessSafeKey> {
        let params = scrypt::Params::new(work, 8, 1).map_err(Error::other)?;
        let mut key = [0; 32];
        let salt = [LABEL, salt].concat();
        scrypt::scrypt(self.0.as_bytes(), &salt, &params, &mut key).map_err(Error::other)?;
        aead(&key)
    }
}

fn aead(key: &[u8; 32]) -> std::io::Result<LessSafeKey> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| unsound())?;
    Ok(LessSafeKey::new(key))
}

/// What could not be opened: another passphrase, or not the bytes that were sealed.
fn unsound() -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "wrong passphrase, or the file was altered",
    )
}

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

fn derive(file_key: &[u8; 16], salt: &[u8], label: &[u8]) -> std::io::Result<[u8; 32]> {
    let key = Salt::new(HKDF_SHA256, salt).extract(file_key);
    let mut derived = [0; 32];
    let labels = [label];
    let made = key
        .expand(&labels, Bytes32)
        .and_then(|key| key.fill(&mut derived));
    made.map_err(|_| unsound())?;
    Ok(derived)
}

fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| Error::other(e.to_string()))?;
    Ok(bytes)
}

/// The number of a piece and whether it is the last, as twelve bytes.
fn nonce(count: u64, is_last: bool) -> Nonce {
    let mut bytes = [0; 12];
    if let Some(place) = bytes.get_mut(3..11) {
        place.copy_from_slice(&count.to_be_bytes());
    }
    if let Some(last) = bytes.last_mut() {
        *last = u8::from(is_last);
    }
    Nonce::assume_unique_for_key(bytes)
}

/// Seals what is written to it.
pub(crate) struct Sealing<W> {
    inner: W,
    key: LessSafeKey,
    piece: Vec<u8>,
    count: u64,
}

impl<W: Write> Sealing<W> {
    /// Begins a file.
    pub(crate) fn begin(mut inner: W, passphrase: &Passphrase) -> std::io::Result<Self> {
        let (file_key, salt) = (random::<16>()?, random::<16>()?);
        let mut wrapped = file_key.to_vec();
        let wrapping = passphrase.wrapping_key(&salt, WORK)?;
        let nothing = Nonce::assume_unique_for_key([0; 12]);
        let sealed = wrapping.seal_in_place_append_tag(nothing, Aad::empty(), &mut wrapped);
        sealed.map_err(|_| unsound())?;
        let (salt, body) = (BASE64_NOPAD.encode(&salt), BASE64_NOPAD.encode(&wrapped));
        let head = format!("{INTRO}\n-> scrypt {salt} {WORK}\n{body}\n---");
        let mac = hmac::Key::new(hmac::HMAC_SHA256, &derive(&file_key, &[], b"header")?);
        let mac = BASE64_NOPAD.encode(hmac::sign(&mac, head.as_bytes()).as_ref());
        inner.write_all(format!("{head} {mac}\n").as_bytes())?;
        let salt = random::<16>()?;
        inner.write_all(&salt)?;
        Ok(Self {
            inner,
            key: aead(&derive(&file_key, &salt, b"payload")?)?,
            piece: Vec::with_capacity(PIECE + TAG),
            count: 0,
        })
    }

    fn seal(&mut self, is_last: bool) -> std::io::Result<()> {
        let nonce = nonce(self.count, is_last);
        let sealed = self
            .key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut self.piece);
        sealed.map_err(|_| unsound())?;
        self.inner.write_all(&self.piece)?;
        self.piece.clear();
        self.count += 1;
        Ok(())
    }

    /// Seals what is left; without this the file is not whole.
    pub(crate) fn finish(mut self) -> std::io::Result<W> {
        self.seal(true)?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // A full piece is sealed only when more comes: the last one has to say that it is.
        if self.piece.len() == PIECE && !bytes.is_empty() {
            self.seal(false)?;
        }
        let room = (PIECE - self.piece.len()).min(bytes.len());
        self.piece
            .extend_from_slice(bytes.get(..room).unwrap_or_default());
        Ok(room)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Opens what was sealed.
pub(crate) struct Opening<R> {
    inner: R,
    key: LessSafeKey,
    piece: Vec<u8>,
    /// How much of the piece was read.
    taken: usize,
    count: u64,
    is_over: bool,
}

/// Whether a file begins as a sealed one does; leaves it where it was.
pub(crate) fn is_sealed(file: &mut BufReader<impl Read>) -> std::io::Result<bool> {
    Ok(file.fill_buf()?.starts_with(INTRO.as_bytes()))
}

impl<R: BufRead> Opening<R> {
    /// Reads the head and opens the file's key with the passphrase.
    pub(crate) fn begin(mut inner: R, passphrase: &Passphrase) -> std::io::Result<Self> {
        let mut line = || -> std::io::Result<String> {
            let mut text = Vec::new();
            (&mut inner).take(256).read_until(b'\n', &mut text)?;
            let text = String::from_utf8(text).map_err(|_| unsound())?;
            Ok(text.strip_suffix('\n').ok_or_else(unsound)?.to_owned())
        };
        let (intro, recipient, body, end) = (line()?, line()?, line()?, line()?);
        let words: Vec<&str> = recipient.split(' ').collect();
        let ["->", "scrypt", salt, work] = words.as_slice() else {
            return Err(unsound());
        };
        let bytes = |text: &str| BASE64_NOPAD.decode(text.as_bytes()).map_err(|_| unsound());
        let salt: [u8; 16] = bytes(salt)?.try_into().map_err(|_| unsound())?;
        let work = work
            .parse()
            .ok()
            .filter(|work| (1..=WORK_MAX).contains(work));
        let mut wrapped = bytes(&body)?;
        let wrapping = passphrase.wrapping_key(&salt, work.ok_or_else(unsound)?)?;
        let nothing = Nonce::assume_unique_for_key([0; 12]);
        let opened = wrapping.open_in_place(nothing, Aad::empty(), &mut wrapped);
        let file_key: [u8; 16] = opened
            .map_err(|_| unsound())?
            .as_ref()
            .try_into()
            .map_err(|_| unsound())?;
        let mac = bytes(end.strip_prefix("--- ").ok_or_else(unsound)?)?;
        let head = format!("{intro}\n{recipient}\n{body}\n---");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &derive(&file_key, &[], b"header")?);
        hmac::verify(&key, head.as_bytes(), &mac).map_err(|_| unsound())?;
        let mut salt = [0; 16];
        inner.read_exact(&mut salt)?;
        Ok(Self {
            inner,
            key: aead(&derive(&file_key, &salt, b"payload")?)?,
            piece: Vec::new(),
            taken: 0,
            count: 0,
            is_over: false,
        })
    }

    fn open_next(&mut self) -> std::io::Result<()> {
        let mut sealed = Vec::with_capacity(PIECE + TAG);
        let most = (PIECE + TAG) as u64;
        (&mut self.inner).take(most).read_to_end(&mut sealed)?;
        let is_last = self.inner.fill_buf()?.is_empty();
        let opened = self
            .key
            .open_in_place(nonce(self.count, is_last), Aad::empty(), &mut sealed);
        let length = opened.map_err(|_| unsound())?.len();
        // Only an empty file has an empty piece.
        if length == 0 && self.count > 0 {
            return Err(unsound());
        }
        sealed.truncate(length);
        (self.piece, self.taken) = (sealed, 0);
        (self.count, self.is_over) = (self.count + 1, is_last);
        Ok(())
    }
}

impl<R: BufRead> Read for Opening<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.taken == self.piece.len() && !self.is_over {
            self.open_next()?;
        }
        let mut rest = self.piece.get(self.taken..).unwrap_or_default();
        let n = rest.read(into)?;
        self.taken += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(content: &[u8], passphrase: &str) -> Vec<u8> {
        let mut sealing =
            Sealing::begin(Vec::new(), &Passphrase::new(passphrase).unwrap()).unwrap();
        sealing.write_all(content).unwrap();
        sealing.finish().unwrap()
    }

    fn opened(file: &[u8], passphrase: &str) -> std::io::Result<Vec<u8>> {
        let mut content = Vec::new();
        Opening::begin(file, &Passphrase::new(passphrase).unwrap())?.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn what_is_sealed_opens_with_its_passphrase_only() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let content: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let file = sealed(&content, "correct horse");
            assert_eq!(opened(&file, "correct horse").unwrap(), content, "{length}");
            assert!(opened(&file, "incorrect horse").is_err());
        }
        assert!(Passphrase::new("too short").is_none());
    }

    #[test]
    fn no_piece_can_be_changed_cut_off_or_moved() {
        let content = vec![7; 2 * PIECE + 100];
        let file = sealed(&content, "correct horse");
        let head = file.len() - content.len() - 3 * TAG;
        for at in [
            30,
            head - 20,
            head + 5,
            head + PIECE + TAG + 9,
            file.len() - 1,
        ] {
            let mut bad = file.clone();
            bad[at] ^= 1;
            assert!(opened(&bad, "correct horse").is_err(), "byte {at}");
        }
        for end in [
            head,
            head + PIECE + TAG,
            head + 2 * (PIECE + TAG),
            file.len() - 1,
        ] {
            assert!(
                opened(&file[..end], "correct horse").is_err(),
                "cut at {end}"
            );
        }
        let (first, second) = (
            head..head + PIECE + TAG,
            head + PIECE + TAG..head + 2 * (PIECE + TAG),
        );
        let swapped = [
            &file[..head],
            &file[second],
            &file[first],
            &file[head + 2 * (PIECE + TAG)..],
        ]
        .concat();
        assert!(opened(&swapped, "correct horse").is_err());
    }
}
