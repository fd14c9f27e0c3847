//! The files that git tracks or would track.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders that are never looked into where there is no git to ask.
const SKIPPED: [&str; 4] = [".git", "target", "node_modules", "__pycache__"];

/// The working copy that this crate is part of.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    files: Vec<String>,
}

/// A text file of the repository.
#[derive(Debug)]
pub struct SourceFile {
    /// Its path from the root, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl Repository {
    /// Lists the files: those that git tracks or would track, or all but build output where there is no git.
    ///
    /// # Panics
    /// When a folder cannot be read.
    pub fn open() -> Repository {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this crate is two folders below the root");
        let mut files = tracked(root).unwrap_or_else(|| {
            let mut files = Vec::new();
            walk(root, "", &mut files);
            files
        });
        // What is deleted and not yet committed is still tracked.
        files.retain(|path| root.join(path).is_file());
        files.sort();
        assert!(files.iter().any(|path| path == "Cargo.toml"), "{} is not the root of the repository", root.display());
        Repository { root: root.to_owned(), files }
    }

    /// The root's path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Paths from the root, sorted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Files whose name ends so, read. Those that are not UTF-8 are left out.
    pub fn texts<'r>(&'r self, ending: &'r str) -> impl Iterator<Item = SourceFile> + 'r {
        self.files().filter(move |path| path.ends_with(ending)).filter_map(|path| {
            let bytes = std::fs::read(self.root.join(path)).ok()?;
            let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?;
            Some(SourceFile { path: path.to_owned(), text })
        })
    }

    /// What is in a file.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

fn tracked(root: &Path) -> Option<Vec<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|listed| listed.status.success())?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut files: Vec<String> = listed.split_terminator('\0').map(str::to_owned).collect();
    files.dedup();
    Some(files)
}

fn walk(root: &Path, folder: &str, files: &mut Vec<String>) {
    let entries = std::fs::read_dir(root.join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !SKIPPED.contains(&name.as_str()) => walk(root, &path, files),
            Ok(kind) if kind.is_file() => files.push(path),
            Ok(_) | Err(_) => {}
        }
    }
}

/// The lines of a Rust file that are code, with their numbers from 1: without comments on lines of their own, and
/// without what follows `mod tests {`.
pub fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.take_while(|(_, line)| *line != "mod tests {").filter(|(_, line)| !line.trim_start().starts_with("//"))
}
