//! Checks the tasks that a task ends in, and makes a fragment of its graph of them.
//!
//! A worker may lie, and a guest may write anything: all of it is checked as a client's fragment is, and besides that it stays
//! within what the delegating task may do itself. Knows nothing of attempts.

use crate::known::{Addition, Known};
use crate::submit::{Extension, extension, levels, within_limits};
use wasm_tasks_interface::Earlier;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::error::TaskError;
use wasm_tasks_protocol::graph::{Append, Delegator, Fragment, Graph, GraphError, Options, Settings};
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::limits::{DELEGATED_TASKS_MAX, DELEGATION_DEPTH_MAX};
use wasm_tasks_protocol::message::Refusal;

/// Tasks that a task ends in, which may run.
#[derive(Debug)]
pub(crate) struct Delegated {
    pub(crate) extension: Extension,
    pub(crate) addition: Addition,
    /// The task that takes the delegating one's place.
    pub(crate) output: TaskIndex,
}

/// Everything that can be wrong with what a task wrote is said here. Takes time for the tasks, and not for the graph.
pub(crate) fn prepare_delegation(
    written: &[u8],
    id: GraphId,
    task: TaskIndex,
    known: &mut Known,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Delegated, Refusal> {
    let depth = known.depth_of(task) + 1;
    if depth as usize > DELEGATION_DEPTH_MAX {
        let message = format!("tasks were written by tasks {depth} times over; at most {DELEGATION_DEPTH_MAX} are allowed");
        return Err(Refusal::new(ErrorCode::LimitExceeded, message));
    }
    let refused = |error: GraphError| Refusal::new(error.code, error.to_string());
    let settings = settings_of(known, task);
    if settings.gang > 0 {
        let message = "the task is one of a gang, whose members end together: they cannot end in tasks";
        return Err(Refusal::new(ErrorCode::BadField, message));
    }
    let made = known.with_delegator(id, task, |delegator| delegator.fragment(written)).map_err(refused)?;
    let graph = Fragment::read(made.file.into()).map_err(refused)?.into_tables();
    let count = known.delegated_tasks + graph.len();
    if count > DELEGATED_TASKS_MAX {
        let message = format!("tasks of the graph wrote {count} tasks; at most {DELEGATED_TASKS_MAX} are allowed");
        return Err(Refusal::new(ErrorCode::LimitExceeded, message));
    }
    within_limits(&graph, known)?;
    let (extension, mut addition) = extension(graph, Some(task), known, Vec::new(), is_wanted)?;
    check_type(&extension.part, known, &addition, task, made.output)?;
    check_grants(&extension, known, &settings)?;
    addition.depth = depth;
    addition.written = made.functions;
    Ok(Delegated { extension, addition, output: made.output })
}

/// What the refusal of a delegation is to the task that wrote it.
pub(crate) fn bad_delegation(refusal: &Refusal) -> TaskError {
    let message = format!("the tasks that it ended in cannot run: {}: {}", refusal.code, refusal.messages.join("\n"));
    TaskError::new(ErrorCode::BadDelegation, message)
}

/// Options of a task, the most specific first.
pub(crate) fn levels_of(known: &Known, task: TaskIndex) -> [Option<&Options>; 4] {
    let part = known.parts.part_of(task);
    let task = part.task(task);
    let [function, fragment, graph] = levels(part, task.function_index(), Some(known));
    [task.own_options(), function, fragment, graph]
}

fn settings_of(known: &Known, task: TaskIndex) -> Settings {
    Settings::merge(levels_of(known, task))
}

/// Whoever needs the one gets the other, so they must be of one type.
fn check_type(part: &Graph, known: &Known, addition: &Addition, task: TaskIndex, output: TaskIndex) -> Result<(), Refusal> {
    let (key, function) = known.task(task);
    let expected = &known.signature(function).result;
    let function = part.task(output).function_index();
    let found = match function.checked_sub(part.base().functions) {
        Some(own) => &addition.types.functions[own as usize].result,
        None => &known.signature(function).result,
    };
    if *expected == Type::Any || found == expected {
        return Ok(());
    }
    let message = format!(
        "outputs: the result of `{}` is {found}; what takes the place of `{key}` must be {expected}",
        part.task(output).key()
    );
    Err(Refusal::new(ErrorCode::TypeMismatch, message))
}

/// What a task may not do the tasks that it writes may not do either.
fn check_grants(extension: &Extension, known: &Known, own: &Settings) -> Result<(), Refusal> {
    let first = known.settings.len();
    for (task, position) in extension.part.tasks().zip(&extension.plan.task_settings) {
        let settings = match (*position as usize).checked_sub(first) {
            Some(new) => &extension.plan.settings[new],
            None => &known.settings[*position as usize],
        };
        if let Some(grant) = settings.grants.iter().find(|grant| !own.grants.contains(grant)) {
            let message = format!(
                "{}: it asks for the grant `{}`, which the task that wrote it does not have",
                task.place(),
                grant.as_str()
            );
            return Err(Refusal::new(ErrorCode::GrantDenied, message));
        }
    }
    Ok(())
}

impl Known {
    fn with_delegator<T>(&self, id: GraphId, index: TaskIndex, run: impl FnOnce(&Delegator<'_>) -> T) -> T {
        let part = self.parts.part_of(index);
        let task = part.task(index);
        let position = task.function_index();
        let (function, bound) = self.parts.function_and_bound(position);
        let signature = self.signature(position);
        let params: Vec<String> = match signature.is_dynamic {
            true => Vec::new(),
            false => signature.params.iter().map(|(name, _)| name.clone()).collect(),
        };
        let components = self.extent().components;
        run(&Delegator {
            append: Append { graph: id, base: self.extent() },
            key: task.key(),
            component: function.component,
            function: position,
            bound,
            args: task.args(),
            params: &params,
            options: Options::inherited(levels_of(self, index).into_iter().flatten()),
            own_options: Options::inherited(task.own_options().into_iter()),
            component_of: &|digest| (0..components).find(|at| self.parts.component(*at).digest == *digest),
            function_of: &|encoded| self.written.get(encoded).copied(),
        })
    }
}
