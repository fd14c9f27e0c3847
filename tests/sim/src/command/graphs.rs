//! Graphs under several policies, and the JSON that is printed of them.
#![allow(clippy::print_stdout, reason = "a command prints its results")]

use super::summary::Summary;
use serde_json::{Map, Value, json};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use wasm_tasks_sim::compare::{self, Cluster, Measured};
use wasm_tasks_sim::generate::{NAMES, generate};
use wasm_tasks_sim::network::NetModel;
use wasm_tasks_sim::read::{self, Defaults, ReadError};
use wasm_tasks_sim::reference::{Estimates, Policy};
use wasm_tasks_sim::work::Work;

/// Where graphs come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Generate(String),
    Estee(PathBuf),
    WfFormat(PathBuf),
    Graph(PathBuf, Defaults),
}

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GraphsError {
    #[error("`{0}` is not a shape; there are: all, {names}", names = NAMES.join(", "))]
    UnknownShape(String),
    #[error("`{path}` cannot be read: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("`{file}`: {source}")]
    Bad { file: String, source: ReadError },
    #[error("graph `{graph}`: task {task} needs {needs} slots, the workers have {has}; give `--cluster` more")]
    TooWide { graph: String, task: usize, needs: f64, has: u32 },
}

/// Compares policies on graphs and prints a line for each. What cannot be read is told, and the rest goes on.
pub(crate) fn compare(
    sources: &[Source],
    cluster: &Cluster,
    estimates: Estimates,
    seeds: Range<u64>,
    is_summed_up: bool,
) -> ExitCode {
    let mut has_failed = false;
    let mut summary = Summary::default();
    for works in sources.iter().flat_map(|source| read_source(source, &seeds)) {
        match works.and_then(|works| line(works, cluster, estimates, seeds.start)) {
            Ok(None) => {}
            Ok(Some(line)) if is_summed_up => summary.add(&line),
            Ok(Some(line)) => println!("{line}"),
            Err(error) => {
                eprintln!("{error}");
                has_failed = true;
            }
        }
    }
    if is_summed_up {
        print!("{summary}");
    }
    if has_failed { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

type Graphs = Vec<Result<Vec<Work>, GraphsError>>;

/// The graphs of a source, each in its variants.
fn read_source(source: &Source, seeds: &Range<u64>) -> Graphs {
    match source {
        Source::Generate(name) => {
            let names: Vec<&str> = if name == "all" { NAMES.to_vec() } else { vec![name.as_str()] };
            let variants = |name: &str| seeds.clone().map(|seed| generate(name, seed)).collect::<Option<Vec<Work>>>();
            let graphs = names.iter().map(|name| variants(name).ok_or_else(|| GraphsError::UnknownShape((*name).to_owned())));
            graphs.collect()
        }
        Source::Estee(path) => from_files(path, |name, bytes| read::estee(name, bytes)),
        Source::WfFormat(path) => from_files(path, |name, bytes| vec![read::wfformat(name, bytes)]),
        Source::Graph(path, defaults) => from_file(path, |name, bytes| vec![read::graph_file(name, bytes.into(), *defaults)]),
    }
}

fn from_file(path: &Path, read: impl FnOnce(&str, Vec<u8>) -> Vec<Result<Work, ReadError>>) -> Graphs {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(source) => return vec![Err(GraphsError::Unreadable { path: path.to_path_buf(), source })],
    };
    let name = path.file_stem().map_or_else(|| "graph".into(), |stem| stem.to_string_lossy());
    told(&path.display().to_string(), read(&name, bytes))
}

/// The graphs of a file, or of the files of an archive.
fn from_files(path: &Path, read: impl Fn(&str, &[u8]) -> Vec<Result<Work, ReadError>>) -> Graphs {
    let mut graphs = Vec::new();
    let whole = from_file(path, |name, bytes| {
        if !read::is_archive(&bytes) {
            return if bytes.starts_with(b"\x80") { vec![Err(read::pickled())] } else { read(name, &bytes) };
        }
        let entries = match read::entries(&bytes) {
            Ok(entries) => entries,
            Err(error) => return vec![Err(error)],
        };
        for entry in entries {
            let file = format!("{}/{}", path.display(), entry.name);
            let name = entry.name.rsplit('/').next().unwrap_or_default();
            let name = name.split('.').next().unwrap_or_default();
            let works = entry.bytes.map_or_else(|error| vec![Err(error)], |bytes| read(name, &bytes));
            graphs.extend(told(&file, works));
        }
        Vec::new()
    });
    graphs.extend(whole);
    graphs
}

fn told(file: &str, works: Vec<Result<Work, ReadError>>) -> Graphs {
    let bad = |source| GraphsError::Bad { file: file.to_owned(), source };
    works.into_iter().map(|work| work.map(|work| vec![work]).map_err(bad)).collect()
}

/// Nanoseconds since the first call.
fn nanos() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// One line for variants of a graph: medians over them.
fn line(works: Vec<Work>, cluster: &Cluster, estimates: Estimates, first: u64) -> Result<Option<Value>, GraphsError> {
    let works: Vec<Arc<Work>> = works.into_iter().map(Arc::new).collect();
    let Some(one) = works.first() else { return Ok(None) };
    let slots_milli = u64::from(cluster.slots) * 1_000;
    for work in &works {
        let too_wide = work.tasks.iter().enumerate().find(|(_, task)| task.settings.slots_milli > slots_milli);
        if let Some((task, asks)) = too_wide {
            let needs = asks.settings.slots_milli as f64 / 1_000.0;
            return Err(GraphsError::TooWide { graph: work.name.clone(), task, needs, has: cluster.slots });
        }
    }
    let seeded = || (first..).zip(&works);
    let mut policies = Map::new();
    let ours: Vec<Measured> = seeded().map(|(seed, work)| compare::ours(work, cluster, estimates, seed, Some(nanos))).collect();
    policies.insert("ours".to_owned(), values(&ours, one.tasks.len()));
    for policy in Policy::ALL {
        let runs: Vec<Measured> =
            seeded().map(|(seed, work)| compare::reference(work, cluster, estimates, policy, seed)).collect();
        policies.insert(policy.as_str().to_owned(), values(&runs, one.tasks.len()));
    }
    let slots = f64::from(cluster.workers * cluster.slots);
    let bounds = json!({
        "critical_path": median(works.iter().map(|work| work.critical_path().as_secs_f64())),
        "work_over_slots": median(works.iter().map(|work| work.slot_micros() / 1e6 / slots)),
    });
    let line = json!({
        "graph": one.name,
        "tasks": one.tasks.len(),
        "cluster": format!("{}x{}", cluster.workers, cluster.slots),
        "netmodel": match cluster.model { NetModel::Simple => "simple", NetModel::MaxMin => "maxmin" },
        "bandwidth": cluster.bandwidth,
        "load": cluster.load.as_secs_f64(),
        "estimates": match estimates { Estimates::Exact => "exact", Estimates::Mean => "mean" },
        "seeds": works.len(),
        "lower_bounds": bounds,
        "policies": policies,
    });
    Ok(Some(line))
}

fn values(runs: &[Measured], tasks: usize) -> Value {
    let of = |field: fn(&Measured) -> f64| median(runs.iter().map(field));
    let mut values = json!({
        "makespan": of(|run| run.makespan.as_secs_f64()),
        "bytes_moved": of(|run| run.counts.bytes_moved as f64) as u64,
        "peak_live_bytes": of(|run| run.counts.peak_live_bytes as f64) as u64,
        "peak_live_bytes_worker": of(|run| run.counts.peak_live_bytes_worker as f64) as u64,
        "busy": of(|run| run.counts.busy.as_secs_f64()),
        "messages": of(|run| run.counts.messages as f64) as u64,
    });
    let core = of(|run| run.core_nanos as f64);
    if core > 0.0 {
        values["core_us_per_task"] = json!((core / tasks.max(1) as f64).round() / 1e3);
    }
    values
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}
