//! A backup is one file, made beside the running program: a gzipped tar with a manifest first. A
//! backup that was never restored is a hope; checking one unpacks it, reads every entry again and
//! checks the evidence, exactly as restoring does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use age::stream::StreamWriter;
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use model::Time;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use sha2::{Digest, Sha256};
use store::{
    BackupError, Manifest, NewBackup, Passphrase, Piece, Progress, Proved, StoreError,
    Telemetry as _,
};

use crate::error::EngineError;
use crate::evidence::{self, Head};
use crate::passphrase::{self, is_sealed};
use crate::read::EmbeddedReader;
use crate::schema;
use crate::sql::TO_READ;
use crate::telemetry::{self, SealLock};

/// Name of the manifest in a backup.
const MANIFEST: &str = "manifest.json";
/// What a backup holds beside the database, as far as it is there.
const BESIDE: [&str; 11] = [
    "mimamori.toml",
    "devices.toml",
    "sources.toml",
    "bindings.toml",
    "tables.toml",
    "evidence.key",
    "tls-ca.pem",
    "tls-ca.key",
    "tls-ca.names",
    "tls-devices.pem",
    "tls-devices.key",
];
/// What unfinished things are called: the target's name, one of these, the process.
const UNFINISHED: [&str; 4] = ["part", "db", "check", "restoring"];
/// Bytes of a manifest at most.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;
/// What stays free beside what is unpacked: readings go on coming.
const ROOM_LEFT_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes copied between two looks at whether to go on.
const PIECE_BYTES: usize = 256 * 1024;
/// How often somebody is told how far copying is.
const TOLD_EVERY: Duration = Duration::from_millis(50);

/// Files that are removed unless the work is finished.
struct Unfinished(Vec<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        for path in &self.0 {
            if path.is_dir() {
                std::fs::remove_dir_all(path).ok();
            } else {
                std::fs::remove_file(path).ok();
            }
        }
    }
}

/// Backs a data folder up into one file, beside a running program or without it. Until it is whole
/// the file does not appear under its name.
pub(crate) fn make(plan: &NewBackup<'_>, progress: Progress<'_>) -> Result<Manifest, BackupError> {
    let NewBackup { folder, to, .. } = *plan;
    let own = to.file_name().unwrap_or_default().to_string_lossy();
    sweep(parent_of(to), &|name| name == own);
    let (copy, part) = (beside(to, "db"), beside(to, "part"));
    let file = held(private(&part)?)?;
    let _unfinished = Unfinished(vec![copy.clone(), part.clone()]);
    // Until the files of the months are copied, nothing is added to them.
    let _lock = SealLock::take(folder, true)?;
    copy_database(&folder.join(schema::FILE), &copy, &|done| {
        progress(done * 0.5)
    })?;
    let mut sources = vec![(schema::FILE.to_owned(), copy.clone())];
    let beside = BESIDE
        .iter()
        .map(|name| ((*name).to_owned(), folder.join(name)));
    sources.extend(beside.filter(|(_, path)| path.is_file()));
    let known = months_of(&copy)?;
    for name in &known {
        // What was cut off is taken back; a file that cannot be read is copied as it is.
        telemetry::read_month(&folder.join(name)).ok();
    }
    sources.extend(known.into_iter().map(|name| {
        let path = folder.join(&name);
        (name, path)
    }));
    let manifest = describe(&copy, &sources, plan.made)?;
    let out = Out::begin(file, plan.passphrase)?;
    let mut archive = tar::Builder::new(GzEncoder::new(out, Compression::fast()));
    let text = serde_json::to_vec(&manifest).map_err(StoreError::from)?;
    append(&mut archive, MANIFEST, text.len() as u64, text.as_slice())?;
    let all: u64 = manifest.files.values().map(|piece| piece.bytes).sum();
    let mut done = 0;
    for (name, path) in &sources {
        let bytes = manifest.files.get(name).map_or(0, |piece| piece.bytes);
        let watched = WatchedCopy {
            inner: File::open(path)?,
            tell: &mut |n: usize| {
                done += n as u64;
                progress(0.5 + 0.5 * done as f64 / all.max(1) as f64)
            },
        };
        append(&mut archive, name, bytes, watched).map_err(cancelled_or_file)?;
    }
    let file = archive.into_inner()?.finish()?.finish()?;
    file.sync_all()?;
    std::fs::rename(&part, to)?;
    // Its name is durable only when the folder is.
    File::open(parent_of(to))?.sync_all()?;
    Ok(manifest)
}

