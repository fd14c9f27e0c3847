//! A task in an embedded run beside the bare wasmtime loop: store, instance, call, and all dropped again.

use crate::context::Context;
use crate::error::{BenchError, check};
use crate::median::median;
use crate::process::Process;
use crate::report::{Bar, Report, Row};
use crate::sandbox::{Sandbox, call};
use crate::shapes::{self, Shape};
use wasm_tasks::{EmbeddedSettings, blocking};
use wasm_tasks_sandbox::CancelFlag;
use wasm_tasks_sandbox::bare::Bare;

const TASKS: usize = 200_000;
const ROUNDS: usize = 7;
/// Calls of the bare loop between two looks at the clock.
const BATCH: u32 = 1_000;

/// CPU seconds of this process a task over CPU seconds a bare cycle; rounds take turns.
///
/// Both use as many threads: on cores that share execution units a second thread makes each slower in the same way.
pub(crate) fn run(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    let sandbox = Sandbox::load(context, "calc")?;
    let add = sandbox.component.function("add").map_err(BenchError::at("finding an export"))?;
    let bare = Bare::new(&add);
    let slots = std::thread::available_parallelism().map_or(1, usize::from);
    let settings = EmbeddedSettings { modules: Some(context.home().join("embedded-modules")), ..EmbeddedSettings::default() };
    let client = blocking::Client::embedded(settings).map_err(BenchError::at("starting the embedded cluster"))?;
    let calc = context.guest_path("calc");

    embedded(&client, shapes::flat(&calc, 10_000, 9_999)?, 9_999)?;
    merged(&client, shapes::merge(&calc, 10_000, 9_999)?)?;
    bare_loop(&bare, slots, 10_000)?;
    let (mut tasks, mut cycles, mut alone, mut sums) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        sums.push(merged(&client, shapes::merge(&calc, TASKS / 2, round)?)?);
        tasks.push(embedded(&client, shapes::flat(&calc, TASKS, round)?, round)?);
        cycles.push(bare_loop(&bare, slots, TASKS)?);
        alone.push(bare_loop(&bare, 1, TASKS / 4)?);
    }
    client.close();
    // The round in the middle by its ratio: its two halves ran under the same load.
    let mut rounds: Vec<(f64, f64)> = tasks.into_iter().zip(cycles).collect();
    rounds.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let ((ours, theirs), summed) = (rounds[ROUNDS / 2], median(sums));
    let ratios: Vec<String> = rounds.iter().map(|(ours, theirs)| format!("{:.2}", ours / theirs)).collect();
    report.add(Row {
        name: "cycle".to_owned(),
        value: ours * 1e6,
        unit: "µs CPU",
        peer: Some(("bare wasmtime loop", theirs * 1e6)),
        bar: Some(Bar::RatioAtMost(2.0)),
        note: format!(
            "{TASKS} tasks, {slots} threads, ratios of {ROUNDS} rounds {}; the bare loop on one thread takes {:.2} µs",
            ratios.join(" "),
            median(alone) * 1e6
        ),
    });
    report.add(Row {
        name: "cycle-merge".to_owned(),
        value: summed * 1e6,
        unit: "µs CPU",
        peer: Some(("bare wasmtime loop", theirs * 1e6)),
        note: format!("{} tasks summed by a hundred at a time: one output instead of one for each task", TASKS / 2),
        ..Row::default()
    });
    Ok(())
}

/// CPU seconds a task of a merge, from the graph object to its value.
fn merged(client: &blocking::Client, shape: Shape) -> Result<f64, BenchError> {
    let start = Process::SELF.cpu_seconds()?;
    let file = shape.graph.to_bytes().map_err(BenchError::at("writing a graph"))?;
    let submission = client.submit(file, ".".as_ref()).map_err(BenchError::at("submitting"))?;
    let outcome = submission.wait().map_err(BenchError::at("running a graph"))?;
    let seconds = Process::SELF.cpu_seconds()? - start;
    let value: i64 = outcome.decode(&shape.output).map_err(BenchError::at("computing a value"))?;
    check("the value", &value, &shape.expected)?;
    Ok(seconds / shape.tasks as f64)
}

/// CPU seconds a task, from the graph object to all values.
fn embedded(client: &blocking::Client, graph: wasm_tasks::Graph, round: usize) -> Result<f64, BenchError> {
    let tasks = graph.len();
    let start = Process::SELF.cpu_seconds()?;
    let file = graph.to_bytes().map_err(BenchError::at("writing a graph"))?;
    let submission = client.submit(file, ".".as_ref()).map_err(BenchError::at("submitting"))?;
    let outcome = submission.wait().map_err(BenchError::at("running a graph"))?;
    let seconds = Process::SELF.cpu_seconds()? - start;
    check("the number of tasks that ran", &outcome.summary.finished, &(tasks as u64))?;
    for (i, output) in outcome.outputs.iter().enumerate() {
        let value = output.value.as_ref().map_err(BenchError::at("computing an output"))?;
        let value: i64 = wasm_tasks::decode(value).map_err(BenchError::at("decoding an output"))?;
        check("a sum", &value, &((i + round) as i64))?;
    }
    Ok(seconds / tasks as f64)
}

/// CPU seconds a cycle, on so many threads.
fn bare_loop(bare: &Bare, threads: usize, cycles: usize) -> Result<f64, BenchError> {
    let batches = cycles / threads / BATCH as usize;
    let start = Process::SELF.cpu_seconds()?;
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let cancel = CancelFlag::new();
                    (0..batches as i64).try_for_each(|batch| {
                        let sum = bare
                            .add(&call(&[], &cancel), batch, thread as i64, BATCH)
                            .map_err(BenchError::at("calling barely"))?;
                        check("a bare sum", &sum, &(batch + thread as i64))
                    })
                })
            })
            .collect();
        running.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(BenchError::Failed { what: "the bare loop", reason: "a thread panicked".to_owned() }))
        })
    })?;
    Ok((Process::SELF.cpu_seconds()? - start) / (threads * batches * BATCH as usize) as f64)
}
