//! What the box does beside watching, as a person decides it on the page: each change is tried
//! first, so that nobody learns in a week that a folder cannot be written.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use app::clock;
use app::commands::{Command, Orders};
use app::factory_clock::Anew;
use app::keeping::Keeping;
use app::ports::upkeep::{Caretaker, Deciding, UpkeepProblem};
use app::upkeep::{Decided, LogListeners, UpkeepChange, UpkeepPlan, UpkeepSaid};
use model::EventKind;
use serde_json::json;
use store::Entry;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// A folder that does not answer for so long is a network drive that hangs.
const FOLDER_ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Under these the system puts disks and network drives.
const UNDER: [&str; 4] = ["/media", "/mnt", "/run/media", "/srv"];
/// Where the system tells what is in its folders.
const MOUNTS: &str = "/proc/self/mounts";
/// What the file is called that is written and removed to see whether a folder takes files; when it
/// was tried follows.
const TRIED: &str = ".mimamori-trial-";

/// What the door needs.
pub struct UpkeepParts {
    /// What was decided on the page before the start.
    pub said: UpkeepSaid,
    /// What holds since the start.
    pub in_force: UpkeepPlan,
    /// The data folder.
    pub data: PathBuf,
    /// Whether the program has a certificate to encrypt with.
    pub has_certificate: bool,
    /// Where changes go.
    pub orders: Orders,
    /// Has the program begin anew.
    pub anew: Arc<Anew>,
}

/// Tries what a person decides, and puts it in force.
pub struct UpkeepDoor {
    parts: UpkeepParts,
    /// What was decided since the start, while the program is about to begin anew.
    newest: Mutex<UpkeepSaid>,
}

app::opaque_debug!(UpkeepParts, UpkeepDoor);

impl UpkeepDoor {
    /// A door to what holds.
    pub fn new(parts: UpkeepParts) -> Self {
        Self {
            newest: Mutex::new(parts.said.clone()),
            parts,
        }
    }

    async fn try_out(&self, change: &UpkeepChange) -> Result<(), UpkeepProblem> {
        match change {
            UpkeepChange::Backup(Decided::On(plan)) => self.try_folder(&plan.folder).await,
            UpkeepChange::DayFiles(Decided::On(plan)) => self.try_folder(&plan.folder).await,
            UpkeepChange::Logs(Decided::On(listeners)) => self.try_ports(*listeners).await,
            _ => Ok(()),
        }
    }

    async fn try_folder(&self, folder: &Path) -> Result<(), UpkeepProblem> {
        let (folder, data) = (folder.to_owned(), self.parts.data.clone());
        let trial = tokio::task::spawn_blocking(move || write_into(&folder, &data));
        match timeout(FOLDER_ANSWERS_WITHIN, trial).await {
            Ok(Ok(result)) => result,
            Ok(Err(problem)) => Err(UpkeepProblem::NotWritable(problem.to_string())),
            Err(_) => Err(UpkeepProblem::FolderHangs),
        }
    }

    /// Tries the addresses that the program does not listen on already.
    async fn try_ports(&self, wanted: LogListeners) -> Result<(), UpkeepProblem> {
        let own = self.parts.in_force.logs.unwrap_or_default();
        if wanted.tls.is_some() && !self.parts.has_certificate {
            return Err(UpkeepProblem::NoCertificate);
        }
        if let Some(udp) = wanted.udp.filter(|_| wanted.udp != own.udp) {
            let free = UdpSocket::bind(udp).await;
            free.map_err(|problem| UpkeepProblem::Port(udp, problem.to_string()))?;
        }
        let own = [own.tcp, own.tls];
        let tcp = [wanted.tcp, wanted.tls].into_iter().flatten();
        for address in tcp.filter(|address| !own.contains(&Some(*address))) {
            let free = TcpListener::bind(address).await;
            free.map_err(|problem| UpkeepProblem::Port(address, problem.to_string()))?;
        }
        match (wanted.tcp, wanted.tls) {
            (Some(tcp), Some(tls)) if tcp == tls => Err(taken_twice(tcp)),
            _ => Ok(()),
        }
    }