/// A backup being written, open to everybody or under a passphrase.
enum Out {
    Plain(File),
    Sealed(Box<StreamWriter<File>>),
}

impl Out {
    fn begin(file: File, passphrase: Option<&Passphrase>) -> std::io::Result<Self> {
        match passphrase {
            None => Ok(Self::Plain(file)),
            Some(passphrase) => Ok(Self::Sealed(Box::new(passphrase::seal(file, passphrase)?))),
        }
    }

    fn finish(self) -> std::io::Result<File> {
        match self {
            Self::Plain(file) => Ok(file),
            Self::Sealed(sealing) => sealing.finish(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Sealed(sealing) => sealing.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Sealed(sealing) => sealing.flush(),
        }
    }
}

/// Opens a backup to read it, with the passphrase if it needs one.
fn open(from: &Path, passphrase: Option<&Passphrase>) -> Result<Box<dyn Read>, BackupError> {
    let mut file = BufReader::new(File::open(from)?);
    if !is_sealed(&mut file)? {
        return Ok(Box::new(file));
    }
    let passphrase = passphrase.ok_or(BackupError::NeedsPassphrase)?;
    let opening = passphrase::open(file, passphrase);
    let opening = opening.map_err(|e| BackupError::NotABackup(e.to_string()))?;
    Ok(Box::new(opening))
}

/// A name beside `to` for something unfinished.
fn beside(to: &Path, kind: &str) -> PathBuf {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{kind}-{}", std::process::id()));
    to.with_file_name(name)
}

fn parent_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}

/// Whoever works on something unfinished holds its lock, which ends with the process: what nobody
/// holds was left by one that was killed.
fn held(file: File) -> std::io::Result<File> {
    file.lock()?;
    Ok(file)
}

/// Removes what killed processes left unfinished in a folder, beside targets that are ours.
pub(crate) fn sweep(folder: &Path, is_ours: &dyn Fn(&str) -> bool) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(owner) = owner_of(&path, is_ours) else {
            continue;
        };
        let is_held = File::open(owner).is_ok_and(|file| file.try_lock().is_err());
        if !is_held {
            drop(Unfinished(vec![path]));
        }
    }
}

/// The file or folder whose lock says whether somebody still works on this; `None` if it is nothing
/// unfinished of ours.
fn owner_of(path: &Path, is_ours: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    UNFINISHED.iter().find_map(|kind| {
        let (target, process) = name.rsplit_once(&format!(".{kind}-"))?;
        let (process, _) = process.split_once('-').unwrap_or((process, ""));
        let is_number = !process.is_empty() && process.bytes().all(|b| b.is_ascii_digit());
        // The copy of the database is under the lock of the file it goes into.
        let kind = if *kind == "db" { "part" } else { kind };
        (is_number && is_ours(target))
            .then(|| path.with_file_name(format!("{target}.{kind}-{process}")))
    })
}

/// A new folder to unpack into, with its lock.
fn scratch_for(target: &Path, kind: &str) -> Result<(PathBuf, File), BackupError> {
    let own = target.file_name().unwrap_or_default().to_string_lossy();
    sweep(parent_of(target), &|name| name == own);
    let scratch = beside(target, kind);
    std::fs::create_dir_all(&scratch)?;
    let lock = held(File::open(&scratch)?)?;
    Ok((scratch, lock))
}

fn cancelled_or_file(error: std::io::Error) -> BackupError {
    if error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Stop>)
    {
        BackupError::Cancelled
    } else {
        BackupError::File(error)
    }
}

/// A reader that tells how much went through it and stops when told to.
struct WatchedCopy<'a, R> {
    inner: R,
    tell: &'a mut dyn FnMut(usize) -> bool,
}

impl<R: Read> Read for WatchedCopy<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if (self.tell)(n) {
            return Ok(n);
        }
        Err(std::io::Error::other(Stop))
    }
}

/// Somebody said stop.
#[derive(Debug, thiserror::Error)]
#[error("cancelled")]
struct Stop;

