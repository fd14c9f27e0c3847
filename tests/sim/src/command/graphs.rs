//! Graphs under several policies, and the JSON that is printed of them.
#![allow(clippy::print_stdout, reason = "a command prints its results")]

use serde_json::{Map, Value, json};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use wasm_tasks_sim::compare::{self, Cluster, Measured};
use wasm_tasks_sim::generate::{NAMES, generate};
use wasm_tasks_sim::network::NetModel;
use wasm_tasks_sim::read::{self, ReadError};
use wasm_tasks_sim::reference::{Estimates, Policy};
use wasm_tasks_sim::work::Work;

/// Where graphs come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Generate(String),
    Estee(PathBuf),
    WfFormat(PathBuf),
}

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GraphsError {
    #[error("`{0}` is not a shape; there are: all, {names}", names = NAMES.join(", "))]
    UnknownShape(String),
    #[error("`{path}` cannot be read: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("`{path}`: {source}")]
    Bad { path: PathBuf, source: ReadError },
    #[error("graph {graph}: a task needs {needs} slots, the workers have {has}; give `--cluster` more")]
    TooLarge { graph: String, needs: u64, has: u32 },
}

pub(crate) fn compare(source: &Source, cluster: &Cluster, estimates: Estimates, seeds: Range<u64>) -> Result<(), GraphsError> {
    match source {
        Source::Generate(name) => {
            let names: Vec<&str> = if name == "all" { NAMES.to_vec() } else { vec![name.as_str()] };
            for name in names {
                let make = |seed| generate(name, seed).ok_or_else(|| GraphsError::UnknownShape(name.to_owned()));
                let works = seeds.clone().map(make).collect::<Result<Vec<_>, _>>()?;
                print(works, cluster, estimates, seeds.start)?;
            }
        }
        Source::Estee(path) => {
            let bad = |source| GraphsError::Bad { path: path.clone(), source };
            for work in read::estee(&text(path)?).map_err(bad)? {
                print(vec![work], cluster, estimates, seeds.start)?;
            }
        }
        Source::WfFormat(path) => {
            let bad = |source| GraphsError::Bad { path: path.clone(), source };
            print(vec![read::wfformat(&text(path)?).map_err(bad)?], cluster, estimates, seeds.start)?;
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<Vec<u8>, GraphsError> {
    std::fs::read(path).map_err(|source| GraphsError::Unreadable { path: path.to_path_buf(), source })
}

/// Nanoseconds since the first call.
fn nanos() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Prints one line for variants of a graph: medians over them.
fn print(works: Vec<Work>, cluster: &Cluster, estimates: Estimates, first: u64) -> Result<(), GraphsError> {
    let works: Vec<Arc<Work>> = works.into_iter().map(Arc::new).collect();
    let Some(one) = works.first() else { return Ok(()) };
    let widest = works.iter().flat_map(|work| &work.tasks).map(|task| task.settings.slots_milli).max().unwrap_or(0);
    if widest > u64::from(cluster.slots) * 1_000 {
        return Err(GraphsError::TooLarge { graph: one.name.clone(), needs: widest.div_ceil(1_000), has: cluster.slots });
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
        "estimates": match estimates { Estimates::Exact => "exact", Estimates::Mean => "mean" },
        "seeds": works.len(),
        "lower_bounds": bounds,
        "policies": policies,
    });
    println!("{line}");
    Ok(())
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
