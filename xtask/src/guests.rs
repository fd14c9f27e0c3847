//! `cargo xtask guests`: builds every guest into `target/guests/NAME.wasm`, skipping what is up to date.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::exec::{capture, execute, execute_quietly, is_present, seconds};
use crate::failure::Failure;
use crate::stamp::Stamp;
use crate::tools::{self, GUEST_TARGET};

/// The guests in Rust: one cargo workspace.
const RUST: [&str; 4] = ["calc", "everything", "flights", "hostile"];

/// The languages that guests are written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    Rust,
    Python,
    JavaScript,
    C,
}

impl Language {
    pub(crate) const ALL: [Self; 4] = [Self::Rust, Self::Python, Self::JavaScript, Self::C];

    fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "rust" => Ok(Self::Rust),
            "python" => Ok(Self::Python),
            "js" => Ok(Self::JavaScript),
            "c" => Ok(Self::C),
            other => Err(Failure::usage(format!(
                "no guests are written in `{other}`; there are rust, python, js, c"
            ))),
        }
    }
}

/// A guest's component, once it is built.
pub(crate) fn path(name: &str) -> PathBuf {
    folder().join(format!("{name}.wasm"))
}

fn folder() -> PathBuf {
    tools::target().join("guests")
}

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let mut only = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match (arg.as_str(), arg.strip_prefix("--only=")) {
            (_, Some(name)) => only.push(Language::parse(name)?),
            ("--only", None) => {
                let name = args
                    .next()
                    .ok_or_else(|| Failure::usage("`--only` needs a language"))?;
                only.push(Language::parse(name)?);
            }
            (other, None) => {
                return Err(Failure::usage(format!("`guests` has no option `{other}`")));
            }
        }
    }
    build(if only.is_empty() {
        &Language::ALL
    } else {
        &only
    })
    .map(drop)
}

/// Builds the guests in these languages and returns the languages that were there.
pub(crate) fn build(languages: &[Language]) -> Result<Vec<Language>, Failure> {
    let folder = folder();
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    let mut built = Vec::new();
    for language in languages {
        let done = match language {
            Language::Rust => rust().map(|()| true),
            Language::Python => python(),
            Language::JavaScript => javascript(),
            Language::C => c(),
        }?;
        if done {
            built.push(*language);
        }
    }
    Ok(built)
}

fn rust() -> Result<(), Failure> {
    let guests = tools::root().join("guest-examples");
    let sources = [
        guests.join("Cargo.toml"),
        guests.join("Cargo.lock"),
        guests.join("rust"),
        guests.join("hostile"),
    ];
    unless_fresh("rust", "cargo", &sources, &RUST, || {
        tools::ensure_guest_target()?;
        let build = tools::target().join("guests-rust");
        execute(
            tools::cargo()
                .args([
                    "build",
                    "--quiet",
                    "--locked",
                    "--release",
                    "--target",
                    GUEST_TARGET,
                    "--target-dir",
                ])
                .arg(&build)
                .current_dir(&guests),
        )?;
        for name in RUST {
            let made = build
                .join(GUEST_TARGET)
                .join("release")
                .join(format!("{name}.wasm"));
            std::fs::copy(&made, path(name))
                .map_err(|error| Failure::file("copy", &made, &error))?;
        }
        Ok(())
    })
}

fn python() -> Result<bool, Failure> {
    let Some(python) = tools::python("venv", "guests.txt")? else {
        println!("   python3 (3.9 or newer) not found: Python guests skipped");
        return Ok(false);
    };
    let root = tools::root();
    let tool = root.join("xtask/requirements/guests.txt");
    let combine = root.join("guest-examples/python/combine");
    unless_fresh(
        "python",
        "componentize-py",
        &[combine.clone(), tool.clone()],
        &["combine"],
        || componentize_py(&python, &wit(), "combine", &[combine], "combine"),
    )?;

    let runner = root.join("guest-examples/python/runner");
    let interface = root.join("wit/runner");
    let sdk = root.join("sdk/python/src");
    let sources = [runner.clone(), interface.clone(), sdk.clone(), tool];
    unless_fresh(
        "python runner",
        "componentize-py",
        &sources,
        &["python-runner"],
        || {
            let msgpack = pure_msgpack(&python)?;
            componentize_py(
                &python,
                &interface,
                "runner",
                &[runner, sdk, msgpack],
                "python-runner",
            )
        },
    )?;
    Ok(true)
}