/// One consistent copy, whatever is written meanwhile.
fn copy_database(file: &Path, copy: &Path, progress: Progress<'_>) -> Result<(), BackupError> {
    let (connection, whole) = source(file)?;
    let (stop, is_copied) = (connection.get_interrupt_handle(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            while !is_copied.load(Ordering::Relaxed) {
                std::thread::park_timeout(TOLD_EVERY);
                let now = std::fs::metadata(copy).map_or(0, |m| m.len());
                if !progress((now as f64 / whole as f64).min(1.0)) {
                    stop.interrupt();
                }
            }
        });
        let copied = connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()]);
        is_copied.store(true, Ordering::Relaxed);
        watching.thread().unpark();
        copied
            .map(drop)
            .map_err(|error| match error.sqlite_error_code() {
                Some(ErrorCode::OperationInterrupted) => BackupError::Cancelled,
                _ => EngineError::from(error).into(),
            })
    })
}

/// The database to copy, and how large it is in bytes.
fn source(file: &Path) -> Result<(Connection, u64), EngineError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    schema::check_version(&connection)?;
    let pages: u64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let bytes: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    Ok((connection, (pages * bytes).max(1)))
}

/// The files of months that a copy of the database knows.
fn months_of(copy: &Path) -> Result<BTreeSet<String>, EngineError> {
    telemetry::month_files(&Connection::open(copy)?)
}

/// Where the chain of a copy of the database ends, and how many readings belong to it.
fn counted(copy: &Path) -> Result<(Head, u64), EngineError> {
    let connection = Connection::open_with_flags(copy, TO_READ)?;
    let rows = "SELECT sealed.rows + (SELECT coalesce(sum(rows), 0) FROM journal
                    WHERE seq > sealed.seq) FROM sealed";
    let readings = connection.query_row(rows, [], |row| row.get(0))?;
    Ok((Head::read(&connection)?, readings))
}

fn describe(
    copy: &Path,
    sources: &[(String, PathBuf)],
    made: Time,
) -> Result<Manifest, BackupError> {
    let (head, readings) = counted(copy)?;
    let mut files = BTreeMap::new();
    for (name, path) in sources {
        let (bytes, sha256) = hash_all(&mut File::open(path)?, &mut std::io::sink())?;
        files.insert(name.clone(), Piece { bytes, sha256 });
    }
    Ok(Manifest {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_ms: made.ms(),
        readings,
        evidence: head.seq,
        head: HEXLOWER.encode(&head.hash),
        files,
    })
}

/// Copies everything; gives its length and SHA-256.
fn hash_all(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<(u64, String)> {
    let (mut hasher, mut length) = (Sha256::new(), 0);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let n = from.read(&mut piece)?;
        let read = piece.get(..n).unwrap_or_default();
        if read.is_empty() {
            return Ok((length, HEXLOWER.encode(&hasher.finalize())));
        }
        hasher.update(read);
        to.write_all(read)?;
        length += n as u64;
    }
}

fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    name: &str,
    bytes: u64,
    from: impl Read,
) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    // It holds what lets people and devices in, if only as hashes.
    header.set_mode(0o600);
    archive.append_data(&mut header, name, from)
}

/// Unpacks a backup into a scratch folder beside `near`, reads all of it again and removes it.
pub(crate) fn check(
    from: &Path,
    near: &Path,
    passphrase: Option<&Passphrase>,
    progress: Progress<'_>,
) -> Result<Proved, BackupError> {
    let (scratch, _lock) = scratch_for(near, "check")?;
    let unfinished = Unfinished(vec![scratch.clone()]);
    let proved = prove(from, &scratch, passphrase, progress);
    drop(unfinished);
    proved
}

/// Restores a backup into a new folder, after reading all of it again.
pub(crate) fn restore(
    from: &Path,
    folder: &Path,
    passphrase: Option<&Passphrase>,
    progress: Progress<'_>,
) -> Result<Proved, BackupError> {
    let has_entries = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if has_entries {
        return Err(BackupError::NotEmpty(folder.to_owned()));
    }
    let (scratch, _lock) = scratch_for(folder, "restoring")?;
    let _unfinished = Unfinished(vec![scratch.clone()]);
    let proved = prove(from, &scratch, passphrase, progress)?;
    std::fs::remove_dir(folder).ok();
    std::fs::rename(&scratch, folder)?;
    Ok(proved)
}

