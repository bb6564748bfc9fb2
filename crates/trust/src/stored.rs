//! A certificate with its key, as two files of the data folder: written so that a cut leaves the
//! old one or the new one, believed only if both can be read and belong together.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use model::Time;
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::error::TrustError;

/// Where a certificate and its key lie.
pub(crate) struct StoredPair<'a> {
    folder: &'a Path,
    name: &'static str,
}

/// A certificate and the key that belongs to it.
pub(crate) struct KeptPair {
    pub(crate) pem: String,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: KeyPair,
}

impl<'a> StoredPair<'a> {
    pub(crate) fn new(folder: &'a Path, name: &'static str) -> Self {
        Self { folder, name }
    }

    /// The file of the certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join(format!("{}.pem", self.name))
    }

    /// The file of the key.
    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join(format!("{}.key", self.name))
    }

    /// What is kept; `None` where one of the two files is not there.
    pub(crate) fn read(&self) -> Result<Option<KeptPair>, TrustError> {
        let (Some(pem), Some(key)) = (text(&self.certificate())?, text(&self.key())?) else {
            return Ok(None);
        };
        let bad_key = |_| TrustError::Content(self.key());
        let key = KeyPair::from_pem(&key).map_err(bad_key)?;
        let content = || TrustError::Content(self.certificate());
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| content())?;
        let (_, known) = X509Certificate::from_der(&der).map_err(|_| content())?;
        let is_its = known.public_key().subject_public_key.data == key.public_key_raw();
        if !is_its {
            return Err(content());
        }
        Ok(Some(KeptPair { pem, der, key }))
    }

    /// Keeps a certificate and its key. The certificate comes last: a key without one is made anew,
    /// and nobody has seen it yet.
    pub(crate) fn write(&self, pem: &str, key: &KeyPair) -> Result<(), TrustError> {
        write(&self.key(), &key.serialize_pem())?;
        write(&self.certificate(), pem)
    }

    /// Moves both files to where nobody reads them and a person can look at them.
    pub(crate) fn set_aside(&self, now: Time) -> Result<(), TrustError> {
        for path in [self.certificate(), self.key()] {
            let mut aside = path.clone().into_os_string();
            aside.push(format!(".aside-{}", now.ms()));
            match std::fs::rename(&path, aside) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(TrustError::File { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The text of a file; `None` if there is no such file.
fn text(path: &Path) -> Result<Option<String>, TrustError> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes);
            Ok(Some(
                text.map_err(|_| TrustError::Content(path.to_owned()))?,
            ))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TrustError::File {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Writes a file for its owner only; a cut leaves the old one or the new one.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), TrustError> {
    let part = path.with_extension("part");
    let done = (|| {
        let mut options = File::options();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, path)?;
        // The new name is durable only with its folder.
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    })();
    done.map_err(|source| TrustError::File {
        path: path.to_owned(),
        source,
    })
}