/// Makes the component `name` of the module `app` on the given Python path.
fn componentize_py(
    python: &Path,
    wit: &Path,
    world: &str,
    paths: &[PathBuf],
    name: &str,
) -> Result<(), Failure> {
    let mut command = Command::new(python.with_file_name("componentize-py"));
    command
        .arg("--wit-path")
        .arg(wit)
        .args(["--world", world, "componentize"]);
    for path in paths {
        command.arg("--python-path").arg(path);
    }
    execute_quietly(command.args(["app", "--output"]).arg(path(name)))
}

/// A folder with the package `msgpack` of the virtual environment, without its native code.
fn pure_msgpack(python: &Path) -> Result<PathBuf, Failure> {
    let script = "import msgpack; print(msgpack.__path__[0])";
    let installed = PathBuf::from(capture(Command::new(python).args(["-c", script]))?.trim());
    let folder = tools::target().join("guests-python");
    let package = folder.join("msgpack");
    std::fs::create_dir_all(&package).map_err(|error| Failure::file("create", &package, &error))?;
    let list = |error| Failure::file("list", &installed, &error);
    for entry in std::fs::read_dir(&installed).map_err(list)? {
        let file = entry.map_err(list)?.path();
        if let (Some("py"), Some(name)) = (
            file.extension().and_then(|end| end.to_str()),
            file.file_name(),
        ) {
            std::fs::copy(&file, package.join(name))
                .map_err(|error| Failure::file("copy", &file, &error))?;
        }
    }
    Ok(folder)
}

fn javascript() -> Result<bool, Failure> {
    if !tools::is_node_present() {
        println!("   node (20 or newer) with npm not found: JavaScript guest skipped");
        return Ok(false);
    }
    let source = tools::root().join("guest-examples/js/report");
    unless_fresh(
        "js",
        "componentize-qjs",
        std::slice::from_ref(&source),
        &["report"],
        || {
            tools::ensure_npm(&source)?;
            execute_quietly(
                Command::new("npx")
                    .args([
                        "--no-install",
                        "componentize-qjs",
                        "--sync",
                        "--world",
                        "report",
                        "--wit",
                    ])
                    .arg(wit())
                    .args(["--js", "report.js", "--output"])
                    .arg(path("report"))
                    .current_dir(&source),
            )
        },
    )?;
    Ok(true)
}

fn c() -> Result<bool, Failure> {
    let Some(compiler) = c_compiler()? else {
        println!("   neither clang-19 with wasi-libc nor Python found: C guest skipped");
        return Ok(false);
    };
    let cli = tools::cli();
    if !cli.is_file() {
        println!("   {} not built yet: C guest skipped", cli.display());
        println!(
            "   (`cargo build --workspace --bin wasm-tasks` builds it; it makes the component)"
        );
        return Ok(false);
    }
    let source = tools::root().join("guest-examples/c/stats");
    unless_fresh(
        "c",
        compiler.name(),
        std::slice::from_ref(&source),
        &["stats"],
        || {
            let core = folder().join("stats.core.wasm");
            execute_quietly(
                compiler
                    .command()
                    .args([
                        "-mexec-model=reactor",
                        "-std=c11",
                        "-O2",
                        "-s",
                        "-Wall",
                        "-Wextra",
                        "-Werror",
                        "-o",
                    ])
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
        },
    )?;
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
    if is_present("clang-19")
        && is_present("wasm-ld-19")
        && Path::new("/usr/include/wasm32-wasi").is_dir()
    {
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

/// Builds the guests `names` unless they are newer than what they are made from.
fn unless_fresh(
    language: &str,
    tool: &str,
    sources: &[PathBuf],
    names: &[&str],
    build: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let built: Vec<PathBuf> = names.iter().map(|name| path(name)).collect();
    let mut sources = sources.to_vec();
    sources.push(wit());
    let stamp = Stamp::of(&folder(), language, tool, &sources)?;
    if stamp.is_fresh(&built) {
        println!("   {language}: {} up to date", names.join(", "));
        return Ok(());
    }
    println!("   {language}: building {}", names.join(", "));
    let start = Instant::now();
    build()?;
    if let Some(missing) = built.iter().find(|path| !path.is_file()) {
        return Err(Failure::step(format!(
            "building {language} guests made no `{}`",
            missing.display()
        )));
    }
    stamp.write()?;
    println!("   {language}: built in {}", seconds(start.elapsed()));
    Ok(())
}

fn wit() -> PathBuf {
    tools::root().join("wit/examples")
}
