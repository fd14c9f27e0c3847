//! The calls of a session: which the scheduler has, which wait, and what became of them.
//!
//! Pure: it writes fragments and hears what became of them. Sending and waiting is the driver's. Calls are numbered in the
//! order in which they were made; their tasks have positions only when the scheduler took them, because it may refuse some.

#[cfg(test)]
mod tests;

use super::error::FutureError;
use super::tables::{Added, Tables};
use crate::error::ClientError;
use bytes::Bytes;
use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::sync::Arc;
use tokio::sync::watch;
use wasm_tasks_protocol::graph::{Argument, Arguments, GraphBuilder, Options, Reference};
use wasm_tasks_protocol::message::{OutputResult, Refusal, TaskFailure};
use wasm_tasks_protocol::{ErrorCode, TaskIndex};

/// Calls that go into one fragment, so that the first results come while the rest is checked.
const CALLS_MAX: usize = 20_000;

/// What a future learns, once.
#[derive(Clone, Debug)]
pub(super) enum Settled {
    /// The typed encoding.
    Value(Bytes),
    /// It is with the workers, as this output.
    Stored(u32),
    /// There is none.
    Failed(FutureError),
}

/// A call that the scheduler does not have.
pub(super) struct Call {
    pub(super) key: Arc<str>,
    pub(super) function: u32,
    /// References to tasks are numbers of calls.
    pub(super) arguments: Arguments,
    pub(super) options: Option<Box<Options>>,
}

/// Where a call is.
enum Place {
    /// Here, or on its way.
    Here,
    /// A task of the graph.
    Task(TaskIndex),
    /// It will not run.
    Never(Box<FutureError>),
}

/// A future that waits.
struct Open {
    key: Arc<str>,
    settled: watch::Sender<Option<Settled>>,
}

/// A fragment to send.
pub(super) struct Prepared {
    /// Components to upload before.
    pub(super) uploads: Vec<Bytes>,
    /// The tables, for [`Growing::append`](crate::Growing::append).
    pub(super) tables: Vec<u8>,
}

/// A fragment that was sent.
struct Flying {
    calls: Vec<(u32, Call)>,
    needs: Vec<Vec<TaskIndex>>,
    added: Added,
}

#[derive(Default)]
pub(super) struct Ledger {
    pub(super) tables: Tables,
    /// By number.
    places: Vec<Place>,
    /// Calls whose futures wait.
    open: HashMap<u32, Open>,
    waiting: VecDeque<Vec<(u32, Call)>>,
    flying: Option<Flying>,
    /// Numbers of the calls, by the positions of their tasks; each task is one output, at the same position.
    numbers: Vec<u32>,
    /// The tasks that a task needs, as long as it may still fail because of them.
    needs: HashMap<TaskIndex, Vec<TaskIndex>>,
    /// Tasks that failed for a reason of their own.
    causes: HashMap<TaskIndex, FutureError>,
    /// Calls that failed because of something that was not told yet.
    doomed: HashSet<u32>,
    /// Failures that were told since the doomed were last looked at.
    news: usize,
    /// Calls that are not with the scheduler yet and whose futures are gone, or which were cancelled.
    dropped: HashSet<u32>,
    cancelled: HashSet<u32>,
    to_release: Vec<u32>,
    to_cancel: Vec<TaskIndex>,
    end: Option<FutureError>,
}

impl Ledger {
    /// The number that the next call gets.
    pub(super) fn next_number(&self) -> u32 {
        self.places.len() as u32
    }

    /// Takes a call in; what becomes of it is told once.
    pub(super) fn submit(&mut self, call: Call) -> watch::Receiver<Option<Settled>> {
        let number = self.next_number();
        let (sender, receiver) = watch::channel(None);
        self.open.insert(number, Open { key: call.key.clone(), settled: sender });
        self.places.push(Place::Here);
        if let Some(end) = self.end.clone() {
            self.refuse(number, end);
        } else if self.waiting.back().is_none_or(|group| group.len() >= CALLS_MAX) {
            self.waiting.push_back(vec![(number, call)]);
        } else if let Some(group) = self.waiting.back_mut() {
            group.push((number, call));
        }
        receiver
    }

    /// Nobody holds the call's future any more. The call runs when something else needs it.
    pub(super) fn let_go(&mut self, number: u32) {
        self.open.remove(&number);
        match &self.places[number as usize] {
            Place::Here => drop(self.dropped.insert(number)),
            Place::Task(task) => self.to_release.push(task.0),
            Place::Never(_) => {}
        }
    }

    /// Stops a call, and what needs it.
    pub(super) fn cancel(&mut self, number: u32) {
        // One that has ended cannot be stopped.
        let Some(open) = self.open.get(&number) else { return };
        let error = FutureError::Cancelled(open.key.clone());
        match &self.places[number as usize] {
            Place::Here => drop(self.cancelled.insert(number)),
            Place::Task(task) => {
                self.causes.insert(*task, error.clone());
                self.to_cancel.push(*task);
            }
            Place::Never(_) => {}
        }
        self.settle(number, Settled::Failed(error));
    }

