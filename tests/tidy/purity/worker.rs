//! The worker's core, with everything that its shell calls.

use wasm_tasks_protocol::{Attempt, Time};
use wasm_tasks_worker_core::{Actions, CoreSettings, Event, Explanation, WorkerCore};

/// Makes a core.
#[unsafe(no_mangle)]
pub extern "C" fn new(settings: &CoreSettings, out: &mut Option<WorkerCore>) {
    *out = Some(WorkerCore::new(settings.clone()));
}

/// Hands it any event.
#[unsafe(no_mangle)]
pub extern "C" fn handle(core: &mut WorkerCore, now: u64, event: &Event, out: &mut Actions) {
    core.handle(Time(now), event.clone(), out);
    core.check_invariants();
}

/// Asks it why, and what time it waits for.
#[unsafe(no_mangle)]
pub extern "C" fn explain(core: &WorkerCore, attempt: &Attempt, out: &mut Option<Explanation>) -> u64 {
    *out = core.explain(*attempt);
    core.next_timeout().map_or(0, |(at, _)| at.0)
}
