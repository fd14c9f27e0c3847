//! One attempt as a lane's thread runs it, and what becomes of it.

use crate::graphs::{FunctionEntry, GraphDefinition};
use crate::logs::TaskLogs;
use crate::runner::{Call, CallOutcome, Inputs, Runner};
use crate::store::Value;
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::limits::INLINE_BYTES_MAX;
use wasm_tasks_protocol::message::{AttemptDelegated, AttemptFailed, AttemptFinished};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{Attempt, ContentDigest, ErrorCode, TaskError, TaskIndex};
use wasm_tasks_worker_core::{AttemptId, Ended, GraphKey, Outcome};

/// An attempt with all that it needs.
pub(crate) struct Job<R: Runner> {
    pub(crate) id: AttemptId,
    pub(crate) attempt: Attempt,
    pub(crate) key: GraphKey,
    pub(crate) graph: Arc<GraphDefinition<R>>,
    pub(crate) task: TaskIndex,
    pub(crate) function: u32,
    pub(crate) settings: u32,
    pub(crate) module: Arc<R::Module>,
    pub(crate) args: Bytes,
    /// Sorted by task.
    pub(crate) inputs: Vec<(TaskIndex, Value)>,
    /// Inputs, by position, that attempts before it in the lane make; the lane fills them in.
    pub(crate) follows: Vec<(usize, AttemptId)>,
}

/// What became of a job.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) ended: Ended,
    pub(crate) logs: Option<Box<TaskLogs>>,
}

impl Completion {
    /// The result, when there is one.
    pub(crate) fn value(&self) -> Option<&Bytes> {
        match &self.ended.outcome {
            Outcome::Finished { value, .. } => Some(value),
            Outcome::Delegated(_) | Outcome::Failed(_) | Outcome::NotRun => None,
        }
    }
}

impl<R: Runner> Job<R> {
    /// Runs it on this thread. A panic on the way is the worker's fault and fails this attempt alone.
    pub(crate) fn run(mut self, runner: &R, cancel: &R::Cancel) -> Completion {
        let inputs = std::mem::take(&mut self.inputs);
        let called = catch_unwind(AssertUnwindSafe(|| self.call(runner, inputs, cancel)));
        let outcome = called.unwrap_or_else(|panic| {
            let what =
                panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
            let what = what.unwrap_or_else(|| "no message".to_owned());
            Err(TaskError::new(ErrorCode::WorkerFault, format!("the worker failed while it ran the task: {what}")))
        });
        match outcome {
            Ok(outcome) => self.completion(outcome),
            Err(error) => self.failed(error, Duration::ZERO, None),
        }
    }

    fn settings(&self) -> &Settings {
        self.graph.settings.get(self.settings as usize).expect("the core launches what is defined")
    }

    fn call(&self, runner: &R, inputs: Vec<(TaskIndex, Value)>, cancel: &R::Cancel) -> Result<CallOutcome, TaskError> {
        let settings = self.settings();
        let function: &FunctionEntry<R> =
            self.graph.functions.get(self.function as usize).expect("the core launches what is defined");
        let bound = function.bind(runner, &self.module, settings.fuel.is_some())?;
        let inputs = Inputs::gather(inputs, Arc::clone(&self.graph.data))?;
        Ok(runner.run(bound, &Call { bound: &function.spec.bind, args: &self.args, inputs: &inputs, settings }, cancel))
    }

    fn completion(&self, outcome: CallOutcome) -> Completion {
        let CallOutcome { result, is_delegation, stdout, stderr, memory_peak_bytes, fuel_used, wall } = outcome;
        let has_logs = !stdout.is_empty() || !stderr.is_empty();
        let logs = has_logs
            .then(|| Box::new(TaskLogs { graph: self.key, task: self.task, stdout: stdout.into(), stderr: stderr.into() }));
        let run = Duration::from(wall);
        let result = match result {
            Ok(tasks) if is_delegation => {
                let (attempt, tasks) = (self.attempt, tasks.into());
                let report = AttemptDelegated { attempt, run, memory_peak_bytes, fuel_used, has_logs, tasks };
                return Completion { ended: Ended { id: self.id, outcome: Outcome::Delegated(Box::new(report)) }, logs };
            }
            result => result,
        };
        let result = result.and_then(|value| {
            let limit = self.settings().result_bytes_max;
            if value.len() as u64 <= limit {
                return Ok(value);
            }
            let message = format!("the result has {} bytes; `result-bytes-max` is {limit}", value.len());
            Err(TaskError { memory_peak_bytes, fuel_used, ..TaskError::new(ErrorCode::ResultTooLarge, message) })
        });
        let value = match result {
            Ok(value) => kept(value),
            Err(error) => return self.failed(error, run, logs),
        };
        let report = AttemptFinished {
            attempt: self.attempt,
            size: value.len() as u64,
            digest: ContentDigest::of(&value),
            run,
            memory_peak_bytes,
            fuel_used,
            has_logs,
            inline: (value.len() <= INLINE_BYTES_MAX).then(|| value.clone()),
        };
        Completion { ended: Ended { id: self.id, outcome: Outcome::Finished { report: Box::new(report), value } }, logs }
    }

    fn failed(&self, error: TaskError, run: Duration, logs: Option<Box<TaskLogs>>) -> Completion {
        let report = AttemptFailed { attempt: self.attempt, run, has_logs: logs.is_some(), error };
        Completion { ended: Ended { id: self.id, outcome: Outcome::Failed(Box::new(report)) }, logs }
    }
}

/// A result that is kept should not keep the room it grew in.
fn kept(mut value: Vec<u8>) -> Bytes {
    if value.capacity() - value.len() > value.len() / 4 + 64 {
        value.shrink_to_fit();
    }
    value.into()
}
