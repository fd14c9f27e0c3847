//! `--mutants`: builds each mutant of the cores in a copy of the sources, and looks whether seeds kill it.
#![allow(clippy::print_stdout, reason = "a command prints its results")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use wasm_tasks_sim::mutant::{Mutant, MutantError};

/// Packages that the copy has: what the simulator is built from.
const PACKAGES: [&str; 4] = ["protocol", "scheduler/core", "worker/core", "tests/sim"];
/// Seeds that must pass without a mutant before any is tried.
const BASELINE_SEEDS: u64 = 1_000;
/// A mutant that runs longer hangs.
const RUN_MAX: Duration = Duration::from_secs(900);

/// Why mutants cannot be tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MutantsError {
    #[error("`{path}`: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("mutant `{name}`: {source}")]
    Mutant { name: String, source: MutantError },
    #[error("no mutant's name contains `{0}`; they are in tests/sim/mutants")]
    Unknown(String),
    #[error("mutants are judged in a thread, which ended: that is a bug of this command")]
    Judge,
    #[error("`Cargo.toml` of the workspace has no list of `members`")]
    Manifest,
    #[error("the sources do not build even without a mutant:\n{0}")]
    Build(String),
    #[error("a seed fails even without a mutant, so mutants would prove nothing: {0}")]
    Baseline(String),
}

/// A mutant that is to be tried, with the text of its file before and after.
struct Candidate {
    mutant: Mutant,
    original: String,
    harmed: String,
}

/// What became of a mutant.
#[derive(Debug)]
enum Fate {
    Killed { seed: String, by: String },
    Survived,
    Unbuildable(String),
    Hangs,
}

