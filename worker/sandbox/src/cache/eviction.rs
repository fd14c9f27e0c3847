//! Keeps the cache folder within its limit by removing what was not used for the longest time.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files that a process was writing this long ago were left by one that died.
const LEFT_BEHIND: Duration = Duration::from_secs(3_600);

struct Code {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// Removes entries until the folder is within its limit. Whoever has one mapped keeps it. Failures are not worth failing
/// anything: the next entry tries again.
pub(super) fn make_room(folder: &Path, bytes_max: u64, keep: &Path) {
    if let Err(error) = try_make_room(folder, bytes_max, keep) {
        tracing::warn!(folder = %folder.display(), %error, "no room could be made in the cache");
    }
}

fn try_make_room(folder: &Path, bytes_max: u64, keep: &Path) -> io::Result<()> {
    let mut codes = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("cwasm") => codes.extend(code(&entry, path)),
            Some(ending) if ending.starts_with("new-") && is_left_behind(&entry) => fs::remove_file(path)?,
            _ => {}
        }
    }
    codes.sort_by_key(|code| code.used);
    let mut total: u64 = codes.iter().map(|code| code.bytes).sum();
    for code in codes.iter().filter(|code| code.path != keep) {
        if total <= bytes_max {
            break;
        }
        // The lock stays: another process may hold it, and it is empty.
        fs::remove_file(&code.path)?;
        let _ = fs::remove_file(code.path.with_extension("mac"));
        total -= code.bytes;
    }
    Ok(())
}

/// None for a file that vanished meanwhile.
fn code(entry: &DirEntry, path: PathBuf) -> Option<Code> {
    let metadata = entry.metadata().ok()?;
    Some(Code { path, bytes: metadata.len(), used: metadata.modified().ok()? })
}

fn is_left_behind(entry: &DirEntry) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > LEFT_BEHIND))
}
