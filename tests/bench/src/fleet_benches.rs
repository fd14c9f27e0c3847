//! Graphs on a fleet of two worker processes of one slot, beside dask.distributed with two workers of one thread.
//!
//! From the graph object in the client to the value in the client on both sides, both warm, rounds taking turns. Every
//! task runs in a fresh instance: the workers' count of instances grows by the number of tasks, and a guest that counts its
//! calls in a global variable says so too.

use crate::context::Context;
use crate::error::{BenchError, check};
use crate::fleet::Fleet;
use crate::median::median;
use crate::peer::{Peer, Took};
use crate::report::{Bar, Report, Row};
use crate::sandbox::{Sandbox, call};
use crate::shapes::{self, Shape};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;
use wasm_tasks::blocking;
use wasm_tasks_sandbox::CancelFlag;
use wasm_tasks_sandbox::bare::Bare;

const PEER: &str = "dask.distributed";
const ROUNDS: usize = 5;
/// Rounds of the peer at most, and seconds after which it gets no further one: its rounds are long.
const PEER_ROUNDS: usize = 3;
const PEER_SECONDS: f64 = 40.0;

/// 10,000 leaves, summed by a hundred tasks of a hundred and one of a hundred.
pub(crate) fn merge(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    beside_dask(context, report, "merge-10000", ("merge", 10_000), |calc, round| shapes::merge(calc, 10_000, round))
}

/// 2^14 leaves, summed pairwise.
pub(crate) fn tree(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    beside_dask(context, report, "tree-14", ("tree", 14), |calc, round| shapes::tree(calc, 14, round))
}

/// A hop: ours is the slope between chains of 2,000 and 20,000, so that what a graph costs once does not count; dask's is a
/// chain of 2,000 divided by its length. The bare cycle (store, instance, call, drop) is on one thread, as a chain is, and takes
/// turns with the chains.
pub(crate) fn chain(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    let (short, long) = (2_000, 20_000);
    let (fleet, calc) = ready(context)?;
    let instances = fleet.instantiations()?;
    run(&fleet.client, shapes::chain(&calc, short, ROUNDS)?)?;
    let mut peer = Beside::warm(context)?;
    let sandbox = Sandbox::load(context, "calc")?;
    let add = sandbox.component.function("add").map_err(BenchError::at("finding an export"))?;
    let bare = Bare::new(&add);
    bare_cycle(&bare)?;
    let (mut slopes, mut shorts, mut cycles) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let few = run(&fleet.client, shapes::chain(&calc, short, round)?)?;
        let many = run(&fleet.client, shapes::chain(&calc, long, round)?)?;
        slopes.push((many - few) / (long - short) as f64 * 1e6);
        cycles.push(bare_cycle(&bare)? * 1e6);
        shorts.push(few / short as f64 * 1e6);
        peer.run("chain", short, round, (short * (short - 1) / 2 + round) as i64)?;
    }
    fleet.wait_for_instantiations(instances + (short + ROUNDS * (short + long)) as u64)?;
    report.add(Row {
        name: "chain-hop".to_owned(),
        value: median(slopes.iter().copied()),
        unit: "µs/hop",
        peer: Some(("bare wasmtime cycle", median(cycles.iter().copied()))),
        bar: Some(Bar::RatioAtMost(2.0)),
        note: format!("slope between {short} and {long} tasks; ratios of {ROUNDS} rounds {}", ratios(&slopes, &cycles)),
    });
    report.add(Row {
        name: "chain-2000".to_owned(),
        value: median(slopes),
        unit: "µs/hop",
        peer: peer.seconds().map(|seconds| (PEER, seconds / short as f64 * 1e6)),
        bar: Some(Bar::AtMost(400.0)),
        note: format!("median of {ROUNDS} slopes; a chain of {short} takes {:.1} µs a hop; {}", median(shorts), peer.note()),
    });
    Ok(())
}

/// Seconds of wall time a bare cycle, on this thread.
fn bare_cycle(bare: &Bare) -> Result<f64, BenchError> {
    const CYCLES: u32 = 20_000;
    let cancel = CancelFlag::new();
    let start = Instant::now();
    let sum = bare.add(&call(&[], &cancel), 1, 2, CYCLES).map_err(BenchError::at("calling barely"))?;
    let seconds = start.elapsed().as_secs_f64() / f64::from(CYCLES);
    check("a bare sum", &sum, &3)?;
    Ok(seconds)
}

fn ratios(ours: &[f64], theirs: &[f64]) -> String {
    ours.iter().zip(theirs).map(|(ours, theirs)| format!("{:.2}", ours / theirs)).collect::<Vec<_>>().join(" ")
}

