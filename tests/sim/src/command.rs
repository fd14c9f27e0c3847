//! What the command's words mean.

mod graphs;
mod mutants;
mod seeds;
mod summary;

use clap::{Parser, ValueEnum};
use graphs::Source;
use std::path::PathBuf;
use std::process::ExitCode;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_sim::compare::Cluster;
use wasm_tasks_sim::network::NetModel;
use wasm_tasks_sim::read::Defaults;
use wasm_tasks_sim::reference::Estimates;

/// Simulates the real scheduler core and the real worker cores over virtual time.
///
/// Without a graph it runs seeds: random graphs on random clusters with random faults, then a phase without faults in which
/// everything must end well. A seed that breaks something is printed with the command that replays it. With a graph it
/// runs it under our scheduler and under reference policies and prints one line of JSON.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim", about, long_about)]
pub(crate) struct Command {
    /// How many seeds to run; with a graph: how many variants of it, of which medians are printed
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Run this seed only
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// The first of the seeds
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// With --seed: print what happened
    #[arg(long, requires = "seed")]
    trace: bool,
    /// End at the first seed that fails
    #[arg(long)]
    stop: bool,
    /// Build mutants of the cores, all or those whose names contain one of these, and look that seeds kill each
    #[arg(long, value_name = "NAME", num_args = 0..)]
    mutants: Option<Vec<String>>,
    /// Compare policies on a generated graph: a name, or `all`
    #[arg(long, value_name = "NAME")]
    generate: Option<String>,
    /// Compare policies on graphs in Estee's JSON, or in a zip archive of it; may be given several times
    #[arg(long, value_name = "FILE")]
    estee: Vec<PathBuf>,
    /// Compare policies on instances of WfFormat 1.5, or on a zip archive of them; may be given several times
    #[arg(long, value_name = "FILE")]
    wfformat: Vec<PathBuf>,
    /// Compare policies on graph files of wasm-tasks, for which --duration and --size say what they do not
    #[arg(long, value_name = "FILE")]
    graph: Vec<PathBuf>,
    /// How long tasks of a graph file run of which nothing is said
    #[arg(long, default_value = "10ms", value_parser = duration)]
    duration: Duration,
    /// How much tasks of a graph file make of which nothing is said
    #[arg(long, value_name = "BYTES", default_value = "1KiB", value_parser = size)]
    size: u64,
    /// Workers and their slots
    #[arg(long, value_name = "WORKERSxSLOTS", default_value = "8x4", value_parser = cluster)]
    cluster: (u32, u32),
    /// Workers among them that are slower, and how fast they are beside the others
    #[arg(long, value_name = "WORKERSxSPEED", default_value = "0x1", value_parser = slow)]
    slow: (u32, f64),
    /// How transfers share the network
    #[arg(long, value_enum, default_value = "maxmin")]
    netmodel: Model,
    /// Bandwidth of each worker, a second and each way
    #[arg(long, value_name = "BYTES", default_value = "128MiB", value_parser = bandwidth)]
    bandwidth: u64,
    /// How long a worker takes to load a component; each function of a graph has one of its own
    #[arg(long, value_name = "DURATION", default_value = "1ms", value_parser = duration)]
    load: Duration,
    /// Instead of JSON, print our makespan over that of the best other policy for each graph, and their geometric mean
    #[arg(long)]
    summary: bool,
    /// What policies know of durations and sizes
    #[arg(long, value_enum, default_value = "exact")]
    estimates: Known,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Model {
    Simple,
    Maxmin,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Known {
    Exact,
    Mean,
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        if let Some(names) = &self.mutants {
            return mutants::run(names, self.seeds.unwrap_or(10_000));
        }
        let mut sources: Vec<Source> = self.generate.iter().cloned().map(Source::Generate).collect();
        sources.extend(self.estee.iter().cloned().map(Source::Estee));
        sources.extend(self.wfformat.iter().cloned().map(Source::WfFormat));
        let defaults = Defaults { duration: self.duration, bytes: self.size };
        sources.extend(self.graph.iter().cloned().map(|path| Source::Graph(path, defaults)));
        match (sources.is_empty(), self.seed) {
            (true, Some(seed)) => seeds::one(seed, self.trace),
            (true, None) => seeds::many(self.first, self.seeds.unwrap_or(1_000), self.stop),
            (false, seed) => {
                let (workers, slots) = self.cluster;
                let model = match self.netmodel {
                    Model::Simple => NetModel::Simple,
                    Model::Maxmin => NetModel::MaxMin,
                };
                let cluster = Cluster { workers, slots, model, bandwidth: self.bandwidth, slow: self.slow, load: self.load };
                let estimates = match self.estimates {
                    Known::Exact => Estimates::Exact,
                    Known::Mean => Estimates::Mean,
                };
                let first = seed.unwrap_or(self.first);
                let count = if seed.is_some() { 1 } else { self.seeds.unwrap_or(1) };
                graphs::compare(&sources, &cluster, estimates, first..first + count.max(1), self.summary)
            }
        }
    }
}

/// `8x4`.
fn cluster(text: &str) -> Result<(u32, u32), String> {
    let numbers = text.split_once('x').and_then(|(workers, slots)| Some((workers.parse().ok()?, slots.parse().ok()?)));
    numbers
        .filter(|(workers, slots)| (1..=100_000).contains(workers) && (1..=1_000).contains(slots))
        .ok_or_else(|| "say it as `8x4`: workers, slots of each".to_owned())
}

/// `4x0.25`.
fn slow(text: &str) -> Result<(u32, f64), String> {
    let numbers = text.split_once('x').and_then(|(workers, speed)| Some((workers.parse().ok()?, speed.parse().ok()?)));
    numbers
        .filter(|(_, speed)| (0.001..=1_000.0).contains(speed))
        .ok_or_else(|| "say it as `4x0.25`: workers, their speed".to_owned())
}

/// `128MiB`, `1GiB`, `125000000`; a whole number above 0.
fn bandwidth(text: &str) -> Result<u64, String> {
    Some(size(text)?).filter(|bytes| *bytes > 0).ok_or_else(|| "a bandwidth is above 0".to_owned())
}

/// `1KiB`, `0`.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = number_and_unit(text)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1u64 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        unit => return Err(format!("`{unit}` is not one of B, KiB, MiB, GiB")),
    };
    number.checked_mul(bytes).filter(|bytes| *bytes <= 1 << 50).ok_or_else(|| "at most 2^50 bytes".to_owned())
}

/// `10ms`, `2s`, `500us`.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = number_and_unit(text)?;
    let micros = match unit {
        "us" => 1,
        "ms" => 1_000u64,
        "s" => 1_000_000,
        "" => return Err("say a unit: us, ms or s".to_owned()),
        unit => return Err(format!("`{unit}` is not one of us, ms, s")),
    };
    let micros = number.checked_mul(micros).filter(|micros| *micros <= 1_000_000_000_000_000);
    micros.map(Duration).ok_or_else(|| "at most 1,000,000,000 seconds".to_owned())
}

fn number_and_unit(text: &str) -> Result<(u64, &str), String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number = digits.parse().map_err(|_| format!("`{digits}` is not a whole number"))?;
    Ok((number, &text[digits.len()..]))
}
