//! Runs of random faults, and what is printed of them.
#![allow(clippy::print_stdout, reason = "a command prints its results")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use wasm_tasks_sim::coverage::{Coverage, IMPOSSIBLE};
use wasm_tasks_sim::scenario;

/// From so many seeds on a run must have met everything.
const COVERED_FROM: u64 = 10_000;
/// How often each step is met with each kind of fault at least.
const MET_MIN: u64 = 100;
/// Events that are followed by a check, at least.
const CHECKED_MIN: u64 = 5_000_000;
/// Failures that are printed in full.
const SHOWN_MAX: usize = 8;

pub(crate) fn one(seed: u64, is_traced: bool) -> ExitCode {
    match scenario::run(seed, is_traced) {
        Ok(passed) => {
            passed.trace.iter().for_each(|line| println!("{line}"));
            println!("seed {seed} is fine\n{}", passed.coverage);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            failure.trace.iter().for_each(|line| println!("{line}"));
            println!("seed {seed}: {}", failure.violation);
            ExitCode::FAILURE
        }
    }
}

/// Runs seeds; `stop` ends at the first that fails.
pub(crate) fn many(first: u64, count: u64, stop: bool) -> ExitCode {
    let mut coverage = Coverage::default();
    let mut kinds: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    // A panic of a core is caught and told with its seed: its own words would drown the rest.
    std::panic::set_hook(Box::new(|_| {}));
    for seed in first..first + count {
        match scenario::run(seed, false) {
            Ok(passed) => coverage.add(&passed.coverage),
            Err(failure) => {
                let text = failure.violation.to_string();
                let kind: String = text.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
                if !kinds.contains_key(&kind) && kinds.len() < SHOWN_MAX {
                    println!("seed {seed}: {text}\n  replay: cargo xtask sim --seed {seed} --trace");
                }
                kinds.entry(kind).or_default().push(seed);
                if stop {
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    let _ = std::panic::take_hook();
    print!("{coverage}");
    let failed: usize = kinds.values().map(Vec::len).sum();
    println!("{count} seeds from {first}, {failed} failed");
    for (kind, seeds) in &kinds {
        println!("  {:>5} times: {kind} (first seeds {:?})", seeds.len(), &seeds[..seeds.len().min(5)]);
    }
    let is_covered = count < COVERED_FROM || is_covered(&coverage);
    if failed == 0 && is_covered { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether enough was met; what was not is printed.
fn is_covered(coverage: &Coverage) -> bool {
    for (step, kind, why) in IMPOSSIBLE {
        println!("cannot be met: {step} with {kind:?}: {why}");
    }
    let missing = coverage.missing(MET_MIN);
    for (step, kind, count) in &missing {
        println!("met {count} times only: {step} with {kind:?}");
    }
    let checked = coverage.checked + coverage.worker_events;
    if checked < CHECKED_MIN {
        println!("{checked} checked events are too few: {CHECKED_MIN} are demanded");
    }
    if coverage.gangs < MET_MIN {
        println!("gangs started {} times only: {MET_MIN} are demanded", coverage.gangs);
    }
    if missing.is_empty() {
        println!("every step was met with every kind of fault {MET_MIN} times or more");
    }
    missing.is_empty() && checked >= CHECKED_MIN && coverage.gangs >= MET_MIN
}
