//! Purity proved by linking: pure packages are linked into WebAssembly modules, and what those import is all that they can do.
//!
//! A program that never reads a clock has no import for it. What a panic's message needs (standard error, `RUST_BACKTRACE`)
//! every program imports; a module with nothing but a panic in it says what that is.

use super::wasm::imports;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_tasks_tidy::Repository;

const TARGET: &str = "wasm32-wasip2";

/// One module each, from `tests/tidy/purity`.
///
/// `protocol/interface` is not among them: libraries that it reads components with seed their hash maps at random, whose
/// order never shows.
const MODULES: [&str; 5] = ["baseline", "impure", "protocol", "scheduler", "worker"];

#[test]
fn pure_packages_import_only_what_every_program_does() {
    let folder = build(&Repository::open());
    let [baseline, impure, pure @ ..] = MODULES.map(|module| interfaces(&folder, module));
    for interface in ["wasi:clocks/monotonic-clock", "wasi:random/"] {
        assert!(impure.iter().any(|import| import.contains(interface)), "the test does not see {interface}: {impure:?}");
        assert!(!baseline.iter().any(|import| import.contains(interface)), "every program has {interface}: {baseline:?}");
    }
    for (module, imports) in MODULES[2..].iter().zip(pure) {
        let more: Vec<&String> = imports.difference(&baseline).collect();
        assert!(more.is_empty(), "`{module}` is pure and imports {more:?}");
    }
}

/// The interfaces that a module imports something of.
fn interfaces(folder: &Path, module: &str) -> BTreeSet<String> {
    let path = folder.join(format!("target/{TARGET}/debug/examples/{module}.wasm"));
    let module = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    imports(&module).into_iter().map(|(from, _)| from).collect()
}

/// Builds the modules in a package of its own, with the versions of the workspace's lock file.
fn build(repository: &Repository) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("purity");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let root = repository.root();
    let path = |package: &str| root.join(package).display().to_string();
    let mut manifest = format!(
        "[package]\nname = \"purity\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[profile.dev]\npanic = \"abort\"\ndebug = false\n\n[dependencies]\nbytes = \"1\"\nserde = \"1\"\nwasm-tasks-protocol = {{ path = {:?} }}\nwasm-tasks-scheduler-core = {{ path = {:?} }}\nwasm-tasks-worker-core = {{ path = {:?} }}\n",
        path("protocol"),
        path("scheduler/core"),
        path("worker/core"),
    );
    for module in MODULES {
        let source = path(&format!("tests/tidy/purity/{module}.rs"));
        write!(manifest, "\n[[example]]\nname = \"{module}\"\npath = {source:?}\ncrate-type = [\"cdylib\"]\n").unwrap();
    }
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("src/lib.rs"), "").unwrap();
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--examples", "--target", TARGET, "--target-dir"])
        .arg(folder.join("target"))
        // A core module is enough: nobody runs it.
        .env("RUSTFLAGS", "-Clink-arg=--skip-wit-component")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(&folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{errors}\nhint: `rustup target add {TARGET}` where the target is missing");
    folder
}
