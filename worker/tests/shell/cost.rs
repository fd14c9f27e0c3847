//! What a task costs in shell and core: many tasks that do nothing.

use crate::scheduler::{GRAPH, Scheduler, args, input, references, settings, task};
use wasm_tasks_protocol::message::{InputSource, ToWorker};
use wasm_tasks_protocol::{Attempt, TaskIndex};

const TASKS: u32 = 200_000;
const BATCH: u32 = 1_000;

/// Processor time of this process, in clock ticks of 10 ms.
fn processor_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    fields[11].parse::<u64>().expect("a number") + fields[12].parse::<u64>().expect("a number")
}

/// Prints the processor time a task; `cargo test … --release -- --nocapture cost` shows it. Fails only when it is far off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_costs_microseconds() {
    let mut scheduler = Scheduler::start(settings(2));
    scheduler.open().await;
    let start = (processor_ticks(), std::time::Instant::now());
    let (mut assigned, mut finished) = (0, 0);
    while finished < TASKS {
        while assigned < TASKS && assigned < finished + 4 * BATCH {
            let tasks = (assigned..assigned + BATCH).map(|at| task(at, "nothing", args(&[u64::from(at)]), vec![]));
            scheduler.assign(tasks.collect()).await;
            assigned += BATCH;
        }
        let first = finished;
        while finished < first + BATCH {
            scheduler.hear_finished().await;
            finished += 1;
        }
        let tasks = (first..finished).map(TaskIndex).collect();
        scheduler.say(ToWorker::ReleaseResults { graph: GRAPH, tasks }).await;
    }
    let micros = (processor_ticks() - start.0) as f64 * 1e4 / f64::from(TASKS);
    let rate = f64::from(TASKS) / start.1.elapsed().as_secs_f64();
    println!("{micros:.2} µs of processor a task, scheduler of the test included; {rate:.0} tasks a second");
    assert!(micros < 30.0, "{micros} µs a task");
}

/// Prints the time from one task of a chain to the next, where the whole chain is known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hop_costs_microseconds() {
    const HOPS: u32 = 20_000;
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    let start = std::time::Instant::now();
    let link = |at: u32| match at {
        0 => task(0, "sum", args(&[1]), vec![]),
        _ => {
            let previous = Attempt(u64::from(at) + 999);
            task(at, "sum", references(&[at - 1]), vec![input(at - 1, InputSource::Pending(previous))])
        }
    };
    scheduler.assign((0..HOPS).map(link).collect()).await;
    for _ in 0..HOPS {
        scheduler.hear_finished().await;
    }
    let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(HOPS);
    println!("{micros:.2} µs a hop");
    assert!(micros < 500.0, "{micros} µs a hop");
}
