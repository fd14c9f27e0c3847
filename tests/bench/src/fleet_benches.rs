//! Graphs on a fleet of two worker processes of one slot, beside dask.distributed with two workers of one thread.
//!
//! From the graph object in the client to the value in the client on both sides, both warm, rounds taking turns. Every
//! task is one attempt, and an attempt is a fresh instance: a guest that counts its calls in a global variable says so.

use crate::context::Context;
use crate::error::{BenchError, check};
use crate::fleet::Fleet;
use crate::median::median;
use crate::report::{Bar, Report, Row};
use crate::shapes::{self, Shape};
use std::path::Path;
use std::time::Instant;
use wasm_tasks::blocking;

const PEER: &str = "dask.distributed";
const ROUNDS: usize = 5;
/// Rounds of the peer at most, and seconds after which it gets no further one: its rounds are long.
const PEER_ROUNDS: usize = 3;
const PEER_SECONDS: f64 = 60.0;

/// 10,000 leaves, summed by a hundred tasks of a hundred and one of a hundred.
pub(crate) fn merge(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    beside_dask(context, report, "merge-10000", ("merge", 10_000), |calc, round| shapes::merge(calc, 10_000, round))
}

/// 2^14 leaves, summed pairwise.
pub(crate) fn tree(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    beside_dask(context, report, "tree-14", ("tree", 14), |calc, round| shapes::tree(calc, 14, round))
}

/// A hop: ours is the slope between chains of 2,000 and 20,000, so that what a graph costs once does not count; dask's is a
/// chain of 2,000 divided by its length.
pub(crate) fn chain(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    let (short, long) = (2_000, 20_000);
    let (fleet, calc) = ready(context)?;
    let (mut slopes, mut shorts, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    run(&fleet.client, shapes::chain(&calc, short, ROUNDS)?)?;
    let peer = context.peer()?;
    if let Some(peer) = &peer {
        peer.borrow_mut().run("chain", 100, PEER_ROUNDS)?;
    }
    for round in 0..ROUNDS {
        let few = run(&fleet.client, shapes::chain(&calc, short, round)?)?;
        let many = run(&fleet.client, shapes::chain(&calc, long, round)?)?;
        slopes.push((many - few) / (long - short) as f64 * 1e6);
        shorts.push(few / short as f64 * 1e6);
        if let Some(peer) = peer.as_ref().filter(|_| round < PEER_ROUNDS && theirs.iter().sum::<f64>() < PEER_SECONDS) {
            theirs.push(run_peer(&mut peer.borrow_mut(), "chain", short, round, short * (short - 1) / 2 + round)?);
        }
    }
    let note = format!("median of {ROUNDS} slopes; a chain of {short} takes {:.1} µs a hop; dask: median of {}", median(shorts), theirs.len());
    let peer = (!theirs.is_empty()).then(|| (PEER, median(theirs) / short as f64 * 1e6));
    report.add(Row { name: "chain-2000".to_owned(), value: median(slopes), unit: "µs/hop", peer, bar: Some(Bar::AtMost(400.0)), note });
    Ok(())
}

fn beside_dask(
    context: &Context,
    report: &mut Report,
    name: &str,
    (shape, size): (&str, usize),
    make: impl Fn(&Path, usize) -> Result<Shape, BenchError>,
) -> Result<(), BenchError> {
    let (fleet, calc) = ready(context)?;
    let peer = context.peer()?;
    run(&fleet.client, make(&calc, ROUNDS)?)?;
    if let Some(peer) = &peer {
        peer.borrow_mut().run("merge", 200, PEER_ROUNDS)?;
    }
    let (mut ours, mut theirs, mut tasks) = (Vec::new(), Vec::new(), 0);
    let busy = processes_cpu(&fleet)?;
    for round in 0..ROUNDS {
        let made = make(&calc, round)?;
        let expected = made.expected;
        tasks = made.tasks;
        ours.push(run(&fleet.client, made)?);
        if let Some(peer) = peer.as_ref().filter(|_| round < PEER_ROUNDS && theirs.iter().sum::<f64>() < PEER_SECONDS) {
            theirs.push(run_peer(&mut peer.borrow_mut(), shape, size, round, expected as usize)?);
        }
    }
    let cpu: Vec<String> = processes_cpu(&fleet)?
        .iter()
        .zip(&busy)
        .map(|((name, after), (_, before))| format!("{name} {:.1}", (after - before) / (ROUNDS as u64 * tasks) as f64 * 1e6))
        .collect();
    let value = median(ours);
    let note = format!(
        "{tasks} tasks, {:.0} a second, median of {ROUNDS}, dask of {}; µs CPU a task: {}",
        tasks as f64 / value,
        theirs.len(),
        cpu.join(", ")
    );
    let peer = (!theirs.is_empty()).then(|| (PEER, median(theirs)));
    report.add(Row { name: name.to_owned(), value, unit: "s", peer, bar: Some(Bar::TimesFaster(20.0)), note });
    Ok(())
}

/// The fleet, with the guest loaded and seen to run every task in a fresh instance.
fn ready(context: &Context) -> Result<(std::rc::Rc<Fleet>, std::path::PathBuf), BenchError> {
    const COUNTED: usize = 1_000;
    let fleet = context.fleet()?;
    let graph = shapes::counts(&context.guest_path("hostile"), COUNTED)?;
    let file = graph.to_bytes().map_err(BenchError::at("writing a graph"))?;
    let outcome = fleet.client.submit(file, ".".as_ref()).and_then(|submission| submission.wait()).map_err(BenchError::at("counting calls"))?;
    for output in &outcome.outputs {
        let value = output.value.as_ref().map_err(BenchError::at("counting calls"))?;
        let count: u32 = wasm_tasks::decode(value).map_err(BenchError::at("counting calls"))?;
        check("the number of calls in an instance", &count, &1)?;
    }
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
    check("the number of tasks that ran", &outcome.summary.attempts, &tasks)?;
    Ok(seconds)
}

fn run_peer(peer: &mut crate::peer::Peer, shape: &str, size: usize, round: usize, expected: usize) -> Result<f64, BenchError> {
    let (seconds, value) = peer.run(shape, size, round)?;
    check("dask's value", &value, &(expected as i64))?;
    Ok(seconds)
}

fn processes_cpu(fleet: &Fleet) -> Result<Vec<(String, f64)>, BenchError> {
    fleet.processes.iter().map(|(name, process)| Ok((name.clone(), process.cpu_seconds()?))).collect()
}
