//! The scheduler's process over QUIC with two workers that answer at once: its processor time and memory a task,
//! reading and checking the graph included.

use crate::context::Context;
use crate::error::{BenchError, check};
use crate::fleet::Scheduler;
use crate::median::median;
use crate::report::{Bar, Report, Row};
use crate::shapes;
use crate::stub::Stubs;
use std::time::Instant;
use wasm_tasks::blocking;

const LEAVES: usize = 100_000;
const ROUNDS: usize = 5;
const WORKERS: usize = Stubs::COUNT;

/// CPU time and memory.
pub(crate) fn run(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    let scheduler = Scheduler::start(context)?;
    let stubs = Stubs::start(&scheduler)?;
    let client = blocking::Client::connect(&scheduler.address, &scheduler.credentials).map_err(BenchError::at("connecting"))?;
    let measured = stubs.joined(&client).and_then(|()| measure(context, &scheduler, &client));
    drop((client, scheduler));
    stubs.end()?;
    let (cpu, wall, memory) = measured?;
    report.add(Row {
        name: "zero-worker".to_owned(),
        value: cpu,
        unit: "µs CPU",
        bar: Some(Bar::AtMost(4.0)),
        note: format!(
            "a task of a merge of {LEAVES}, {WORKERS} stub workers, {wall:.2} µs of wall time a task, median of {ROUNDS}"
        ),
        ..Row::default()
    });
    report.add(Row {
        name: "zero-worker-memory".to_owned(),
        value: memory,
        unit: "bytes/task",
        note: "growth of the scheduler's resident memory by a finished graph that is kept; 16-byte keys, edges, arguments"
            .to_owned(),
        ..Row::default()
    });
    Ok(())
}

/// Microseconds of CPU and of wall time, and bytes a task.
fn measure(context: &Context, scheduler: &Scheduler, client: &blocking::Client) -> Result<(f64, f64, f64), BenchError> {
    let process = scheduler.process();
    let (mut cpu, mut wall, mut memory) = (Vec::new(), Vec::new(), None);
    // The component is uploaded and checked before memory is looked at.
    run_once(client, shapes::merge(&context.guest_path("calc"), 100, ROUNDS)?)?;
    for round in 0..ROUNDS {
        let shape = shapes::merge(&context.guest_path("calc"), LEAVES, round)?;
        let tasks = shape.tasks as f64;
        let (before, resident, start) = (process.cpu_seconds()?, process.resident_bytes()?, Instant::now());
        let submission = run_once(client, shape)?;
        wall.push(start.elapsed().as_secs_f64() / tasks * 1e6);
        cpu.push((process.cpu_seconds()? - before) / tasks * 1e6);
        // Later rounds use what the first one leaves behind.
        memory.get_or_insert(process.resident_bytes()?.saturating_sub(resident) as f64 / tasks);
        drop(submission);
    }
    Ok((median(cpu), median(wall), memory.unwrap_or_default()))
}

fn run_once(client: &blocking::Client, shape: shapes::Shape) -> Result<blocking::Submission, BenchError> {
    let file = shape.graph.to_bytes().map_err(BenchError::at("writing a graph"))?;
    let submission = client.submit(file, ".".as_ref()).map_err(BenchError::at("submitting"))?;
    let summary = submission.finished().map_err(BenchError::at("running a graph"))?;
    check("the number of tasks that ran", &summary.finished, &shape.tasks)?;
    Ok(submission)
}