    async fn keep(&self, change: UpkeepChange, by: &str) -> Result<(), UpkeepProblem> {
        self.try_out(&change).await?;
        let told = json!({"upkeep": change.told()});
        // Two that decide at once are kept one after the other: neither undoes the other.
        let mut newest = self.newest.lock().await;
        let said = newest.clone().with(change);
        let entry = Entry::new(clock::now(), by, EventKind::OrderUpkeep, told);
        let keep = Keeping::Upkeep(json!(said).to_string(), entry);
        let kept = self.parts.orders.give(Command::Keep(keep), by).await;
        kept.map_err(UpkeepProblem::Order)?;
        *newest = said;
        self.parts.anew.ask();
        Ok(())
    }
}

impl Caretaker for UpkeepDoor {
    fn in_force(&self) -> &UpkeepPlan {
        &self.parts.in_force
    }

    fn said(&self) -> &UpkeepSaid {
        &self.parts.said
    }

    fn places(&self) -> Vec<PathBuf> {
        let mounts = std::fs::read_to_string(MOUNTS).unwrap_or_default();
        places_in(&mounts)
    }

    fn decide(&self, change: UpkeepChange, by: String) -> Deciding<'_> {
        Box::pin(async move { self.keep(change, &by).await })
    }
}

fn taken_twice(address: SocketAddr) -> UpkeepProblem {
    let problem = std::io::Error::from(ErrorKind::AddrInUse);
    UpkeepProblem::Port(address, problem.to_string())
}

/// Writes a file into a folder and removes it.
fn write_into(folder: &Path, data: &Path) -> Result<(), UpkeepProblem> {
    let not_writable = |problem: std::io::Error| UpkeepProblem::NotWritable(problem.to_string());
    let is_folder = match std::fs::metadata(folder) {
        Ok(found) => found.is_dir(),
        Err(problem) if problem.kind() == ErrorKind::NotFound => false,
        Err(problem) => return Err(not_writable(problem)),
    };
    if !is_folder || !folder.is_absolute() {
        return Err(UpkeepProblem::NoFolder);
    }
    let whole = |path: &Path| path.canonicalize().map_err(not_writable);
    if whole(folder)?.starts_with(whole(data)?) {
        return Err(UpkeepProblem::OwnFolder);
    }
    let trial = folder.join(format!("{TRIED}{}", clock::now().ms()));
    // Never through a link that somebody laid there, nor over what is there.
    let mut file = File::create_new(&trial).map_err(not_writable)?;
    let written = file.write_all(b"mimamori");
    std::fs::remove_file(&trial).ok();
    written.map_err(not_writable)
}

/// The disks and network drives in what the system tells of its folders.
fn places_in(mounts: &str) -> Vec<PathBuf> {
    let folders = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let folders = folders.map(|folder| folder.replace("\\040", " "));
    let mut places: Vec<PathBuf> = folders
        .map(PathBuf::from)
        .filter(|folder| UNDER.iter().any(|under| folder.starts_with(under)))
        .collect();
    places.sort();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_found_where_the_system_puts_them() {
        let mounts = "/dev/sda1 / ext4 rw 0 0\n\
            /dev/sdb1 /media/shop/USB\\040STICK vfat rw 0 0\n\
            //nas/share /mnt/nas cifs rw 0 0\n\
            tmpfs /run tmpfs rw 0 0\n";
        let places: Vec<PathBuf> = ["/media/shop/USB STICK", "/mnt/nas"]
            .map(PathBuf::from)
            .into();
        assert_eq!(places_in(mounts), places);
        assert_eq!(places_in(""), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_folder_is_tried_before_it_is_believed() {
        let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tried = |folder: &Path| write_into(folder, data.path());
        assert!(tried(other.path()).is_ok());
        assert_eq!(other.path().read_dir().unwrap().count(), 0, "nothing stays");
        let missing = tried(&other.path().join("stick"));
        assert!(matches!(missing, Err(UpkeepProblem::NoFolder)));
        let relative = tried(Path::new("."));
        assert!(matches!(relative, Err(UpkeepProblem::NoFolder)));
        let own = data.path().join("within");
        std::fs::create_dir(&own).unwrap();
        std::os::unix::fs::symlink(&own, other.path().join("round")).unwrap();
        for folder in [data.path(), &own, &other.path().join("round")] {
            assert!(matches!(tried(folder), Err(UpkeepProblem::OwnFolder)));
        }
        let full = tried(Path::new("/proc"));
        assert!(matches!(full, Err(UpkeepProblem::NotWritable(_))));
    }
}
