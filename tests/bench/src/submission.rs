//! Handing over a graph of a million tasks: what the scheduler computes before anything runs, and the memory that it takes
//! while the graph is there and after it is released.

use crate::context::Context;
use crate::error::{BenchError, check};
use crate::fleet::Scheduler;
use crate::process::Stopwatch;
use crate::report::{Bar, Report, Row};
use crate::shapes::{self, Shape};
use crate::stub::Stubs;
use bytes::Bytes;
use std::time::{Duration, Instant};
use wasm_tasks::blocking;
use wasm_tasks_interface::Interface;
use wasm_tasks_protocol::graph::{Graph, Settings};
use wasm_tasks_protocol::ids::GraphId;
use wasm_tasks_protocol::message::Query;
use wasm_tasks_protocol::time::Time;
use wasm_tasks_scheduler_core::{Actions, Event, GraphPlan, SchedulerCore, Settings as CoreSettings};

/// Leaves of the merge; its sums come on top.
const LEAVES: usize = 1_000_000;
/// Leaves of the tree: 2^19, and nearly as many sums.
const TREE_HEIGHT: u32 = 19;
/// How long a scheduler may take to let go of a graph.
const PATIENCE: Duration = Duration::from_secs(20);

/// Time and memory.
pub(crate) fn run(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    let calc = context.guest_path("calc");
    for (name, shape) in [
        ("merge", shapes::merge(&calc, LEAVES, 0)?),
        ("tree", shapes::tree(&calc, TREE_HEIGHT, 0)?),
        ("random", shapes::random(&calc, LEAVES, 0)?),
    ] {
        phases(context, report, name, &shape)?;
    }
    memory(context, report)
}

/// The steps of a submission in this process, as the scheduler takes them.
fn phases(context: &Context, report: &mut Report, name: &str, shape: &Shape) -> Result<(), BenchError> {
    let file = Bytes::from(shape.graph.to_bytes().map_err(BenchError::at("writing a graph"))?);
    let bytes = file.len();
    let interface = Interface::read(&context.guest("calc")?).map_err(BenchError::at("reading a guest"))?;
    let mut laps = Vec::new();
    let mut lap = |what: &'static str, watch: Stopwatch| -> Result<(), BenchError> {
        laps.push((what, watch.seconds()?));
        Ok(())
    };
    let watch = Stopwatch::start()?;
    let graph = Graph::read(file).map_err(BenchError::at("reading a graph"))?;
    lap("decode", watch)?;
    let watch = Stopwatch::start()?;
    wasm_tasks_interface::check(&graph, |_| &interface).map_err(BenchError::at("checking a graph"))?;
    lap("check", watch)?;
    let watch = Stopwatch::start()?;
    let plan = plan(&graph);
    lap("plan", watch)?;
    let mut core = SchedulerCore::new(&CoreSettings { first_serial: 1 });
    let mut actions = Actions::new();
    let watch = Stopwatch::start()?;
    core.handle(Time(0), Event::GraphSubmitted { graph: GraphId([1; 16]), plan }, &mut actions);
    core.handle(Time(0), Event::Settle, &mut actions);
    lap("order and core", watch)?;
    check("whether the core took it", &actions.is_empty(), &false)?;
    let list: Vec<String> = laps.iter().map(|(what, seconds)| format!("{what} {seconds:.2}")).collect();
    report.add(Row {
        name: format!("submit-1M-{name}"),
        value: laps.iter().map(|(_, seconds)| seconds).sum(),
        unit: "s",
        bar: Some(Bar::AtMost(2.0)),
        note: format!("{} tasks in {} MiB: {}", shape.tasks, bytes >> 20, list.join(", ")),
        ..Row::default()
    });
    Ok(())
}

/// What the scheduler's core is told of a graph.
fn plan(graph: &Graph) -> GraphPlan {
    let mut plan = GraphPlan {
        dependency_starts: vec![0],
        settings: vec![Settings::default()],
        task_settings: vec![0; graph.len()],
        outputs: graph.outputs().iter().map(|output| output.task).collect(),
        ..GraphPlan::default()
    };
    for task in graph.tasks() {
        plan.dependencies.extend_from_slice(task.dependencies());
        plan.dependency_starts.push(plan.dependencies.len() as u32);
        plan.functions.push(task.function_index());
    }
    plan
}

