//! The demo's input: the compressed months of the repository, unpacked where a user would have plain CSVs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exec::execute;
use crate::failure::Failure;
use crate::stamp::Stamp;
use crate::tools;

const MONTHS: std::ops::RangeInclusive<u32> = 1..=12;

/// Unpacks the months into `folder`, unless they are there, and returns their paths.
pub(crate) fn unpack(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    let source = tools::root().join("guest-examples/flights/data");
    let name = |month: u32| format!("2013-{month:02}.csv");
    let files: Vec<PathBuf> = MONTHS.map(|month| folder.join(name(month))).collect();
    let stamp = Stamp::of(folder, "data", "gzip", std::slice::from_ref(&source))?;
    if stamp.is_fresh(&files) {
        return Ok(files);
    }
    for (month, file) in MONTHS.zip(&files) {
        let packed = source.join(format!("{}.gz", name(month)));
        let plain = File::create(file).map_err(|error| Failure::file("write", file, &error))?;
        execute(Command::new("gzip").arg("-dc").arg(&packed).stdout(plain))?;
    }
    stamp.write()?;
    Ok(files)
}
