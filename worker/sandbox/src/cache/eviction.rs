//! Keeps the cache folder within its limit by removing what was not used for the longest time.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Files that a process was writing this long ago were left by one that died.
const LEFT_BEHIND: Duration = Duration::from_secs(3_600);

struct Code {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// Of the limit, one part of so many is free after room was made.
const FREE_PART: u64 = 8;
/// Of what was free when the folder was listed last, one part of so many may be written before it is listed again: other
/// processes write there too.
const UNLISTED_PART: u64 = 8;

/// The limit of a folder, and how much may be written before it is listed again.
#[derive(Debug)]
pub(super) struct Room {
    bytes_max: u64,
    unlisted: Mutex<u64>,
}

impl Room {
    pub(super) fn new(bytes_max: u64) -> Room {
        Room { bytes_max, unlisted: Mutex::new(0) }
    }

    /// Removes entries after some bytes were written, when the folder may be full. Whoever has one mapped keeps it. Failures are
    /// not worth failing anything: the next entry tries again.
    pub(super) fn after(&self, folder: &Path, written: u64, keep: &Path) {
        let mut unlisted = self.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = unlisted.checked_sub(written) {
            *unlisted = left;
            return;
        }
        *unlisted = match try_make_room(folder, self.bytes_max, keep) {
            Ok(total) => self.bytes_max.saturating_sub(total) / UNLISTED_PART,
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "no room could be made in the cache");
                0
            }
        };
    }
}

/// Makes room when there is too much. Gives the bytes that are there then.
fn try_make_room(folder: &Path, bytes_max: u64, keep: &Path) -> io::Result<u64> {
    let mut codes = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("cwasm") => codes.extend(code(&entry, path)),
            Some(ending) if (ending.starts_with("new-") || ending == "lock") && is_left_behind(&entry) => fs::remove_file(path)?,
            _ => {}
        }
    }
    codes.sort_by_key(|code| code.used);
    let mut total: u64 = codes.iter().map(|code| code.bytes).sum();
    if total <= bytes_max {
        return Ok(total);
    }
    let wanted = bytes_max - bytes_max / FREE_PART;
    for code in codes.iter().filter(|code| code.path != keep) {
        if total <= wanted {
            break;
        }
        fs::remove_file(&code.path)?;
        let _ = fs::remove_file(code.path.with_extension("mac"));
        total -= code.bytes;
    }
    Ok(total)
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