/// Resident memory of a scheduler's process before, with, and after a graph.
fn memory(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    let scheduler = Scheduler::start(context)?;
    let stubs = Stubs::start(&scheduler)?;
    let client = blocking::Client::connect(&scheduler.address, &scheduler.credentials).map_err(BenchError::at("connecting"))?;
    let measured = stubs.joined(&client).and_then(|()| hold_and_release(context, &scheduler, &client));
    drop((client, scheduler));
    stubs.end()?;
    let Held { base, file, with, peak, after, tasks, accepted } = measured?;
    let mib = |bytes: u64| bytes >> 20;
    report.add(Row {
        name: "submit-1M-memory".to_owned(),
        value: with.saturating_sub(base).saturating_sub(file) as f64 / tasks as f64,
        unit: "bytes/task",
        bar: Some(Bar::AtMost(300.0)),
        note: format!(
            "resident beyond a file of {} MiB, of a scheduler with the finished graph; accepted {accepted:.2} s after it was sent",
            mib(file)
        ),
        ..Row::default()
    });
    report.add(Row {
        name: "submit-1M-released".to_owned(),
        value: after.saturating_sub(base) as f64 / peak.saturating_sub(base).max(1) as f64 * 100.0,
        unit: "% of peak",
        bar: Some(Bar::AtMost(5.0)),
        note: format!("resident MiB: {} before, {} at most, {} after the release", mib(base), mib(peak), mib(after)),
        ..Row::default()
    });
    Ok(())
}

/// Resident bytes, and how long it took until the graph was accepted.
struct Held {
    base: u64,
    file: u64,
    with: u64,
    peak: u64,
    after: u64,
    tasks: u64,
    accepted: f64,
}

fn hold_and_release(context: &Context, scheduler: &Scheduler, client: &blocking::Client) -> Result<Held, BenchError> {
    let process = scheduler.process();
    let calc = context.guest_path("calc");
    let submit = |shape: &Shape| {
        let file = shape.graph.to_bytes().map_err(BenchError::at("writing a graph"))?;
        let (len, start) = (file.len() as u64, Instant::now());
        let submission = client.submit(file, ".".as_ref()).map_err(BenchError::at("submitting"))?;
        Ok::<_, BenchError>((submission, len, start.elapsed().as_secs_f64()))
    };
    let end = |submission: &blocking::Submission| {
        submission.finished().map_err(BenchError::at("running a graph"))?;
        client.release(submission.id()).map_err(BenchError::at("releasing a graph"))?;
        forgotten(client, submission.id())
    };
    // Links, the component and threads are there before memory is looked at.
    end(&submit(&shapes::merge(&calc, 10_000, 1)?)?.0)?;
    let base = process.resident_bytes()?;
    let shape = shapes::merge(&calc, LEAVES, 0)?;
    let (submission, file, accepted) = submit(&shape)?;
    submission.finished().map_err(BenchError::at("running a graph"))?;
    let with = process.resident_bytes()?;
    let peak = process.peak_bytes()?;
    end(&submission)?;
    drop(submission);
    let until = Instant::now() + PATIENCE;
    let mut after = process.resident_bytes()?;
    // What is let go is given back by whoever owned it last, which may take a moment.
    while after > base + (peak - base) / 100 && Instant::now() < until {
        std::thread::park_timeout(Duration::from_millis(100));
        after = process.resident_bytes()?;
    }
    Ok(Held { base, file, with, peak, after, tasks: shape.tasks, accepted })
}

/// Waits until a scheduler does not know a graph any more.
fn forgotten(client: &blocking::Client, graph: GraphId) -> Result<(), BenchError> {
    let until = Instant::now() + PATIENCE;
    while client.ask(Query::Outputs { graph }).is_ok() {
        if Instant::now() > until {
            return Err(BenchError::Failed { what: "releasing a graph", reason: "the scheduler still has it".to_owned() });
        }
        std::thread::yield_now();
    }
    Ok(())
}
