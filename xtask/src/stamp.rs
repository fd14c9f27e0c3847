//! Tells whether something built is up to date: a stamp holds a hash of all that it was built from.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Names of folders that hold what is built or installed, never sources.
const NOT_SOURCES: [&str; 4] = ["target", "node_modules", "__pycache__", ".git"];

/// A file beside what was built.
pub(crate) struct Stamp {
    path: PathBuf,
    wanted: String,
}

impl Stamp {
    /// The stamp `name` in `folder` for something built from `sources` (files and folders) with `tool`.
    pub(crate) fn of(folder: &Path, name: &str, tool: &str, sources: &[PathBuf]) -> Result<Self, Failure> {
        let mut hasher = DefaultHasher::new();
        tool.hash(&mut hasher);
        let mut files = Vec::new();
        for source in sources {
            collect(source, &mut files)?;
        }
        files.sort();
        for file in files {
            file.hash(&mut hasher);
            let bytes = std::fs::read(&file).map_err(|error| Failure::file("read", &file, &error))?;
            bytes.hash(&mut hasher);
        }
        Ok(Self { path: folder.join(format!(".{name}.stamp")), wanted: format!("{:016x}\n", hasher.finish()) })
    }

    /// Whether the stamp is the one wanted and every file in `built` is there.
    pub(crate) fn is_fresh(&self, built: &[PathBuf]) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|found| found == self.wanted) && built.iter().all(|path| path.is_file())
    }

    /// To be called once all is built.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        std::fs::write(&self.path, &self.wanted).map_err(|error| Failure::file("write", &self.path, &error))
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(|error| Failure::file("list", path, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| Failure::file("list", path, &error))?;
        if !NOT_SOURCES.iter().any(|name| entry.file_name() == *name) {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}