    /// Outputs that nobody needs, and tasks to stop.
    pub(super) fn take_orders(&mut self) -> (Vec<u32>, Vec<TaskIndex>) {
        (mem::take(&mut self.to_release), mem::take(&mut self.to_cancel))
    }

    /// The next fragment, unless one is under way or there is nothing to write.
    pub(super) fn next_fragment(&mut self) -> Option<Prepared> {
        while self.flying.is_none() {
            let group = self.waiting.pop_front()?;
            let mut fragment = GraphBuilder::new();
            let mut flying = Flying { calls: Vec::with_capacity(group.len()), needs: Vec::new(), added: Added::default() };
            for (number, call) in group {
                if self.cancelled.remove(&number) {
                    self.refuse(number, FutureError::Cancelled(call.key));
                    continue;
                }
                match self.write(number, &call, &mut fragment, &mut flying) {
                    Ok(()) => flying.calls.push((number, call)),
                    Err(error) => self.refuse(number, error),
                }
            }
            if flying.calls.is_empty() {
                self.tables.roll_back(&flying.added);
                continue;
            }
            let first = self.tables.written.tasks;
            let tasks = first..first + flying.calls.len() as u32;
            tasks.for_each(|task| fragment.output(Reference::whole(TaskIndex(task))));
            let uploads = self.tables.uploads(&flying.added);
            self.flying = Some(flying);
            return Some(Prepared { uploads, tables: fragment.to_bytes() });
        }
        None
    }

    fn write(&mut self, number: u32, call: &Call, fragment: &mut GraphBuilder, flying: &mut Flying) -> Result<(), FutureError> {
        let mut needs = Vec::new();
        let mut resolve = |argument: &Argument| self.resolve(number, argument, fragment, flying, &mut needs);
        let arguments = match &call.arguments {
            Arguments::Positional(list) => Arguments::Positional(list.iter().map(resolve).collect::<Result<_, _>>()?),
            Arguments::Named(pairs) => {
                let pairs = pairs.iter().map(|(name, argument)| Ok::<_, FutureError>((name.clone(), resolve(argument)?)));
                Arguments::Named(pairs.collect::<Result<_, _>>()?)
            }
        };
        let function = self.tables.function(call.function, fragment, &mut flying.added);
        let options = call.options.as_deref();
        fragment.task(&call.key, function, &arguments, options.unwrap_or(&Options::default()));
        flying.needs.push(needs);
        Ok(())
    }

    /// An argument whose references are positions of the graph.
    fn resolve(
        &mut self,
        number: u32,
        argument: &Argument,
        fragment: &mut GraphBuilder,
        flying: &mut Flying,
        needs: &mut Vec<TaskIndex>,
    ) -> Result<Argument, FutureError> {
        let mut deeper = |argument: &Argument| self.resolve(number, argument, fragment, flying, needs);
        Ok(match argument {
            Argument::Value(value) => Argument::Value(value.clone()),
            Argument::Array(items) => Argument::Array(items.iter().map(deeper).collect::<Result<_, _>>()?),
            Argument::Map(pairs) => {
                let pairs = pairs.iter().map(|(name, item)| Ok::<_, FutureError>((name.clone(), deeper(item)?)));
                Argument::Map(pairs.collect::<Result<_, _>>()?)
            }
            Argument::Data(data) if self.tables.has_data(*data) => {
                Argument::Data(self.tables.data(*data, fragment, &mut flying.added))
            }
            Argument::Data(_) => return Err(of_another("data entry")),
            Argument::Task(reference) => {
                let needed = reference.task.0;
                let place = self.places.get(needed as usize).filter(|_| needed < number).ok_or_else(|| of_another("future"))?;
                let task = match place {
                    Place::Task(task) => *task,
                    Place::Never(error) => return Err((**error).clone()),
                    // What is still here and came before is in this fragment.
                    Place::Here => {
                        let at = flying.calls.binary_search_by_key(&needed, |(number, _)| *number);
                        let at = at.map_err(|_| of_another("future"))?;
                        TaskIndex(self.tables.written.tasks + at as u32)
                    }
                };
                needs.push(task);
                Argument::Task(Reference { task, path: reference.path.clone() })
            }
        })
    }

    /// The scheduler took the fragment.
    pub(super) fn appended(&mut self) {
        let Some(Flying { calls, needs, added }) = self.flying.take() else { return };
        self.tables.commit(&added);
        for ((number, call), needs) in calls.into_iter().zip(needs) {
            let task = TaskIndex(self.tables.written.tasks);
            self.tables.written.tasks += 1;
            self.tables.written.outputs += 1;
            self.numbers.push(number);
            self.places[number as usize] = Place::Task(task);
            if !needs.is_empty() {
                self.needs.insert(task, needs);
            }
            if self.cancelled.remove(&number) {
                self.causes.insert(task, FutureError::Cancelled(call.key));
                self.to_cancel.push(task);
            }
            if self.dropped.remove(&number) {
                self.to_release.push(task.0);
            }
        }
    }

