//! Files under a passphrase, in the format of age (age-encryption.org/v1, the recipient `scrypt`),
//! so that any program that knows it can open a backup without this one.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::iter::once;

use age::stream::{StreamReader, StreamWriter};
use age::{Decryptor, Encryptor, scrypt};
use store::Passphrase;

/// How such a file begins.
const INTRO: &[u8] = b"age-encryption.org/v1\n";
/// Work for one guess: 2^16 rounds take 64 MB and about a quarter of a second.
const WORK: u8 = 16;
/// More work than this is not done for a file that asks for it.
const WORK_MAX: u8 = 20;
/// What could not be opened: another passphrase, or not the bytes that were sealed.
fn unsound<E>(_: E) -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "wrong passphrase, or the file was altered",
    )
}

/// Seals what is written to the result. It is whole only once that has been finished.
pub(crate) fn seal<W: Write>(
    inner: W,
    passphrase: &Passphrase,
) -> std::io::Result<StreamWriter<W>> {
    let mut recipient = scrypt::Recipient::new(passphrase.secret().clone());
    recipient.set_work_factor(WORK);
    let recipients = once(&recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients).map_err(Error::other)?;
    encryptor.wrap_output(inner)
}

/// Whether a file begins as a sealed one does; leaves it where it was.
pub(crate) fn is_sealed(file: &mut BufReader<impl Read>) -> std::io::Result<bool> {
    Ok(file.fill_buf()?.starts_with(INTRO))
}

/// Opens what was sealed.
pub(crate) fn open<R: BufRead>(
    inner: R,
    passphrase: &Passphrase,
) -> std::io::Result<StreamReader<R>> {
    let mut identity = scrypt::Identity::new(passphrase.secret().clone());
    identity.set_max_work_factor(WORK_MAX);
    let decryptor = Decryptor::new_buffered(inner).map_err(unsound)?;
    let identities = once(&identity as &dyn age::Identity);
    decryptor.decrypt(identities).map_err(unsound)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that the format seals at once, and those that seal them.
    const PIECE: usize = 64 * 1024;
    const TAG: usize = 16;

    fn sealed(content: &[u8], passphrase: &str) -> Vec<u8> {
        let passphrase = Passphrase::new(passphrase).unwrap();
        let mut sealing = seal(Vec::new(), &passphrase).unwrap();
        sealing.write_all(content).unwrap();
        sealing.finish().unwrap()
    }

    fn opened(file: &[u8], passphrase: &str) -> std::io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let passphrase = Passphrase::new(passphrase).unwrap();
        open(file, &passphrase)?.read_to_end(&mut content)?;
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
