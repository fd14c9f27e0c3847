//! Checks a submitted graph before anything of it runs, and reduces it to what the core needs. Fragments go the same way.

use crate::components::StoredComponent;
use crate::dense_hash::DenseMap;
use crate::known::{Addition, Known};
use crate::loads::Module;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wasm_tasks_interface::admission::{check_data, refused_graph, refused_types};
use wasm_tasks_interface::check_while;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{DataEntry, Extent, Fragment, Function, Graph, Options, Positions, Settings, Task};
use wasm_tasks_protocol::ids::{ComponentDigest, GraphId, TaskIndex};
use wasm_tasks_protocol::limits::{FRAGMENT_BYTES, GRAPH_BYTES_MAX, GROWN_EDGES_MAX, INLINE_BYTES_MAX};
use wasm_tasks_protocol::message::{DataSpec, FunctionSpec, Refusal};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_scheduler_core::{Expected, GraphPlan};

/// What workers are told of a graph, or of what is added to one.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) functions: Vec<FunctionSpec>,
    pub(crate) data: Vec<DataSpec>,
    pub(crate) settings: Vec<Settings>,
}

/// A graph that may run.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) known: Known,
    pub(crate) tables: Tables,
    /// Tasks that are outputs, each with its position there; sorted.
    pub(crate) outputs_by_task: Vec<(TaskIndex, u32)>,
    pub(crate) plan: GraphPlan,
}

/// A fragment that may be added.
#[derive(Debug)]
pub(crate) struct Extension {
    pub(crate) part: Arc<Graph>,
    /// The task that wrote it; none when a client did.
    pub(crate) writer: Option<TaskIndex>,
    pub(crate) tables: Tables,
    pub(crate) plan: GraphPlan,
}

/// Why a fragment was refused, and how far the graph's tables go when that is the reason.
#[derive(Debug)]
pub(crate) struct NotExtended {
    pub(crate) refusal: Refusal,
    pub(crate) extent: Option<Extent>,
}

impl From<Refusal> for NotExtended {
    fn from(refusal: Refusal) -> NotExtended {
        NotExtended { refusal, extent: None }
    }
}

/// Reads a submitted file. Takes a while: not for an asynchronous thread.
pub(crate) fn read(file: Bytes) -> Result<Graph, Refusal> {
    Graph::read(file).map_err(refused_graph)
}

