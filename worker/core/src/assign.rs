//! Assignments come in; so do new sources for inputs that could not be fetched.

use crate::action::{Actions, InputValue, LaunchInput};
use crate::attempt::{Assigned, AttemptRecord, State};
use crate::graph::GraphKey;
use crate::result::Arrival;
use crate::{AttemptId, WorkerCore};
use wasm_tasks_protocol::message::{Assignment, AttemptFailed, FromWorker, Input, InputSource};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{Attempt, ErrorCode, GraphId, TaskError};

impl WorkerCore {
    pub(crate) fn assign(&mut self, graph: GraphId, tasks: Vec<Assignment>, out: &mut Actions) {
        if self.is_leaving {
            let numbers: Vec<_> = tasks.iter().map(|task| task.attempt).collect();
            out.send.push(FromWorker::Retracted { asked: numbers.clone(), returned: numbers });
            return;
        }
        let key = self.graph_keys.get(&graph).copied();
        for task in tasks {
            let number = task.attempt;
            if self.numbers.contains_key(&number) {
                self.stale += 1;
                continue;
            }
            let accepted = match key {
                Some(key) => self.accept(key, task, out),
                None => Err(fault(format!("graph {graph} was not defined before its tasks were assigned"))),
            };
            if let Err(error) = accepted {
                out.send.push(failed(number, error));
            }
        }
    }

    /// Takes one assignment.
    ///
    /// # Errors
    /// Why it can never run here; nothing is kept then.
    fn accept(&mut self, graph: GraphKey, task: Assignment, out: &mut Actions) -> Result<(), TaskError> {
        let entry = self.graphs[graph].settings.get(task.settings as usize);
        let entry = entry.ok_or_else(|| fault(format!("settings {} are not defined", task.settings)))?;
        let is_metered = entry.is_metered;
        let shape = match &entry.shape {
            Ok(shape) => *shape,
            Err(lacking) => return Err(TaskError::new(ErrorCode::Unrunnable, format!("the task needs {lacking}"))),
        };
        let component = self.component_of(graph, task.function, is_metered, out);
        let component = component.ok_or_else(|| fault(format!("function {} is not defined", task.function)))?;

        let output = self.result_of(graph, task.task);
        self.results[output].producers += 1;
        let assigned = Assigned {
            number: task.attempt,
            graph,
            task: task.task,
            function: task.function,
            settings: task.settings,
            shape,
            component,
            priority: task.priority,
            args: task.args,
            output,
        };
        let mut inputs = Vec::with_capacity(task.inputs.len());
        let mut sources = Vec::new();
        for input in task.inputs {
            let value = match input.source {
                InputSource::Inline(value) => InputValue::Inline(value),
                source @ (InputSource::At(_) | InputSource::Pending(_) | InputSource::Later) => {
                    let result = self.result_of(graph, input.task);
                    self.results[result].users += 1;
                    sources.push((result, source, input.size));
                    InputValue::Stored(result)
                }
            };
            inputs.push(LaunchInput { task: input.task, value });
        }
        inputs.sort_unstable_by_key(|input| input.task);
        let id = self.attempts.insert(AttemptRecord::new(assigned, inputs));
        self.numbers.insert(task.attempt, id);
        self.results[output].maker = Some(id);

        let mut missing = 0;
        for (result, source, size) in sources {
            self.add_source(result, source, size, task.priority, out);
            let entry = &mut self.results[result];
            if entry.arrival != Arrival::Held {
                entry.waiters.push(id);
                missing += 1;
            }
        }
        self.begin_waiting(id, missing, out);
        Ok(())
    }

    /// Everything about the attempt is in place: it waits for what is not here.
    fn begin_waiting(&mut self, id: AttemptId, mut missing: u32, out: &mut Actions) {
        let record = &self.attempts[id];
        let (component, graph, function, args) = (record.component, record.graph, record.function, record.args.clone());
        match self.await_component(component, id) {
            Ok(must_wait) => missing += u32::from(must_wait),
            Err(error) => {
                self.fail_unrun(id, error, out);
                return;
            }
        }
        missing += self.await_data(graph, function, &args, id, out);
        if missing == 0 {
            self.make_ready(id);
        } else {
            self.attempts[id].enter(State::Waiting { missing }, &mut self.steps);
        }
    }

    pub(crate) fn make_ready(&mut self, id: AttemptId) {
        let record = &mut self.attempts[id];
        record.enter(State::Ready, &mut self.steps);
        self.ready.push(record.shape, record.priority, id);
    }

    /// One thing that these attempts wait for is here.
    pub(crate) fn arrived(&mut self, waiters: Vec<AttemptId>) {
        for id in waiters {
            if self.attempts.get_mut(id).is_some_and(AttemptRecord::arrived) {
                self.make_ready(id);
            }
        }
    }

    /// The scheduler knows more about an input that an attempt waits for.
    pub(crate) fn update_input(&mut self, attempt: Attempt, input: Input, out: &mut Actions) {
        let Some(record) = self.numbers.get(&attempt).map(|id| &self.attempts[*id]) else {
            self.stale += 1;
            return;
        };
        let priority = record.priority;
        let found = record.inputs.binary_search_by_key(&input.task, |known| known.task).ok();
        match found.map(|at| &record.inputs[at].value) {
            Some(InputValue::Stored(result)) => {
                let result = *result;
                self.add_source(result, input.source, input.size, priority, out);
            }
            Some(InputValue::Inline(_) | InputValue::Following(_)) | None => self.stale += 1,
        }
    }

    /// Fails an attempt that was never handed to a lane.
    pub(crate) fn fail_unrun(&mut self, id: AttemptId, error: TaskError, out: &mut Actions) {
        let Some(record) = self.attempts.get(id) else { return };
        out.send.push(failed(record.number, error));
        let output = self.remove_attempt(id, out);
        self.producer_gone(output, out);
    }
}

fn failed(attempt: Attempt, error: TaskError) -> FromWorker {
    FromWorker::AttemptFailed(AttemptFailed { attempt, run: Duration::ZERO, has_logs: false, error })
}

fn fault(message: String) -> TaskError {
    TaskError::new(ErrorCode::WorkerFault, message)
}
