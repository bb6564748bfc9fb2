//! What the system keeps of memory that is no longer used. glibc gives each thread an arena of its
//! own, and after one large buffer it no longer gives large ones back: an import of five million
//! readings or a minute of wrong passwords left 66 to 160 MB behind, where 30 are enough. It reads
//! its settings when a process begins, so the program begins itself once more with them, as the
//! same process.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Where this process was begun from, also if the file has another name or is gone meanwhile.
const OWN: &str = "/proc/self/exe";
/// Two arenas, for the thread of the sockets and the recorder; what is larger than this many bytes,
/// or free at the end of one, goes back at once (mallopt(3)).
const SETTINGS: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];

/// Has the system give memory back, unless somebody has said how it should. Where that cannot be
/// done the program works on as it is.
pub(crate) fn give_back() {
    let mut said = SETTINGS.iter().map(|(name, _)| std::env::var_os(name));
    if said.any(|value| value.is_some()) {
        return;
    }
    let mut words = std::env::args_os();
    let mut again = Command::new(OWN);
    if let Some(name) = words.next() {
        again.arg0(name);
    }
    // It comes back from this only if it could not be begun.
    drop(again.args(words).envs(SETTINGS).exec());
}
