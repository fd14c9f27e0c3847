//! Random runs with faults hold what is promised.

use wasm_tasks_sim::coverage::Coverage;
use wasm_tasks_sim::scenario;

/// Seeds that the test command runs; `cargo xtask sim --seeds N` runs more.
const SEEDS: u64 = 1_000;

#[test]
fn seeds_converge_with_the_right_results() {
    let mut coverage = Coverage::default();
    for seed in 0..SEEDS {
        match scenario::run(seed, false) {
            Ok(counts) => coverage.add(&counts),
            Err(failure) => panic!("{}\nreplay: cargo xtask sim --seed {seed} --trace", failure.violation),
        }
    }
    assert_eq!(coverage.events, coverage.checked, "every event is followed by a check");
    assert!(coverage.events > 50 * SEEDS, "{} events are too few to tell anything", coverage.events);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let events = |seed| scenario::run(seed, true).map(|coverage| (coverage.events, coverage.worker_events, coverage.rows()));
        assert_eq!(events(seed).ok(), events(seed).ok());
    }
}