/// Says what is wrong with a graph beside its components, which are here. Takes a while: not for an asynchronous thread.
pub(crate) fn prepare(
    graph: Graph,
    components: Vec<Arc<StoredComponent>>,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Prepared, Refusal> {
    check_data(&graph)?;
    let interface_of = |component: u32| &*components[component as usize].interface;
    let checked = check_while(&graph, None, interface_of, is_wanted).map_err(refused_types)?;
    let mut outputs_by_task: Vec<(TaskIndex, u32)> = graph.outputs().iter().map(|output| output.task).zip(0..).collect();
    outputs_by_task.sort_unstable();
    let functions = function_specs(&graph, |component| graph.components()[component as usize].digest);
    let data = data_specs(&graph);
    let plan = plan(&graph, &functions, &[], |function| levels(&graph, function, None));
    let settings = plan.settings.clone();
    let bytes = graph.file().len();
    let part = Arc::new(graph);
    let types = checked.into_types();
    let (settings_known, written) = (settings.clone(), Vec::new());
    let first = Addition { part, components, types, settings: settings_known, bytes, writer: None, depth: 0, written };
    let known = Known::new(first);
    Ok(Prepared { known, tables: Tables { functions, data, settings }, outputs_by_task, plan })
}

/// Reads a fragment, and says what is wrong with it before its components are looked at.
pub(crate) fn read_fragment(file: Bytes, id: GraphId, known: &Known) -> Result<Graph, NotExtended> {
    let fragment = Fragment::read(file).map_err(refused_graph)?;
    if fragment.append_to() != id {
        let message = format!("append-to: the fragment continues the graph `{}`, not `{id}`", fragment.append_to());
        return Err(Refusal::new(ErrorCode::BadField, message).into());
    }
    let (base, extent) = (fragment.base(), known.parts.numbering().extent());
    if base != extent {
        let moved = base.named().into_iter().zip(extent.named()).filter(|(theirs, ours)| theirs != ours);
        let moved: Vec<String> = moved.map(|((name, theirs), (_, ours))| format!("{ours} {name}, not {theirs}")).collect();
        let message = format!("base: the graph has {} by now; write the fragment for where it ends", moved.join(" and "));
        return Err(NotExtended { refusal: Refusal::new(ErrorCode::BaseMoved, message), extent: Some(extent) });
    }
    let graph = placed(fragment, known)?;
    within_limits(&graph, known)?;
    Ok(graph)
}

/// The fragment's tables where the graph's end, with what tasks wrote.
fn placed(fragment: Fragment, known: &Known) -> Result<Graph, Refusal> {
    let numbering = known.parts.numbering();
    if numbering.is_plain() {
        return Ok(fragment.into_tables());
    }
    let at =
        |position: u32, count: fn(&Extent) -> u32| numbering.position(position, count).expect("it is before the fragment's base");
    let file = fragment.renumbered(Positions {
        end: known.extent(),
        component: &|position| at(position, |extent| extent.components),
        function: &|position| at(position, |extent| extent.functions),
        data: &|position| at(position, |extent| extent.data),
        task: &|position| at(position, |extent| extent.tasks),
    });
    let moved = Fragment::read(file.into()).map_err(refused_graph)?;
    Ok(moved.into_tables())
}

/// What a fragment adds to a graph whose tables end where it begins.
pub(crate) fn extension(
    graph: Graph,
    writer: Option<TaskIndex>,
    known: &mut Known,
    components: Vec<Arc<StoredComponent>>,
    is_wanted: &dyn Fn() -> bool,
) -> Result<(Extension, Addition), Refusal> {
    let base = graph.base();
    for task in graph.tasks() {
        if let Some(earlier) = known.find(task.key()) {
            let message = format!("{}: task {} of the graph has the same key", task.place(), earlier.0);
            return Err(Refusal::new(ErrorCode::DuplicateKey, message));
        }
    }
    check_data(&graph)?;
    let interface_of = |component: u32| match component.checked_sub(base.components) {
        Some(own) => &*components[own as usize].interface,
        None => &*known.components[component as usize].interface,
    };
    let checked = check_while(&graph, Some(known), interface_of, is_wanted).map_err(refused_types)?;
    let functions = function_specs(&graph, |component| match component.checked_sub(base.components) {
        Some(own) => graph.components()[own as usize].digest,
        None => known.parts.component(component).digest,
    });
    let data = data_specs(&graph);
    let plan = plan(&graph, &functions, &known.settings, |function| levels(&graph, function, Some(known)));
    let settings = plan.settings.clone();
    let bytes = graph.file().len() + FRAGMENT_BYTES;
    let part = Arc::new(graph);
    let (types, written) = (checked.into_types(), Vec::new());
    let (part_known, settings_known) = (Arc::clone(&part), settings.clone());
    let addition = Addition { part: part_known, components, types, settings: settings_known, bytes, writer, depth: 0, written };
    Ok((Extension { part, writer, tables: Tables { functions, data, settings }, plan }, addition))
}

/// The components that tasks run from, each with or without metering. Functions and settings that the graph had before are
/// known to be loaded, or being loaded.
pub(crate) fn modules(plan: &GraphPlan, base: Extent, known: &[Settings]) -> Vec<Module> {
    let mut used = vec![[false; 2]; plan.components.len()];
    for (function, settings) in plan.functions.iter().zip(&plan.task_settings) {
        let Some(own) = function.checked_sub(base.functions) else { continue };
        let settings = match (*settings as usize).checked_sub(known.len()) {
            Some(new) => &plan.settings[new],
            None => &known[*settings as usize],
        };
        used[own as usize][usize::from(settings.fuel.is_some())] = true;
    }
    let of = |(digest, used): (&ComponentDigest, &[bool; 2])| {
        let digest = *digest;
        [false, true].into_iter().zip(*used).filter(|(_, used)| *used).map(move |(is_metered, _)| (digest, is_metered))
    };
    let modules: BTreeSet<Module> = plan.components.iter().zip(&used).flat_map(of).collect();
    modules.into_iter().collect()
}

/// What only graph and fragments together can break.
pub(crate) fn within_limits(fragment: &Graph, known: &Known) -> Result<(), Refusal> {
    let sums = [
        ("bytes of the graph and its fragments", known.bytes + FRAGMENT_BYTES + fragment.file().len(), GRAPH_BYTES_MAX),
        ("edges of the graph and its fragments", known.edges + fragment.edge_count(), GROWN_EDGES_MAX),
    ];
    match sums.into_iter().find(|(_, sum, max)| sum > max) {
        None => Ok(()),
        Some((what, sum, max)) => {
            Err(Refusal::new(ErrorCode::LimitExceeded, format!("graph: {sum} {what}; at most {max} are allowed")))
        }
    }
}

fn function_specs(graph: &Graph, digest: impl Fn(u32) -> ComponentDigest) -> Vec<FunctionSpec> {
    let spec = |function: &Function| FunctionSpec {
        component: digest(function.component),
        export: function.export.clone(),
        bind: function.bind.clone().map_or_else(Bytes::new, |range| graph.file().slice(range)),
        dynamic: function.dynamic.as_ref().map(|dynamic| dynamic.result.as_ref().map(ToString::to_string)),
    };
    graph.functions().iter().map(spec).collect()
}

fn data_specs(graph: &Graph) -> Vec<DataSpec> {
    let spec = |entry: &DataEntry| {
        let bytes = entry.bytes.clone().map_or_else(Bytes::new, |range| graph.file().slice(range));
        let inline = (bytes.len() <= INLINE_BYTES_MAX).then(|| bytes.clone());
        DataSpec::new(entry.encoding, bytes.len() as u64, inline)
    };
    graph.data().iter().map(spec).collect()
}

/// The options of tasks of a function, below their own: the function's, the fragment's, and those that the graph came with.
pub(crate) fn levels<'a>(graph: &'a Graph, function: u32, known: Option<&'a Known>) -> [Option<&'a Options>; 3] {
    let own = graph.function(function).map(|function| &function.options);
    let function = own.or_else(|| Some(&known?.parts.function(function).options));
    [function, Some(graph.options()), known.map(|known| known.parts.options())]
}

