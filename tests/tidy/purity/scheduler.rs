//! The scheduler's core, with everything that its shell calls.

use wasm_tasks_protocol::Time;
use wasm_tasks_scheduler_core::{Actions, Event, Explanation, SchedulerCore, Settings, TaskId};

/// Makes a core.
#[unsafe(no_mangle)]
pub extern "C" fn new(settings: &Settings, out: &mut Option<SchedulerCore>) {
    *out = Some(SchedulerCore::new(settings));
}

/// Hands it any event.
#[unsafe(no_mangle)]
pub extern "C" fn handle(core: &mut SchedulerCore, now: u64, event: &Event, out: &mut Actions) {
    core.handle(Time(now), event.clone(), out);
    core.check_invariants();
}

/// Asks it why, and what time it waits for.
#[unsafe(no_mangle)]
pub extern "C" fn explain(core: &SchedulerCore, task: &TaskId, out: &mut Option<Explanation>) -> u64 {
    *out = core.explain(*task);
    core.next_timeout().map_or(0, |(at, _)| at.0)
}
