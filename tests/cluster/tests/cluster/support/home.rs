//! A folder of its own for each test, and the program that is tested. Compiled modules are shared, also with `cargo xtask demo`.

use super::answer::{Answer, Running};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A `WASM_TASKS_HOME`, with room for files beside it. It is gone with the test.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Home {
        let home = Home::with_own_modules();
        fs::create_dir_all(home.path().join("cache")).expect("a folder for the cache");
        symlink(shared_modules(), home.path().join("cache/modules")).expect("a link to the shared modules");
        home
    }

    /// One for tests of compiling itself.
    pub(crate) fn with_own_modules() -> Home {
        Home { folder: tempfile::Builder::new().prefix("wasm-tasks-").tempdir().expect("a temporary folder") }
    }

    /// What `WASM_TASKS_HOME` is.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A path for a file of the test.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, content).expect("a file in a temporary folder");
        path
    }

    /// The command, with this home and nothing else from the environment of the tests.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.command_of(&program(), words)
    }

    /// An example of the Rust SDK, likewise.
    pub(crate) fn example(&self, name: &str, words: &[&str]) -> Command {
        self.command_of(&profile().join("examples").join(name), words)
    }

    fn command_of(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).current_dir(self.folder.path()).env("WASM_TASKS_HOME", self.path());
        // Graphs of tests name guests where they were built.
        if words.first().is_some_and(|command| ["submit", "check", "replay"].contains(command)) {
            command.arg("--allow-path").arg(super::guests::folder());
        }
        for name in ["WASM_TASKS_SCHEDULER", "WASM_TASKS_CREDENTIALS", "WASM_TASKS_LOG", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        command
    }

    /// Starts the command.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        Running::start(&mut self.command(words))
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Answer {
        self.start(words).end()
    }

    /// Runs `wasm-tasks COMMAND FILE WORDS…`.
    pub(crate) fn run_on(&self, command: &str, file: &Path, words: &[&str]) -> Answer {
        self.run(&[&[command, text_of(file)], words].concat())
    }
}

/// A path as a word.
pub(crate) fn text_of(path: &Path) -> &str {
    path.to_str().expect("paths of tests are UTF-8")
}

/// The target folder: tests are in `target/PROFILE/deps`.
pub(crate) fn target() -> PathBuf {
    profile().parent().expect("a profile is in the target folder").to_owned()
}

fn profile() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    test.parent().and_then(Path::parent).expect("tests are in target/PROFILE/deps").to_owned()
}

/// The program that is tested; `WASM_TASKS_BIN` names another one than that of this build.
fn program() -> PathBuf {
    let program = std::env::var_os("WASM_TASKS_BIN").map_or_else(|| profile().join("wasm-tasks"), PathBuf::from);
    assert!(program.exists(), "`{}` is not built; run `cargo build -p wasm-tasks-cli`", program.display());
    program
}

/// Compiling the guests in Python takes many seconds, so it is done once for everything below the target folder.
fn shared_modules() -> PathBuf {
    let folder = target().join("home/cache/modules");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).expect("a folder below target");
    folder
}