/// How many of the settings that are known are compared with new ones: those of the last fragments are the likeliest.
const SETTINGS_COMPARED_MAX: usize = 64;

/// What a graph says of its tasks: nothing, or an entry for each.
pub(crate) fn expected_of(graph: &Graph) -> Vec<Expected> {
    let mut column = Vec::new();
    for task in graph.tasks() {
        note_expected(&mut column, graph.len(), &task, &levels(graph, task.function_index(), None));
    }
    column
}

/// The column is there from the first task on of which something is said.
fn note_expected(column: &mut Vec<Expected>, tasks: usize, task: &Task<'_>, levels: &[Option<&Options>]) {
    let (run_us, result_bytes) = task.expected(levels);
    if run_us.is_some() || result_bytes.is_some() {
        column.resize(tasks, Expected::NOTHING);
        let said = |value: Option<u64>| value.unwrap_or(Expected::NOT_SAID);
        column[task.file_position()] = Expected { run_us: said(run_us), result_bytes: said(result_bytes) };
    }
}

/// Tasks and edges as numbers. Settings of the plan are those that are not among the last of `known`.
fn plan<'a>(
    graph: &Graph,
    functions: &[FunctionSpec],
    known: &[Settings],
    levels: impl Fn(u32) -> [Option<&'a Options>; 3],
) -> GraphPlan {
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
        components: functions.iter().map(|function| function.component).collect(),
        deadline: graph.options().deadline_ms.map(Duration::from_millis),
    };
    let compared_from = known.len().saturating_sub(SETTINGS_COMPARED_MAX);
    let mut by_key: DenseMap<(u32, u32), u32> = DenseMap::default();
    // By what they are: a graph may say the same in many ways, and something else of each task.
    let mut positions: BTreeMap<Settings, u32> = BTreeMap::new();
    plan.dependency_starts.push(0);
    for task in graph.tasks() {
        let levels = levels(task.function_index());
        note_expected(&mut plan.expected, n, &task, &levels);
        plan.dependencies.extend_from_slice(task.dependencies());
        plan.dependency_starts.push(plan.dependencies.len() as u32);
        plan.functions.push(task.function_index());
        let settings = *by_key.entry(task.settings_key()).or_insert_with(|| {
            let [function, fragment, graph] = levels;
            let settings = Settings::merge([task.own_options(), function, fragment, graph]);
            let earlier = known[compared_from..].iter().position(|known| *known == settings);
            let next = (known.len() + plan.settings.len()) as u32;
            earlier.map_or_else(
                || {
                    *positions.entry(settings).or_insert_with_key(|settings| {
                        plan.settings.extend(settings.ways());
                        next
                    })
                },
                |at| (compared_from + at) as u32,
            )
        });
        plan.task_settings.push(settings);
    }
    plan
}
