//! Zip archives of graphs. An archive is hostile until it is read: its files are counted and bounded while they are unpacked,
//! whatever it says of their sizes.

use super::{Place, ReadError, Reason};
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// Files of an archive at most.
const FILES_MAX: usize = 10_000;
/// Bytes of a file at most, unpacked.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// Bytes of all files at most, unpacked.
const BYTES_MAX: u64 = 2 << 30;

/// A file of an archive: its name, and its bytes or why there are none.
#[derive(Debug)]
pub struct Entry {
    /// Its path in the archive.
    pub name: String,
    /// Its bytes.
    pub bytes: Result<Vec<u8>, ReadError>,
}

/// Whether these bytes begin as a zip archive does.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// The files of an archive; folders, and what systems add for themselves, are left out.
///
/// # Errors
/// It is no archive, or it has too much in it.
pub fn entries(archive: &[u8]) -> Result<Vec<Entry>, ReadError> {
    let here = Place::default();
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(|error| here.wrong(error))?;
    if archive.len() > FILES_MAX {
        return Err(here.wrong(Reason::TooLarge("10,000 files")));
    }
    let mut entries = Vec::new();
    let mut left = BYTES_MAX;
    for at in 0..archive.len() {
        let file = match archive.by_index(at) {
            Ok(file) => file,
            Err(error) => {
                entries.push(Entry { name: format!("file {at}"), bytes: Err(here.wrong(error)) });
                continue;
            }
        };
        let name = file.name().to_owned();
        if file.is_dir() || name.starts_with("__MACOSX/") {
            continue;
        }
        let bytes = match kind(&name) {
            Some(reason) => Err(here.wrong(reason)),
            None => unpack(file, left),
        };
        left -= bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        entries.push(Entry { name, bytes });
    }
    Ok(entries)
}

/// Why a file of this name is not read.
fn kind(name: &str) -> Option<Reason> {
    let name = name.to_ascii_lowercase();
    if name.ends_with(".json") || name.ends_with(".jsonl") {
        None
    } else if name.contains(".pickle") || name.contains(".pkl") {
        Some(Reason::Pickle)
    } else {
        Some(Reason::OtherFile)
    }
}

fn unpack(file: impl Read, left: u64) -> Result<Vec<u8>, ReadError> {
    let here = Place::default();
    let max = left.min(FILE_BYTES_MAX);
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(|error| here.wrong(zip::result::ZipError::Io(error)))?;
    if bytes.len() as u64 > max {
        let what = if max < FILE_BYTES_MAX { "2 GiB of files" } else { "512 MiB in one file" };
        return Err(here.wrong(Reason::TooLarge(what)));
    }
    Ok(bytes)
}