fn prove(
    from: &Path,
    scratch: &Path,
    passphrase: Option<&Passphrase>,
    progress: Progress<'_>,
) -> Result<Proved, BackupError> {
    let began = Instant::now();
    let manifest = unpack(open(from, passphrase)?, scratch, &|done| {
        progress(done * 0.5)
    })?;
    let verdict = evidence::verify(scratch, None, None)?;
    if let Some(found) = verdict.breaks.first() {
        return Err(BackupError::Evidence(found.to_string()));
    }
    differs("the evidence", &verdict.head, &manifest.head)?;
    differs(
        "the number of entries",
        &verdict.entries,
        &manifest.evidence,
    )?;
    let is_cancelled = AtomicBool::new(false);
    let (readings, damaged) = EmbeddedReader::new(scratch).read_all(&|readings| {
        let share = readings as f64 / manifest.readings.max(1) as f64;
        let goes_on = progress(0.5 + 0.5 * share);
        is_cancelled.fetch_or(!goes_on, Ordering::Relaxed);
        goes_on
    })?;
    if is_cancelled.load(Ordering::Relaxed) {
        return Err(BackupError::Cancelled);
    }
    if let Some(damage) = damaged.into_iter().next() {
        return Err(BackupError::Damaged(damage.place));
    }
    differs("the number of readings", &readings, &manifest.readings)?;
    Ok(Proved {
        manifest,
        took_ms: began.elapsed().as_millis() as u64,
    })
}

fn differs<T: PartialEq + ToString>(
    what: &'static str,
    found: &T,
    wanted: &T,
) -> Result<(), BackupError> {
    if found == wanted {
        return Ok(());
    }
    Err(BackupError::Differs {
        what,
        found: found.to_string(),
        wanted: wanted.to_string(),
    })
}

/// Unpacks what the manifest names and nothing else.
fn unpack(from: impl Read, into: &Path, progress: Progress<'_>) -> Result<Manifest, BackupError> {
    let cut = |error: std::io::Error| {
        let error = cancelled_or_file(error);
        match error {
            BackupError::File(error) => BackupError::NotABackup(error.to_string()),
            other => other,
        }
    };
    let mut archive = tar::Archive::new(GzDecoder::new(from));
    let mut entries = archive.entries().map_err(cut)?;
    let first = entries.next();
    let first = first.ok_or_else(|| BackupError::NotABackup("it is empty".to_owned()))?;
    let mut text = Vec::new();
    let mut first = first.map_err(cut)?.take(MANIFEST_BYTES_MAX);
    first.read_to_end(&mut text).map_err(cut)?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|e| BackupError::NotABackup(e.to_string()))?;
    let pieces = manifest.files.values().map(|piece| piece.bytes);
    let all = pieces.fold(0, u64::saturating_add);
    let needed = all.saturating_add(ROOM_LEFT_BYTES);
    let free = telemetry::room(into)?.free_bytes;
    if needed > free {
        return Err(BackupError::NoRoom { needed, free });
    }
    let (mut done, mut seen) = (0_u64, 0);
    for entry in entries {
        let entry = entry.map_err(cut)?;
        let name = entry.path().map_err(cut)?.to_string_lossy().into_owned();
        let is_ours = name == schema::FILE
            || BESIDE.contains(&name.as_str())
            || telemetry::is_month_file(&name);
        let piece = manifest.files.get(&name).filter(|_| is_ours);
        let piece = piece.ok_or_else(|| BackupError::Damaged(name.clone()))?;
        let mut watched = WatchedCopy {
            inner: entry.take(piece.bytes + 1),
            tell: &mut |n: usize| {
                done += n as u64;
                progress(done as f64 / all.max(1) as f64)
            },
        };
        let mut file = private(&into.join(&name))?;
        let (bytes, sha256) = hash_all(&mut watched, &mut file).map_err(cut)?;
        file.sync_all()?;
        if bytes != piece.bytes || sha256 != piece.sha256 {
            return Err(BackupError::Damaged(name));
        }
        seen += 1;
    }
    // To the very end, where the checksum over everything stands, the manifest included.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(cut)?;
    if seen != manifest.files.len() {
        return Err(BackupError::NotABackup("its end is missing".to_owned()));
    }
    Ok(manifest)
}

/// A new file that only its owner may read.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600).open(path)
}
