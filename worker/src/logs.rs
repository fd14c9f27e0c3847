//! What tasks wrote to their standard output and error, within a bound over all of them: the oldest goes first.

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use wasm_tasks_protocol::TaskIndex;
use wasm_tasks_protocol::msgpack::Writer;
use wasm_tasks_worker_core::GraphKey;

/// What one attempt wrote.
#[derive(Debug)]
pub(crate) struct TaskLogs {
    pub(crate) graph: GraphKey,
    pub(crate) task: TaskIndex,
    pub(crate) stdout: Bytes,
    pub(crate) stderr: Bytes,
}

impl TaskLogs {
    fn len(&self) -> usize {
        self.stdout.len() + self.stderr.len()
    }
}

/// Logs of a worker.
#[derive(Debug)]
pub(crate) struct Logs {
    by_task: BTreeMap<(GraphKey, TaskIndex), (u64, TaskLogs)>,
    /// In the order in which they came; those that were replaced meanwhile are skipped.
    order: VecDeque<(u64, GraphKey, TaskIndex)>,
    next: u64,
    bytes: usize,
    bytes_max: usize,
    /// How many tasks' logs of a graph were dropped.
    dropped: BTreeMap<GraphKey, u64>,
}

impl Logs {
    pub(crate) const fn new(bytes_max: usize) -> Logs {
        Logs { by_task: BTreeMap::new(), order: VecDeque::new(), next: 0, bytes: 0, bytes_max, dropped: BTreeMap::new() }
    }

    /// Keeps what the latest attempt of a task wrote.
    pub(crate) fn add(&mut self, logs: TaskLogs) {
        let key = (logs.graph, logs.task);
        self.next += 1;
        self.bytes += logs.len();
        self.order.push_back((self.next, key.0, key.1));
        if let Some((_, old)) = self.by_task.insert(key, (self.next, logs)) {
            self.bytes -= old.len();
        }
        while self.bytes > self.bytes_max {
            let Some((number, graph, task)) = self.order.pop_front() else { break };
            if self.by_task.get(&(graph, task)).is_some_and(|(at, _)| *at == number)
                && let Some((_, old)) = self.by_task.remove(&(graph, task))
            {
                self.bytes -= old.len();
                *self.dropped.entry(graph).or_default() += 1;
            }
        }
    }

    /// The answer to a request for a task's logs: an array of two bins. None: it wrote nothing that is known.
    pub(crate) fn body(&self, graph: GraphKey, task: TaskIndex) -> Option<Bytes> {
        let note;
        let (stdout, stderr): (&[u8], &[u8]) = match self.by_task.get(&(graph, task)) {
            Some((_, logs)) => (&logs.stdout, &logs.stderr),
            None => {
                let dropped = self.dropped.get(&graph)?;
                note = format!(
                    "[if this task wrote something, it is lost: the worker keeps the last {} bytes of output, and dropped that of {dropped} tasks]\n",
                    self.bytes_max
                );
                (&[], note.as_bytes())
            }
        };
        let mut out = Writer::new();
        out.array(2);
        out.bin(stdout);
        out.bin(stderr);
        Some(out.into_bytes().into())
    }

    pub(crate) fn forget(&mut self, graph: GraphKey) {
        let bytes = &mut self.bytes;
        self.by_task.retain(|(of, _), (_, logs)| {
            let keep = *of != graph;
            *bytes -= if keep { 0 } else { logs.len() };
            keep
        });
        self.order.retain(|(_, of, _)| *of != graph);
        self.dropped.remove(&graph);
    }
}