/// Tries mutants whose names contain one of these, or all of them, with so many seeds each.
pub(crate) fn run(names: &[String], seeds: u64) -> ExitCode {
    match try_all(names, seeds) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(left) => {
            println!("{left} not killed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Builds one mutant while the one before is judged. Returns how many were not killed.
fn try_all(names: &[String], seeds: u64) -> Result<usize, MutantsError> {
    let begun = Instant::now();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mutants = read_all(&root, names)?;
    let copy = root.join("target/mutants");
    prepare(&root, &copy)?;
    build(&copy).map_err(MutantsError::Build)?;
    if let Fate::Killed { seed, by } = judge(&keep(&copy, 0)?, seeds.min(BASELINE_SEEDS)) {
        return Err(MutantsError::Baseline(format!("seed {seed}: {by}")));
    }
    println!("{:<48} {:>6} {:>7}  by", "mutant", "seed", "seconds");
    let (sender, receiver) = mpsc::sync_channel::<(&str, &Candidate, Result<PathBuf, String>)>(0);
    let left = std::thread::scope(|scope| {
        let judging = scope.spawn(move || {
            let judged = receiver.iter().map(|(name, candidate, built)| {
                let since = Instant::now();
                let fate = built.map_or_else(Fate::Unbuildable, |program| judge(&program, seeds));
                tell(name, &candidate.mutant, &fate, seeds, since.elapsed());
                usize::from(!matches!(fate, Fate::Killed { .. }))
            });
            judged.sum()
        });
        let built = build_all(&copy, &mutants, &sender);
        drop(sender);
        let left: usize = judging.join().map_err(|_| MutantsError::Judge)?;
        built.map(|()| left)
    })?;
    let (count, seconds) = (mutants.len(), begun.elapsed().as_secs());
    println!("{count} mutants, {} killed within {seeds} seeds, in {seconds} s", count - left);
    Ok(left)
}

type Built<'a> = mpsc::SyncSender<(&'a str, &'a Candidate, Result<PathBuf, String>)>;

/// The sources of the copy are as they were when this returns.
fn build_all<'a>(copy: &Path, mutants: &'a BTreeMap<String, Candidate>, judge: &Built<'a>) -> Result<(), MutantsError> {
    for (number, (name, candidate)) in (1..).zip(mutants) {
        let path = copy.join(&candidate.mutant.file);
        write(&path, &candidate.harmed)?;
        let built = build(copy);
        write(&path, &candidate.original)?;
        let program = match built {
            Ok(()) => Ok(keep(copy, number)?),
            Err(text) => Err(text),
        };
        judge.send((name, candidate, program)).map_err(|_| MutantsError::Judge)?;
    }
    Ok(())
}

/// The program as it was just built, where the next build does not change it: of the last few, each has its place.
fn keep(copy: &Path, number: usize) -> Result<PathBuf, MutantsError> {
    let (built, kept) = (copy.join("target/debug/wasm-tasks-sim"), copy.join(format!("target/judged-{}", number % 4)));
    // Not written over: it may be what cargo linked to, or run still.
    let _ = std::fs::remove_file(&kept);
    let copied = std::fs::copy(&built, &kept);
    copied.map(|_| kept).map_err(|source| MutantsError::File { path: built, source })
}

fn tell(name: &str, mutant: &Mutant, fate: &Fate, seeds: u64, took: Duration) {
    let took = took.as_secs_f64();
    match fate {
        Fate::Killed { seed, by } => {
            println!("{name:<48} {seed:>6} {took:>7.1}  {}", by.chars().take(110).collect::<String>());
        }
        Fate::Survived => println!("{name:<48} {:>6} {took:>7.1}  SURVIVED {seeds} seeds: {}", "-", mutant.why),
        Fate::Hangs => println!("{name:<48} {:>6} {took:>7.1}  HANGS: its harm must be one that a check notices", "-"),
        Fate::Unbuildable(text) => println!("{name:<48} {:>6} {took:>7.1}  DOES NOT BUILD\n{text}", "-"),
    }
}

/// Every mutant is read, and tried on the sources, before the first is built.
fn read_all(root: &Path, names: &[String]) -> Result<BTreeMap<String, Candidate>, MutantsError> {
    let mut mutants = BTreeMap::new();
    let mut unknown: Vec<&String> = names.iter().collect();
    for path in entries(&root.join("tests/sim/mutants"))? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        unknown.retain(|part| !name.contains(part.as_str()));
        let is_meant = names.is_empty() || names.iter().any(|part| name.contains(part.as_str()));
        if path.extension().is_none_or(|end| end != "mutant") || !is_meant {
            continue;
        }
        let wrong = |source| MutantsError::Mutant { name: name.clone(), source };
        let mutant = Mutant::parse(&read(&path)?).map_err(wrong)?;
        let original = read(&root.join(&mutant.file))?;
        let harmed = mutant.apply(&original).map_err(wrong)?;
        mutants.insert(name, Candidate { mutant, original, harmed });
    }
    match unknown.first() {
        Some(part) => Err(MutantsError::Unknown((*part).clone())),
        None => Ok(mutants),
    }
}

/// Makes the copy equal to the sources. What is equal already is not touched, so that it is not built again.
fn prepare(root: &Path, copy: &Path) -> Result<(), MutantsError> {
    let manifest = read(&root.join("Cargo.toml"))?;
    let begin = manifest.find("members = [").ok_or(MutantsError::Manifest)?;
    let end = begin + manifest[begin..].find(']').ok_or(MutantsError::Manifest)?;
    let members = PACKAGES.map(|package| format!("\"{package}\"")).join(", ");
    write(&copy.join("Cargo.toml"), &format!("{}members = [{members}{}", &manifest[..begin], &manifest[end..]))?;
    write(&copy.join("Cargo.lock"), &read(&root.join("Cargo.lock"))?)?;
    for package in PACKAGES {
        write(&copy.join(package).join("Cargo.toml"), &read(&root.join(package).join("Cargo.toml"))?)?;
        mirror(&root.join(package).join("src"), &copy.join(package).join("src"))?;
    }
    Ok(())
}

fn mirror(from: &Path, to: &Path) -> Result<(), MutantsError> {
    let kept: Vec<PathBuf> = entries(from)?.into_iter().filter_map(|path| Some(to.join(path.file_name()?))).collect();
    for stale in entries(to)?.into_iter().filter(|path| !kept.contains(path)) {
        let gone = if stale.is_dir() { std::fs::remove_dir_all(&stale) } else { std::fs::remove_file(&stale) };
        gone.map_err(|source| MutantsError::File { path: stale, source })?;
    }
    for path in entries(from)? {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            mirror(&path, &target)?;
        } else {
            write(&target, &read(&path)?)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, MutantsError> {
    let failed = |source| MutantsError::File { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    if folder.is_dir() {
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            paths.push(entry.map_err(failed)?.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String, MutantsError> {
    std::fs::read_to_string(path).map_err(|source| MutantsError::File { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), MutantsError> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text));
    written.map_err(|source| MutantsError::File { path: path.to_owned(), source })
}

/// Builds the copy, all mutants into one folder, so that each costs the two or three crates that changed.
fn build(copy: &Path) -> Result<(), String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--package", "wasm-tasks-sim"]).current_dir(copy);
    command.env("CARGO_TARGET_DIR", copy.join("target")).env("CARGO_INCREMENTAL", "1");
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1").env("CARGO_PROFILE_DEV_DEBUG", "0").env("RUSTFLAGS", "-Awarnings");
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs seeds until one fails.
fn judge(program: &Path, seeds: u64) -> Fate {
    let mut command = Command::new(program);
    command.args(["--stop", "--seeds", &seeds.to_string()]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Fate::Unbuildable(error.to_string()),
    };
    let (sender, receiver) = mpsc::channel();
    if let Some(mut pipe) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut text = String::new();
            // What was read before an error is all that there is; nobody listens any more when it took too long.
            let _ = pipe.read_to_string(&mut text);
            let _ = sender.send(text);
        });
    }
    let Ok(output) = receiver.recv_timeout(RUN_MAX) else {
        drop(child.kill());
        drop(child.wait());
        return Fate::Hangs;
    };
    if child.wait().is_ok_and(|status| status.success()) {
        return Fate::Survived;
    }
    let told = output.lines().find_map(|line| line.strip_prefix("seed ")?.split_once(": "));
    match told {
        Some((seed, by)) => Fate::Killed { seed: seed.to_owned(), by: by.to_owned() },
        // All seeds are fine, only less was met than without it.
        None if output.lines().any(|line| line.ends_with(", 0 failed")) => Fate::Survived,
        // The process ended without a word, as a stack that overflows does.
        None => Fate::Killed { seed: "?".to_owned(), by: "the program died".to_owned() },
    }
}
