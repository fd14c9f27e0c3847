//! `wasm-tasks show`: what is in a graph, for people, as JSON, or as a drawing.

mod order;

use crate::Ended;
use crate::escape::field;
use crate::failure::{Exit, Failure};
use crate::format::{bytes, count, counted};
use crate::output::{print, print_json};
use clap::Args;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use wasm_tasks::{ClientError, ComponentDigest, Value, read_graph, read_graph_file, to_json};
use wasm_tasks_protocol::graph::{Component, Function, Graph, Reference, Source, Task};
use wasm_tasks_protocol::msgpack::{EXT_DATA, EXT_TASK, Reader};

/// Tasks up to which each is listed.
const TASKS_LISTED: usize = 50;
/// Characters of a task's arguments that are shown.
const ARGS_SHOWN: usize = 100;

/// Shows a graph: components, functions, tasks, outputs
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks show graph.msgpack
  wasm-tasks show graph.msgpack --all | less
  wasm-tasks show graph.msgpack --order
  wasm-tasks show graph.msgpack --dot | dot -Tsvg > graph.svg")]
pub(crate) struct Show {
    /// The graph file, `-` for standard input
    graph: PathBuf,
    /// Print it in the language of graphviz
    #[arg(long, conflicts_with = "json")]
    dot: bool,
    /// Print the order in which tasks run when nothing else decides, and how many results are alive after each
    #[arg(long, conflicts_with = "dot")]
    order: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// List all tasks, however many
    #[arg(long)]
    all: bool,
}

impl Show {
    pub(crate) fn run(self) -> Ended {
        let file = read_graph_file(&self.graph)?;
        let graph = read_graph(file).map_err(|error| Failure::from(ClientError::from(error)))?;
        if self.order && self.json {
            print_json(&order::json(&graph))?;
        } else if self.order {
            print(&order::text(&graph))?;
        } else if self.json {
            print_json(&graph_json(&graph))?;
        } else if self.dot {
            print(&dot(&graph))?;
        } else {
            print(&text(&graph, self.all))?;
        }
        Ok(Exit::Done)
    }
}

fn digest_start(digest: ComponentDigest) -> String {
    digest.to_string().chars().take(19).collect()
}

fn component_name(component: &Component) -> String {
    let file = match &component.source {
        Some(Source::Path(path)) => Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned()),
        Some(Source::Url(_) | Source::Oci(_)) | None => None,
    };
    component.name.clone().or(file).unwrap_or_else(|| digest_start(component.digest))
}

fn source_text(source: &Source) -> String {
    match source {
        Source::Path(path) => format!("file `{path}`"),
        Source::Url(url) => format!("URL `{url}`"),
        Source::Oci(reference) => format!("image `{reference}`"),
    }
}

fn function_text(graph: &Graph, function: &Function) -> String {
    format!("{} {}", component_name(&graph.components()[function.component as usize]), function.export)
}

fn short_function(function: &Function) -> &str {
    function.export.rsplit('#').next().unwrap_or(&function.export)
}

/// How many tasks stand in the longest chain.
fn depth(graph: &Graph) -> u32 {
    let mut depths = vec![0u32; graph.len()];
    for task in graph.topological_order() {
        let needed = graph.task(task).dependencies().iter().map(|needed| depths[needed.0 as usize]).max();
        depths[task.0 as usize] = 1 + needed.unwrap_or(0);
    }
    depths.into_iter().max().unwrap_or(0)
}

fn text(graph: &Graph, all: bool) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&field(&text));
        out.push('\n');
    };
    if let Some(name) = &graph.options().name {
        line(format!("graph `{name}`"));
    }
    let (tasks, edges) = (counted(graph.len() as u64, "task"), counted(graph.edge_count() as u64, "edge"));
    line(format!(
        "{tasks}, {edges}, longest chain {}, file of {}",
        count(u64::from(depth(graph))),
        bytes(graph.file().len() as u64)
    ));
    line("components:".to_owned());
    for component in graph.components() {
        let place = match (&component.bytes, &component.source) {
            (Some(range), _) => format!("{} in this file", bytes(range.len() as u64)),
            (None, Some(source)) => source_text(source),
            (None, None) => "uploaded apart".to_owned(),
        };
        line(format!("  {}  {}  {place}", component_name(component), digest_start(component.digest)));
    }
    line("functions:".to_owned());
    let mut used = vec![0u64; graph.functions().len()];
    graph.tasks().for_each(|task| used[task.function_index() as usize] += 1);
    for (function, tasks) in graph.functions().iter().zip(used) {
        let dynamic = if function.dynamic.is_some() { ", dynamic" } else { "" };
        line(format!("  {}  {}{dynamic}", function_text(graph, function), counted(tasks, "task")));
    }
    if !graph.data().is_empty() {
        line("data:".to_owned());
        for (position, entry) in graph.data().iter().enumerate() {
            let place = match (&entry.bytes, &entry.source) {
                (Some(range), _) => format!("{} in this file", bytes(range.len() as u64)),
                (None, Some(source)) => {
                    let len = entry.len.map_or_else(|| "the rest".to_owned(), bytes);
                    format!("{}, {len} from {}", source_text(source), count(entry.offset))
                }
                (None, None) => "nothing".to_owned(),
            };
            line(format!("  [{position}]  {place}"));
        }
    }
    line("tasks:".to_owned());
    let shown = if all || graph.len() <= TASKS_LISTED { graph.len() } else { TASKS_LISTED / 2 };
    graph.tasks().take(shown).for_each(|task| line(format!("  {}", task_text(graph, &task))));
    if shown < graph.len() {
        line(format!("  … and {}; `--all` lists them", count((graph.len() - shown) as u64)));
    }
    line("outputs:".to_owned());
    for output in graph.outputs().iter().take(if all { usize::MAX } else { TASKS_LISTED }) {
        line(format!("  {}", graph.output_name(output)));
    }
    out
}

