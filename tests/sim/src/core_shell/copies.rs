//! Clients that want copies of results. Owns which they ask for; the core decides where these go.

use super::CoreShell;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_scheduler_core::Event;

impl CoreShell {
    /// Wants copies of some results, as a client may.
    pub fn want_copies(&mut self, now: Time, graph: GraphId, pick: u64) {
        let submitted = self.submitted(graph) as u64;
        if submitted > 0 {
            let tasks = (0..8).map(|step| TaskIndex((pick.rotate_left(8 * step) % submitted) as u32)).collect();
            let copies = [1, 2, 3, u32::MAX][(pick % 4) as usize];
            self.event(now, Event::ReplicasWanted { graph, tasks, copies });
        }
    }
}
