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
            Ok(passed) => coverage.add(&passed.coverage),
            Err(failure) => panic!("{}\nreplay: cargo xtask sim --seed {seed} --trace", failure.violation),
        }
    }
    assert_eq!(coverage.events, coverage.checked, "every event is followed by a check");
    assert!(coverage.events > 50 * SEEDS, "{} events are too few to tell anything", coverage.events);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let trace = |seed| scenario::run(seed, true).map(|passed| passed.trace).ok();
        let first = trace(seed);
        assert!(first.as_ref().is_some_and(|lines| !lines.is_empty()), "seed {seed} fails or does nothing");
        assert_eq!(first, trace(seed));
    }
}
