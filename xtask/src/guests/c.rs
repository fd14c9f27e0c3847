//! The guest in C: `stats` of the flights demo, by clang or zig, and by our own `componentize`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{folder, path, unless_fresh, wit};
use crate::exec::{execute_quietly, is_present};
use crate::failure::Failure;
use crate::tools;

pub(super) fn build() -> Result<bool, Failure> {
    let Some(compiler) = c_compiler()? else {
        println!("   neither clang-19 with wasi-libc nor Python found: C guest skipped");
        return Ok(false);
    };
    let cli = tools::cli();
    if !cli.is_file() {
        println!("   {} not built yet: C guest skipped", cli.display());
        println!("   (`cargo build --workspace --bin wasm-tasks` builds it; it makes the component)");
        return Ok(false);
    }
    let source = tools::root().join("guest-examples/c/stats");
    unless_fresh("c", compiler.name(), std::slice::from_ref(&source), &["stats"], || {
        let core = folder().join("stats.core.wasm");
        execute_quietly(
            compiler
                .command()
                .args(["-mexec-model=reactor", "-std=c11", "-O2", "-s", "-Wall", "-Wextra", "-Werror", "-o"])
                .arg(&core)
                .arg(source.join("stats.c")),
        )?;
        execute_quietly(
            Command::new(&cli)
                .arg("componentize")
                .arg(&core)
                .arg("--wit")
                .arg(wit())
                .args(["--world", "stats", "-o"])
                .arg(path("stats")),
        )
    })?;
    Ok(true)
}

/// What compiles C for WASI here.
enum CCompiler {
    /// Debian's clang with its wasi-libc.
    Clang,
    /// The `ziglang` wheel in the virtual environment.
    Zig(PathBuf),
}

fn c_compiler() -> Result<Option<CCompiler>, Failure> {
    if is_present("clang-19") && is_present("wasm-ld-19") && Path::new("/usr/include/wasm32-wasi").is_dir() {
        return Ok(Some(CCompiler::Clang));
    }
    Ok(tools::python("venv", "guests.txt")?.map(CCompiler::Zig))
}

impl CCompiler {
    fn name(&self) -> &'static str {
        match self {
            Self::Clang => "clang-19",
            Self::Zig(_) => "zig",
        }
    }

    fn command(&self) -> Command {
        match self {
            Self::Clang => {
                let mut command = Command::new("clang-19");
                command.args(["--target=wasm32-wasi", "--sysroot=/usr"]);
                command
            }
            Self::Zig(python) => {
                let cache = tools::target().join("zig-cache");
                let mut command = Command::new(python);
                command
                    .args(["-m", "ziglang", "cc", "-target", "wasm32-wasi"])
                    .env("ZIG_LOCAL_CACHE_DIR", cache.join("local"))
                    .env("ZIG_GLOBAL_CACHE_DIR", cache);
                command
            }
        }
    }
}
