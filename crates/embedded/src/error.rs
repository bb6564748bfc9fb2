//! What SQLite says, in the words of the store.

use rusqlite::ErrorCode as Code;
use store::{BackupError, StoreError};

/// A [`StoreError`] on its way to the face: inside, what SQLite says becomes one by itself.
#[derive(Debug)]
pub(crate) struct EngineError(pub(crate) StoreError);

impl From<rusqlite::Error> for EngineError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        Self(match code {
            // A failed write or sync counts as full: the batch stays with the caller.
            Some(Code::DiskFull | Code::SystemIoFailure) => StoreError::Full,
            Some(Code::ReadOnly | Code::CannotOpen | Code::PermissionDenied) => {
                StoreError::ReadOnly
            }
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => StoreError::Corrupt,
            None | Some(Code::ConstraintViolation | Code::TypeMismatch | Code::TooBig) => {
                StoreError::Unacceptable(Box::new(error))
            }
            Some(_) => StoreError::Engine(Box::new(error)),
        })
    }
}

impl From<serde_json::Error> for EngineError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.into())
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<EngineError> for StoreError {
    fn from(EngineError(error): EngineError) -> Self {
        error
    }
}

impl From<EngineError> for BackupError {
    fn from(EngineError(error): EngineError) -> Self {
        error.into()
    }
}
