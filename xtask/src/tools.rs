//! Finds and installs the tools that guests and tests need, all below `target/` or beside a package.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exec::{capture, execute, execute_quietly, is_present};
use crate::failure::Failure;
use crate::stamp::Stamp;

/// The target that Rust guests are built for.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().expect("xtask is a folder of the repository").to_owned()
}

/// Where everything built goes.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A program of the workspace, built with the dev profile.
pub(crate) fn program(name: &str) -> PathBuf {
    target().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// The example of the Rust SDK that writes the demo's graph.
pub(crate) fn flights_example() -> PathBuf {
    target().join("debug/examples").join(format!("flights{}", std::env::consts::EXE_SUFFIX))
}

/// The `wasm-tasks` command that was built here, or what `WASM_TASKS_BIN` names.
pub(crate) fn cli() -> PathBuf {
    std::env::var_os("WASM_TASKS_BIN").map_or_else(|| program("wasm-tasks"), PathBuf::from)
}

/// The `wasm-tasks` command with a home below `target/`: no fleet, credential or cache of the user's is touched.
pub(crate) fn wasm_tasks() -> Command {
    let mut command = Command::new(cli());
    command.env("WASM_TASKS_HOME", target().join("home")).env_remove("WASM_TASKS_SCHEDULER");
    command
}

pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Installs the guests' Rust target where it is missing.
pub(crate) fn ensure_guest_target() -> Result<(), Failure> {
    let libraries = capture(Command::new("rustc").args(["--print", "target-libdir", "--target", GUEST_TARGET]))?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    println!("   adding the Rust target {GUEST_TARGET}");
    execute(Command::new("rustup").args(["target", "add", GUEST_TARGET]))
        .map_err(|failure| failure.with_hint(format!("without rustup, install the standard library of {GUEST_TARGET} by hand")))
}

/// The Python of a virtual environment below `target/` with everything in a requirements file.
///
/// Returns none, and says why, when there is no usable Python on the machine.
pub(crate) fn python(environment: &str, requirements: &str) -> Result<Option<PathBuf>, Failure> {
    let Some(system) = system_python() else {
        return Ok(None);
    };
    let folder = target().join(environment);
    let python = folder.join("bin").join("python");
    let list = root().join("xtask/requirements").join(requirements);
    let version = capture(Command::new(system).arg("--version"))?;
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    let stamp = Stamp::of(&folder, "requirements", &version, std::slice::from_ref(&list))?;
    if stamp.is_fresh(std::slice::from_ref(&python)) {
        return Ok(Some(python));
    }
    println!("   installing {requirements} into {}", folder.display());
    execute_quietly(Command::new(system).args(["-m", "venv"]).arg(&folder))
        .map_err(|failure| failure.with_hint("on Debian and Ubuntu the module venv is in the package python3-venv"))?;
    execute(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&list),
    )?;
    stamp.write()?;
    Ok(Some(python))
}

/// A Python that is new enough for the tools in the requirements files.
fn system_python() -> Option<&'static str> {
    let new_enough = |python: &&str| {
        let asked = Command::new(python)
            .args(["-c", "import sys; sys.exit(sys.version_info < (3, 9))"])
            .stderr(std::process::Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    };
    ["python3", "python"].into_iter().find(new_enough)
}

/// Whether Node is there, with npm, and new enough.
pub(crate) fn is_node_present() -> bool {
    let script = "process.exit(Number(process.versions.node.split('.')[0]) < 20 ? 1 : 0)";
    let asked = Command::new("node").args(["-e", script]).stderr(std::process::Stdio::null()).status();
    asked.is_ok_and(|status| status.success()) && is_present("npm")
}

/// Installs a package's npm dependencies beside it, in the versions of its lock file.
pub(crate) fn ensure_npm(package: &Path) -> Result<(), Failure> {
    let sources = [package.join("package.json"), package.join("package-lock.json")];
    let modules = package.join("node_modules");
    std::fs::create_dir_all(&modules).map_err(|error| Failure::file("create", &modules, &error))?;
    let installed = modules.join(".package-lock.json");
    let fresh = Stamp::of(&modules, "installed", "npm", &sources)?;
    if fresh.is_fresh(std::slice::from_ref(&installed)) {
        return Ok(());
    }
    println!("   npm install in {}", package.display());
    // Not `npm ci`: it refuses lock files that lack optional packages for other platforms, and
    // componentize-qjs names some that were never published.
    let quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    execute(Command::new("npm").args(["install", "--no-save", "--ignore-scripts"]).args(quiet).current_dir(package))?;
    fresh.write()
}