    /// The scheduler refused the fragment. Some call in it is wrong; the others shall not suffer.
    pub(super) fn refused(&mut self, error: ClientError) {
        let Some(Flying { mut calls, added, .. }) = self.flying.take() else { return };
        self.tables.roll_back(&added);
        let second = calls.split_off(calls.len() / 2);
        if calls.is_empty() {
            return second.into_iter().for_each(|(number, _)| self.refuse(number, FutureError::Client(error.clone())));
        }
        self.waiting.push_front(second);
        self.waiting.push_front(calls);
    }

    /// What became of an output. It may be told before the answer that the fragment was taken.
    pub(super) fn output(&mut self, output: u32, result: OutputResult) {
        let Some(number) = self.number_of(TaskIndex(output)) else { return };
        let settled = match result {
            OutputResult::Inline(bytes) => Settled::Value(bytes),
            OutputResult::Stored { .. } => Settled::Stored(output),
            OutputResult::Released => return,
            OutputResult::Failed => {
                if self.open.contains_key(&number) && !self.settle_by_cause(number) {
                    self.doomed.insert(number);
                }
                return;
            }
        };
        self.needs.remove(&TaskIndex(output));
        self.settle(number, settled);
    }

    /// A task failed for a reason of its own.
    pub(super) fn failed(&mut self, failure: TaskFailure) {
        let task = failure.task;
        self.needs.remove(&task);
        self.causes.insert(task, FutureError::Failed(Arc::new(failure)));
        if let Some(number) = self.number_of(task)
            && self.doomed.remove(&number)
        {
            self.settle_by_cause(number);
        }
        // What failed because of it is looked for when that costs no more than what was told.
        self.news += 1;
        if self.news >= self.doomed.len() {
            self.settle_doomed();
        }
    }

    /// Everything was told, so what is still without a cause was stopped from elsewhere.
    pub(super) fn quiet(&mut self) {
        self.settle_doomed();
        for number in mem::take(&mut self.doomed) {
            if let Some(Open { key, .. }) = self.open.get(&number) {
                let error = FutureError::Cancelled(key.clone());
                self.settle(number, Settled::Failed(error));
            }
        }
    }

    fn settle_doomed(&mut self) {
        self.news = 0;
        for number in mem::take(&mut self.doomed) {
            if !self.settle_by_cause(number) {
                self.doomed.insert(number);
            }
        }
    }

    fn settle_by_cause(&mut self, number: u32) -> bool {
        let cause = self.task_of(number).and_then(|task| self.cause_of(task));
        let is_known = cause.is_some();
        cause.into_iter().for_each(|error| self.settle(number, Settled::Failed(error)));
        is_known
    }

    /// Nothing more will happen.
    pub(super) fn end(&mut self, error: FutureError) {
        let open: Vec<u32> = self.open.keys().copied().collect();
        open.into_iter().for_each(|number| self.settle(number, Settled::Failed(error.clone())));
        self.waiting.clear();
        self.flying = None;
        self.end = Some(error);
    }

    /// The failure of a task, or of one that it needs.
    fn cause_of(&self, task: TaskIndex) -> Option<FutureError> {
        let mut seen = HashSet::from([task]);
        let mut stack = vec![task];
        while let Some(task) = stack.pop() {
            if let Some(cause) = self.causes.get(&task) {
                return Some(cause.clone());
            }
            let needs = self.needs_of(task);
            stack.extend(needs.iter().copied().filter(|need| seen.insert(*need)));
        }
        None
    }

    fn needs_of(&self, task: TaskIndex) -> &[TaskIndex] {
        match (task.0.checked_sub(self.tables.written.tasks), &self.flying) {
            (Some(at), Some(flying)) => flying.needs.get(at as usize).map_or(&[], Vec::as_slice),
            _ => self.needs.get(&task).map_or(&[], Vec::as_slice),
        }
    }

    fn number_of(&self, task: TaskIndex) -> Option<u32> {
        match task.0.checked_sub(self.tables.written.tasks) {
            None => self.numbers.get(task.0 as usize).copied(),
            Some(at) => self.flying.as_ref()?.calls.get(at as usize).map(|(number, _)| *number),
        }
    }

    fn task_of(&self, number: u32) -> Option<TaskIndex> {
        match &self.places[number as usize] {
            Place::Task(task) => Some(*task),
            Place::Never(_) => None,
            Place::Here => {
                let at = self.flying.as_ref()?.calls.binary_search_by_key(&number, |(number, _)| *number).ok()?;
                Some(TaskIndex(self.tables.written.tasks + at as u32))
            }
        }
    }

    fn refuse(&mut self, number: u32, error: FutureError) {
        self.settle(number, Settled::Failed(error.clone()));
        self.dropped.remove(&number);
        self.places[number as usize] = Place::Never(Box::new(error));
    }

    fn settle(&mut self, number: u32, settled: Settled) {
        if let Some(open) = self.open.remove(&number) {
            open.settled.send_replace(Some(settled));
        }
    }
}

fn of_another(what: &str) -> FutureError {
    let message = format!("the {what} is not of this session, or comes after the call that needs it");
    FutureError::Client(ClientError::Refused(Refusal::new(ErrorCode::UnknownTask, message)))
}
