//! Checks a submitted graph before anything of it runs, and reduces it to what the core needs.

use crate::components::Components;
use crate::dense_hash::DenseMap;
use bytes::Bytes;
use std::sync::Arc;
use wasm_tasks_interface::{Interface, check};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{DataEncoding, Graph, Settings, Source};
use wasm_tasks_protocol::ids::{ContentDigest, TaskIndex};
use wasm_tasks_protocol::limits::INLINE_BYTES_MAX;
use wasm_tasks_protocol::message::{DataSpec, FunctionSpec, Refusal};
use wasm_tasks_scheduler_core::{Expected, GraphPlan};

/// A graph that may run.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) graph: Arc<Graph>,
    pub(crate) functions: Vec<FunctionSpec>,
    pub(crate) data: Vec<DataSpec>,
    pub(crate) settings: Vec<Settings>,
    /// Position in `settings` by what tasks share.
    pub(crate) settings_by_key: DenseMap<(u32, u32), u32>,
    /// Tasks that are outputs, each with its position there; sorted.
    pub(crate) outputs_by_task: Vec<(TaskIndex, u32)>,
    pub(crate) plan: GraphPlan,
}

impl Prepared {
    /// Where a task stands in `outputs_by_task`, once for each of its positions among the outputs.
    pub(crate) fn outputs_of(&self, task: TaskIndex) -> std::ops::Range<usize> {
        let start = self.outputs_by_task.partition_point(|(output, _)| *output < task);
        let len = self.outputs_by_task[start..].iter().take_while(|(output, _)| *output == task).count();
        start..start + len
    }
}

/// Everything that can be wrong with a graph is said here. Takes a while: not for an asynchronous thread.
pub(crate) fn prepare(file: Bytes, components: &Components) -> Result<Prepared, Refusal> {
    let graph = Graph::read(file).map_err(|error| Refusal::new(error.code, error.to_string()))?;
    let interfaces = interfaces(&graph, components)?;
    check_data(&graph)?;
    check(&graph, |component| &interfaces[component as usize])
        .map_err(|errors| Refusal { code: errors.code(), messages: errors.to_string().lines().map(str::to_owned).collect() })?;
    let functions = graph
        .functions()
        .iter()
        .map(|function| FunctionSpec {
            component: graph.components()[function.component as usize].digest,
            export: function.export.clone(),
            bind: function.bind.clone().map_or_else(Bytes::new, |range| graph.file().slice(range)),
            dynamic: function.dynamic.as_ref().map(|dynamic| dynamic.result.as_ref().map(ToString::to_string)),
        })
        .collect();
    let data = graph
        .data()
        .iter()
        .map(|entry| {
            let bytes = entry.bytes.clone().map_or_else(Bytes::new, |range| graph.file().slice(range));
            let inline = (bytes.len() <= INLINE_BYTES_MAX).then(|| bytes.clone());
            DataSpec::new(entry.encoding, bytes.len() as u64, inline)
        })
        .collect();
    let mut outputs_by_task: Vec<(TaskIndex, u32)> = graph.outputs().iter().map(|output| output.task).zip(0..).collect();
    outputs_by_task.sort_unstable();
    let (plan, settings_by_key) = plan(&graph);
    Ok(Prepared {
        functions,
        data,
        settings: plan.settings.clone(),
        settings_by_key,
        outputs_by_task,
        plan,
        graph: Arc::new(graph),
    })
}

fn interfaces(graph: &Graph, components: &Components) -> Result<Vec<Arc<Interface>>, Refusal> {
    let mut interfaces = Vec::with_capacity(graph.components().len());
    for (position, component) in graph.components().iter().enumerate() {
        let name = component.name.as_ref().map_or(String::new(), |name| format!(" `{name}`"));
        let place = format!("components[{position}]{name}");
        let stored = match (&component.bytes, &component.source) {
            (Some(range), _) => components.add(component.digest, graph.file().slice(range.clone())).map_err(|mut refusal| {
                refusal.messages.iter_mut().for_each(|message| *message = format!("{place}: {message}"));
                refusal
            })?,
            (None, Some(Source::Path(path))) => {
                let message =
                    format!("{place}: a scheduler cannot read the path `{path}`; clients upload what a graph names by path");
                return Err(Refusal::new(ErrorCode::PathInGraph, message));
            }
            (None, Some(Source::Url(source) | Source::Oci(source))) => {
                let message = format!("{place}: `{source}` is not fetched; upload the component, or name it by path");
                return Err(Refusal::new(ErrorCode::SourceNotAllowed, message));
            }
            (None, None) => components.find(&component.digest).ok_or_else(|| {
                Refusal::new(ErrorCode::NotUploaded, format!("{place}: `{}` was not uploaded", component.digest))
            })?,
        };
        interfaces.push(stored.interface);
    }
    Ok(interfaces)
}

fn check_data(graph: &Graph) -> Result<(), Refusal> {
    for (position, entry) in graph.data().iter().enumerate() {
        let place = format!("data[{position}]");
        let Some(range) = entry.bytes.clone() else {
            let (code, source) = match &entry.source {
                Some(Source::Path(path)) => (ErrorCode::PathInGraph, path),
                Some(Source::Url(url) | Source::Oci(url)) => (ErrorCode::SourceNotAllowed, url),
                None => unreachable!("an entry has bytes or a source"),
            };
            return Err(Refusal::new(
                code,
                format!("{place}: a scheduler does not read `{source}`; clients send such bytes along"),
            ));
        };
        if let Some(digest) = entry.digest {
            let found = ContentDigest::of(&graph.file()[range]);
            if found != digest {
                let message = format!("{place}: the digest of its bytes is `{found}`, not `{digest}`");
                return Err(Refusal::new(ErrorCode::DigestMismatch, message));
            }
        }
        debug_assert!(matches!(entry.encoding, DataEncoding::Raw | DataEncoding::Value));
    }
    Ok(())
}

fn plan(graph: &Graph) -> (GraphPlan, DenseMap<(u32, u32), u32>) {
    let n = graph.len();
    let mut plan = GraphPlan {
        dependency_starts: Vec::with_capacity(n + 1),
        dependencies: Vec::with_capacity(graph.edge_count()),
        functions: Vec::with_capacity(n),
        task_settings: Vec::with_capacity(n),
        settings: Vec::new(),
        outputs: graph.outputs().iter().map(|output| output.task).collect(),
        expected: Vec::new(),
        edge_bytes: Vec::new(),
    };
    let mut by_key: DenseMap<(u32, u32), u32> = DenseMap::default();
    plan.dependency_starts.push(0);
    for task in graph.tasks() {
        if let (run_us, result_bytes) = task.expected()
            && (run_us.is_some() || result_bytes.is_some())
        {
            // The column is there from the first task on of which something is said.
            plan.expected.resize(n, Expected::NOTHING);
            let said = |value: Option<u64>| value.unwrap_or(Expected::NOT_SAID);
            plan.expected[task.index().0 as usize] = Expected { run_us: said(run_us), result_bytes: said(result_bytes) };
        }
        plan.dependencies.extend_from_slice(task.dependencies());
        plan.dependency_starts.push(plan.dependencies.len() as u32);
        plan.functions.push(task.function_index());
        let settings = *by_key.entry(task.settings_key()).or_insert_with(|| {
            let settings = task.settings();
            let known = plan.settings.iter().position(|known| *known == settings);
            known.unwrap_or_else(|| {
                plan.settings.push(settings);
                plan.settings.len() - 1
            }) as u32
        });
        plan.task_settings.push(settings);
    }
    (plan, by_key)
}
