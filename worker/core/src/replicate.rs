//! Copies that the scheduler asks for: fetched like inputs, for nobody here.

use crate::WorkerCore;
use crate::action::Actions;
use crate::result::Arrival;
use wasm_tasks_protocol::GraphId;
use wasm_tasks_protocol::message::{Input, Priority};

impl WorkerCore {
    pub(crate) fn fetch_replicas(&mut self, graph: GraphId, results: Vec<Input>, out: &mut Actions) {
        let Some(key) = self.graph_keys.get(&graph).copied().filter(|_| !self.is_leaving) else {
            out.replicas_missing(graph, results.iter().map(|input| input.task));
            return;
        };
        for input in results {
            let result = self.result_of(key, input.task);
            let entry = &mut self.results[result];
            if entry.arrival == Arrival::Held {
                entry.is_wanted = true;
                out.replica_added(graph, input.task);
                continue;
            }
            entry.is_ordered = true;
            // Whoever waits for such a copy is about to leave: it goes before the inputs of tasks.
            self.add_source(result, input.source, input.size, Priority::default(), out);
            // What an attempt here was to make may have no maker any more.
            self.producer_gone(result, out);
        }
    }
}