fn beside_dask(
    context: &Context,
    report: &mut Report,
    name: &str,
    (shape, size): (&str, usize),
    make: impl Fn(&Path, usize) -> Result<Shape, BenchError>,
) -> Result<(), BenchError> {
    let (fleet, calc) = ready(context)?;
    let instances = fleet.instantiations()?;
    run(&fleet.client, make(&calc, ROUNDS)?)?;
    let mut peer = Beside::warm(context)?;
    let (mut ours, mut tasks, mut cpu) = (Vec::new(), 0, vec![0.0; fleet.processes.len()]);
    for round in 0..ROUNDS {
        let made = make(&calc, round)?;
        let expected = made.expected;
        tasks = made.tasks;
        let before = processes_cpu(&fleet)?;
        ours.push(run(&fleet.client, made)?);
        for ((cpu, before), after) in cpu.iter_mut().zip(before).zip(processes_cpu(&fleet)?) {
            *cpu += (after - before) / (ROUNDS as u64 * tasks) as f64 * 1e6;
        }
        peer.run(shape, size, round, expected)?;
    }
    fleet.wait_for_instantiations(instances + (1 + ROUNDS as u64) * tasks)?;
    let cpu: Vec<String> = fleet.processes.iter().zip(cpu).map(|((name, _), cpu)| format!("{name} {cpu:.1}")).collect();
    let value = median(ours);
    let note = format!(
        "{tasks} tasks, {:.0} a second, median of {ROUNDS}; µs CPU a task: {}; {}",
        tasks as f64 / value,
        cpu.join(", "),
        peer.note()
    );
    let peer = peer.seconds().map(|seconds| (PEER, seconds));
    report.add(Row { name: name.to_owned(), value, unit: "s", peer, bar: Some(Bar::TimesFaster(50.0)), note });
    Ok(())
}

/// The peer, as far as there is one, and what it took.
struct Beside {
    peer: Option<Rc<RefCell<Peer>>>,
    took: Vec<Took>,
}

impl Beside {
    /// Starts it where that has not happened yet, and lets it do a little.
    fn warm(context: &Context) -> Result<Beside, BenchError> {
        let peer = context.peer()?;
        if let Some(peer) = &peer {
            peer.borrow_mut().run("merge", 200, PEER_ROUNDS, 200 * 199 / 2 + 200 * PEER_ROUNDS as i64)?;
        }
        Ok(Beside { peer, took: Vec::new() })
    }

    /// Runs a round, unless there were enough.
    fn run(&mut self, shape: &str, size: usize, round: usize, expected: i64) -> Result<(), BenchError> {
        let Some(peer) = &self.peer else { return Ok(()) };
        let spent: f64 = self.took.iter().map(|took| took.seconds()).sum();
        if round < PEER_ROUNDS && spent < PEER_SECONDS && !peer.borrow().is_stopped() {
            self.took.push(peer.borrow_mut().run(shape, size, round, expected)?);
        }
        Ok(())
    }

    fn seconds(&self) -> Option<f64> {
        (!self.took.is_empty()).then(|| median(self.took.iter().map(|took| took.seconds())))
    }

    fn note(&self) -> String {
        match self.took.last() {
            None => "no dask here".to_owned(),
            Some(Took::Seconds(_)) => format!("dask: median of {}", self.took.len()),
            Some(Took::AtLeast(seconds)) => format!("dask was stopped after {seconds} s without having finished"),
        }
    }
}

/// The fleet, with the guest loaded and seen to run every task in a fresh instance.
fn ready(context: &Context) -> Result<(Rc<Fleet>, std::path::PathBuf), BenchError> {
    const COUNTED: usize = 1_000;
    let fleet = context.fleet()?;
    let instances = fleet.instantiations()?;
    let graph = shapes::counts(&context.guest_path("hostile"), COUNTED)?;
    let file = graph.to_bytes().map_err(BenchError::at("writing a graph"))?;
    let outcome = fleet
        .client
        .submit(file, ".".as_ref())
        .and_then(|submission| submission.wait())
        .map_err(BenchError::at("counting calls"))?;
    for output in &outcome.outputs {
        let value = output.value.as_ref().map_err(BenchError::at("counting calls"))?;
        let count: u32 = wasm_tasks::decode(value).map_err(BenchError::at("counting calls"))?;
        check("the number of calls in an instance", &count, &1)?;
    }
    fleet.wait_for_instantiations(instances + COUNTED as u64)?;
    Ok((fleet, context.guest_path("calc")))
}

/// Seconds from the graph object to the value.
fn run(client: &blocking::Client, shape: Shape) -> Result<f64, BenchError> {
    let Shape { graph, output, expected, tasks } = shape;
    let start = Instant::now();
    let file = graph.to_bytes().map_err(BenchError::at("writing a graph"))?;
    let submission = client.submit(file, ".".as_ref()).map_err(BenchError::at("submitting"))?;
    let outcome = submission.wait().map_err(BenchError::at("running a graph"))?;
    let value: i64 = outcome.decode(&output).map_err(BenchError::at("computing a value"))?;
    let seconds = start.elapsed().as_secs_f64();
    check("the value", &value, &expected)?;
    check("the number of tasks that ran", &outcome.summary.finished, &tasks)?;
    Ok(seconds)
}

fn processes_cpu(fleet: &Fleet) -> Result<Vec<f64>, BenchError> {
    fleet.processes.iter().map(|(_, process)| process.cpu_seconds()).collect()
}
