//! Photos of machines: kept with the record, in the backups and known to the evidence by their
//! hash.

use data_encoding::BASE64;
use model::{EventKind, MachineId, Time};
use serde_json::json;
use store::{Entry, Record, fingerprint};

use crate::known::{Known, Unreadable};

/// The photo of a machine, or that it has none any more.
#[derive(Debug, Clone, PartialEq)]
pub struct PhotoChange {
    machine: MachineId,
    jpeg: Option<Vec<u8>>,
    evidence: Entry,
}

/// What tells one photo from another, as it is kept apart from the photo itself.
pub const PHOTO_MARK: &str = "photo/";
/// The photo itself.
const PHOTO_DATA: &str = "photo-data/";

impl PhotoChange {
    /// Another photo of a machine, or none.
    pub fn new(machine: MachineId, jpeg: Option<Vec<u8>>, now: Time, by: &str) -> Self {
        let sha256 = jpeg.as_deref().map(fingerprint);
        let about = json!({"machine": machine, "photo": sha256});
        Self {
            evidence: Entry::new(now, by, EventKind::OrderPhoto, about),
            machine,
            jpeg,
        }
    }

    /// The rows of it.
    pub(crate) fn records(self) -> Vec<Record> {
        let mark = json!(self.jpeg.as_deref().map(fingerprint)).to_string();
        let data = self.jpeg.map(|jpeg| BASE64.encode(&jpeg));
        let named = |prefix: &str| format!("{prefix}{}", self.machine).into();
        vec![
            Record::Kept(named(PHOTO_MARK), mark),
            Record::Kept(named(PHOTO_DATA), data.unwrap_or_default()),
            Record::Evidence(self.evidence),
        ]
    }
}

/// The photo of a machine as JPEG; `None` where it has none.
pub async fn photo(known: &Known, machine: &MachineId) -> Result<Option<Vec<u8>>, Unreadable> {
    let name = format!("{PHOTO_DATA}{machine}");
    let kept = known.read(move |reader| reader.kept(&name)).await?;
    let jpeg = kept.and_then(|text| BASE64.decode(text.as_bytes()).ok());
    Ok(jpeg.filter(|jpeg| !jpeg.is_empty()))
}
