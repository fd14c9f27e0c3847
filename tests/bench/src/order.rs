//! The static order beside `dask.order`: how many results are alive at once, on every shape, and how long ordering takes.

use crate::context::Context;
use crate::error::BenchError;
use crate::process::Stopwatch;
use crate::report::{Bar, Report, Row};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::process::{Command, Stdio};
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_scheduler_core::{living_results, static_order};
use wasm_tasks_sim::order_shapes::{self, Shape};

const SCRIPT: &str = include_str!("../python/order.py");
const WHAT: &str = "comparing orders";

/// A shape in the form of a plan.
struct Plan {
    starts: Vec<u32>,
    inputs: Vec<TaskIndex>,
}

impl Plan {
    fn of(shape: &Shape) -> Plan {
        let mut plan = Plan { starts: vec![0], inputs: Vec::new() };
        for inputs in &shape.inputs {
            plan.inputs.extend(inputs.iter().copied().map(TaskIndex));
            plan.starts.push(plan.inputs.len() as u32);
        }
        plan
    }

    /// Ranks, and the seconds that they took.
    fn order(&self) -> Result<(Vec<u32>, f64), BenchError> {
        let watch = Stopwatch::start()?;
        let ranks = static_order(&self.starts, &self.inputs);
        Ok((ranks, watch.seconds()?))
    }

    fn peak(&self, ranks: &[u32]) -> u64 {
        living_results(&self.starts, &self.inputs, ranks, None).into_iter().max().unwrap_or(0)
    }
}

/// What dask made of a shape.
struct Answer {
    ranks: Vec<u32>,
    seconds: f64,
}

/// Compares all shapes, then takes the time of graphs of a million tasks.
pub(crate) fn run(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    let shapes = order_shapes::all();
    let answers = match context.python() {
        Some(python) => Some(ask(python, context.home(), &shapes)?),
        None => {
            crate::say("   no Python with dask: nothing to compare with");
            None
        }
    };
    let (mut worse, mut better, mut logarithms, mut seconds) = (0u32, 0u32, 0.0, (0.0, 0.0));
    for (at, shape) in shapes.iter().enumerate() {
        let plan = Plan::of(shape);
        let (ranks, took) = plan.order()?;
        let ours = plan.peak(&ranks);
        let (name, tasks) = (&shape.name, shape.inputs.len());
        let Some(answer) = answers.as_ref().map(|answers| &answers[at]) else {
            crate::say(&format!("   {name:34} {tasks:>6} tasks  peak {ours:>5}  {:>8.2} ms", took * 1e3));
            continue;
        };
        let theirs = plan.peak(&answer.ranks);
        (worse, better) = (worse + u32::from(ours > theirs), better + u32::from(ours < theirs));
        logarithms += (ours.max(1) as f64 / theirs.max(1) as f64).ln();
        seconds = (seconds.0 + took, seconds.1 + answer.seconds);
        let verdict = if ours > theirs { "  WORSE" } else { "" };
        crate::say(&format!(
            "   {name:34} {tasks:>6} tasks  peak {ours:>5}, dask {theirs:>5}  {:>8.2} ms, dask {:>8.2} ms{verdict}",
            took * 1e3,
            answer.seconds * 1e3
        ));
    }
    if answers.is_some() {
        let count = shapes.len();
        let row = |name: &str, value, unit| Row { name: name.to_owned(), value, unit, ..Row::default() };
        let note = format!("of {count} graphs; fewer alive on {better}, as many on {}", count as u32 - better - worse);
        report.add(Row { bar: Some(Bar::AtMost(0.0)), note, ..row("order-worse", f64::from(worse), "graphs") });
        let note = "peak of living results, geometric mean".to_owned();
        report.add(Row { note, ..row("order-peak", (logarithms / count as f64).exp(), "x dask's") });
        report.add(Row { peer: Some(("dask", seconds.1)), ..row("order-all", seconds.0, "s") });
    }
    for shape in order_shapes::huge() {
        let plan = Plan::of(&shape);
        let (ranks, took) = plan.order()?;
        let note = format!("{} tasks and {} edges, peak {}", ranks.len(), plan.inputs.len(), plan.peak(&ranks));
        let name = format!("order-{}", shape.name);
        report.add(Row { name, value: took, unit: "s", bar: Some(Bar::AtMost(1.0)), note, ..Row::default() });
    }
    Ok(())
}

/// dask's orders of all shapes.
fn ask(python: &Path, home: &Path, shapes: &[Shape]) -> Result<Vec<Answer>, BenchError> {
    let (script, graphs) = (home.join("order.py"), home.join("order.jsonl"));
    let lines: String = shapes.iter().map(|shape| json!({"deps": shape.inputs}).to_string() + "\n").collect();
    for (path, text) in [(&script, SCRIPT), (&graphs, lines.as_str())] {
        std::fs::write(path, text).map_err(|source| BenchError::File { path: path.clone(), source })?;
    }
    let child = Command::new(python).arg(&script).arg(&graphs).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = child.map_err(BenchError::at(WHAT))?;
    let failed = |reason: String| BenchError::Failed { what: WHAT, reason };
    if !output.status.success() {
        return Err(failed(format!("dask's side ended with {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    crate::say(&format!("   {}", lines.next().unwrap_or_default()));
    let mut answers = Vec::with_capacity(shapes.len());
    for (shape, line) in shapes.iter().zip(lines) {
        let answer: Json = serde_json::from_str(line).map_err(BenchError::at(WHAT))?;
        let number = |rank: &Json| rank.as_u64().and_then(|rank| u32::try_from(rank).ok());
        let ranks: Option<Vec<u32>> = answer["priorities"].as_array().and_then(|ranks| ranks.iter().map(number).collect());
        match (ranks, answer["seconds"].as_f64()) {
            (Some(ranks), Some(seconds)) if is_order(shape, &ranks) => answers.push(Answer { ranks, seconds }),
            _ => return Err(failed(format!("dask's answer for {} is no order", shape.name))),
        }
    }
    if answers.len() == shapes.len() {
        Ok(answers)
    } else {
        Err(failed(format!("dask answered for {} of {} graphs", answers.len(), shapes.len())))
    }
}

/// Whether ranks are a permutation, each task after what it needs.
fn is_order(shape: &Shape, ranks: &[u32]) -> bool {
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable();
    let comes_after = |(task, inputs): (usize, &Vec<u32>)| inputs.iter().all(|input| ranks[*input as usize] < ranks[task]);
    sorted.into_iter().eq(0..shape.inputs.len() as u32) && shape.inputs.iter().enumerate().all(comes_after)
}
