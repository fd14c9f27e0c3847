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

/// Runs of a thousand moments and more, with faults of all kinds: each output that a client was told to be there is there at
/// the end, with the right value, or the run fails.
#[test]
fn long_runs_lose_nothing_that_was_promised_and_return_nothing_wrong() {
    const STEPS_MIN: u64 = 1_000;
    let (mut runs, mut promised) = (0, 0);
    for seed in (1 << 32)..(1 << 32) + 300 {
        match scenario::run(seed, false) {
            Ok(passed) if passed.steps >= STEPS_MIN => {
                runs += 1;
                promised += passed.promised;
            }
            Ok(_) => {}
            Err(failure) => panic!("{}\nreplay: cargo xtask sim --seed {seed} --trace", failure.violation),
        }
    }
    println!("{runs} runs, {promised} outputs");
    assert!(runs >= 50 && promised >= 20 * runs, "{runs} runs with {promised} outputs are too few to tell anything");
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
