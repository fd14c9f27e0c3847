//! `cargo xtask guests`: builds every guest into `target/guests/NAME.wasm`, skipping what is up to date.

mod c;
mod javascript;
mod python;

use std::path::PathBuf;
use std::time::Instant;

use crate::exec::{execute, seconds};
use crate::failure::Failure;
use crate::stamp::Stamp;
use crate::tools::{self, GUEST_TARGET};

/// The guests in Rust: one cargo workspace.
const RUST: [&str; 6] = ["calc", "everything", "flights", "hostile", "readers", "recursion"];

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
            other => Err(Failure::usage(format!("no guests are written in `{other}`; there are rust, python, js, c"))),
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
                let name = args.next().ok_or_else(|| Failure::usage("`--only` needs a language"))?;
                only.push(Language::parse(name)?);
            }
            (other, None) => {
                return Err(Failure::usage(format!("`guests` has no option `{other}`")));
            }
        }
    }
    build(if only.is_empty() { &Language::ALL } else { &only }).map(drop)
}

/// Builds the guests in these languages and returns the languages that were there.
pub(crate) fn build(languages: &[Language]) -> Result<Vec<Language>, Failure> {
    let folder = folder();
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    let mut built = Vec::new();
    for language in languages {
        let done = match language {
            Language::Rust => rust().map(|()| true),
            Language::Python => python::build(),
            Language::JavaScript => javascript::build(),
            Language::C => c::build(),
        }?;
        if done {
            built.push(*language);
        }
    }
    Ok(built)
}

fn rust() -> Result<(), Failure> {
    let guests = tools::root().join("guest-examples");
    let wit = tools::root().join("wit");
    let guests_of = |folder: &str| guests.join(folder);
    let sources = [
        guests_of("Cargo.toml"),
        guests_of("Cargo.lock"),
        guests_of("rust"),
        guests_of("hostile"),
        guests_of("readers"),
        // What `readers` is made of.
        tools::root().join("protocol/src"),
        tools::root().join("protocol/interface/src"),
        wit.join("readers"),
        wit.join("task"),
        wit.join("recursion"),
    ];
    unless_fresh("rust", "cargo", &sources, &RUST, || {
        tools::ensure_guest_target()?;
        let build = tools::target().join("guests-rust");
        execute(
            tools::cargo()
                .args(["build", "--quiet", "--locked", "--release", "--target", GUEST_TARGET, "--target-dir"])
                .arg(&build)
                .current_dir(&guests),
        )?;
        for name in RUST {
            let made = build.join(GUEST_TARGET).join("release").join(format!("{name}.wasm"));
            std::fs::copy(&made, path(name)).map_err(|error| Failure::file("copy", &made, &error))?;
        }
        Ok(())
    })
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
        return Err(Failure::step(format!("building {language} guests made no `{}`", missing.display())));
    }
    stamp.write()?;
    println!("   {language}: built in {}", seconds(start.elapsed()));
    Ok(())
}

fn wit() -> PathBuf {
    tools::root().join("wit/examples")
}