fn task_text(graph: &Graph, task: &Task<'_>) -> String {
    let args = match Value::from_msgpack(task.args()) {
        Ok(Value::Array(items)) => items.iter().map(|item| argument_text(graph, item)).collect::<Vec<_>>().join(", "),
        Ok(Value::Map(pairs)) => {
            pairs.iter().map(|(name, item)| format!("{name}: {}", argument_text(graph, item))).collect::<Vec<_>>().join(", ")
        }
        Ok(_) | Err(_) => String::new(),
    };
    let args = if args.chars().count() > ARGS_SHOWN { args.chars().take(ARGS_SHOWN - 1).chain(['…']).collect() } else { args };
    let gang = task.gang().map_or_else(String::new, |(gang, rank)| format!("  (rank {rank} of a gang of {})", gang.len));
    format!("{} = {}({args}){gang}", task.key(), short_function(task.function()))
}

fn argument_text(graph: &Graph, value: &Value) -> String {
    match value {
        Value::Ext(EXT_TASK, payload) => match Reference::from_payload(payload) {
            Some(reference) => format!("<{}>", graph.output_name(&reference)),
            None => "<?>".to_owned(),
        },
        Value::Ext(EXT_DATA, payload) => {
            Reader::new(payload).int().map_or_else(|_| "<?>".to_owned(), |position| format!("<data[{position}]>"))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|item| argument_text(graph, item)).collect::<Vec<_>>().join(", "))
        }
        Value::Map(pairs) => {
            let pairs = pairs.iter().map(|(name, item)| format!("{name}: {}", argument_text(graph, item)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Bin(bytes) => format!("<{}>", counted(bytes.len() as u64, "byte")),
        Value::Nil
        | Value::Bool(_)
        | Value::Uint(_)
        | Value::Int(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::Str(_)
        | Value::Ext(..) => to_json(value).to_string(),
    }
}

fn graph_json(graph: &Graph) -> Json {
    let component = |component: &Component| {
        json!({
            "digest": component.digest.to_string(), "name": component.name,
            "bytes": component.bytes.as_ref().map(ExactSizeIterator::len), "source": component.source.as_ref().map(source_json),
        })
    };
    let function = |function: &Function| json!({"component": function.component, "export": function.export, "group": function.group, "dynamic": function.dynamic.is_some()});
    let data: Vec<Json> = graph
        .data()
        .iter()
        .map(|entry| {
            json!({
                "bytes": entry.bytes.as_ref().map(ExactSizeIterator::len), "source": entry.source.as_ref().map(source_json),
                "offset": entry.offset, "len": entry.len, "type": entry.ty.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    let task = |task: Task<'_>| {
        let needs: Vec<&str> = task.dependencies().iter().map(|needed| graph.task(*needed).key()).collect();
        let gang = task.gang().map(|(gang, rank)| json!({"first": graph.task(gang.first).key(), "rank": rank, "size": gang.len}));
        json!({"key": task.key(), "function": task.function_index(), "needs": needs, "gang": gang})
    };
    json!({
        "name": graph.options().name,
        "edges": graph.edge_count(),
        "depth": depth(graph),
        "bytes": graph.file().len(),
        "components": graph.components().iter().map(component).collect::<Vec<_>>(),
        "functions": graph.functions().iter().map(function).collect::<Vec<_>>(),
        "data": data,
        "tasks": graph.tasks().map(task).collect::<Vec<_>>(),
        "outputs": graph.outputs().iter().map(|output| graph.output_name(output)).collect::<Vec<_>>(),
    })
}

fn source_json(source: &Source) -> Json {
    match source {
        Source::Path(text) => json!({"path": text}),
        Source::Url(text) => json!({"url": text}),
        Source::Oci(text) => json!({"oci": text}),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Tasks as boxes in the colour of their function, outputs with a double line, an arrow for each edge.
fn dot(graph: &Graph) -> String {
    const COLOURS: [&str; 8] = ["#cfe8ff", "#ffe3c2", "#d7f5d0", "#f6d5ec", "#fff3b8", "#d9d7fb", "#cdf2ef", "#e8e0d5"];
    let colours: BTreeMap<u32, &str> = (0..graph.functions().len() as u32).zip(COLOURS.iter().copied().cycle()).collect();
    let mut is_output = vec![false; graph.len()];
    graph.outputs().iter().for_each(|output| is_output[output.task.0 as usize] = true);
    let mut out =
        String::from("digraph tasks {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n");
    for task in graph.tasks() {
        let index = task.index().0;
        let label = quoted(&format!("{}\n{}", task.key(), short_function(task.function())));
        let double = if is_output[index as usize] { ", peripheries=2" } else { "" };
        let colour = colours.get(&task.function_index()).copied().unwrap_or("white");
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  t{index} [label={label}, fillcolor={}{double}];", quoted(colour));
        for needed in task.dependencies() {
            let _ = writeln!(out, "  t{} -> t{index};", needed.0);
        }
    }
    out.push_str("}\n");
    out
}
