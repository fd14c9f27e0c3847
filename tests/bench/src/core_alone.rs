//! The scheduler's core without a shell: events in, actions out, workers that answer at once.

use crate::context::Context;
use crate::error::{BenchError, check};
use crate::median::median;
use crate::process::{Process, Stopwatch};
use crate::report::{Bar, Report, Row};
use crate::shapes;
use std::collections::VecDeque;
use wasm_tasks_protocol::ids::{Attempt, GraphId, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};
use wasm_tasks_scheduler_core::{Action, Actions, Event, GraphPlan, SchedulerCore, Settings, WorkerPlan};

const LEAVES: usize = 100_000;
const ROUNDS: usize = 5;
const GRAPH: GraphId = GraphId([7; 16]);

/// Clusters that are compared. The number of slots decides how many tasks are in flight.
const SMALL: u64 = 10;
const LARGER: [u64; 3] = [100, 1_000, 10_000];
/// Attempts in one report of a worker.
const REPORT_MAX: usize = 16;

/// Time a task for 10 to 10,000 workers, and memory a task.
///
/// Once with workers of one slot, and once with as many slots in all clusters, so that the same number of tasks is in
/// flight: what is different then is the number of workers alone.
pub(crate) fn run(_: &Context, report: &mut Report) -> Result<(), BenchError> {
    let plan = shapes::merge_plan(LEAVES);
    let tasks = plan.functions.len() as f64;
    let most = LARGER[LARGER.len() - 1];
    for (prefix, slots_in_all, about) in
        [("core", None, "workers of one slot"), ("core-even", Some(most), "10,000 slots in each cluster")]
    {
        let counts = || [SMALL].into_iter().chain(LARGER);
        let mut times = vec![Vec::new(); counts().count()];
        for round in 0..=ROUNDS {
            for (workers, times) in counts().zip(&mut times) {
                let seconds = Cluster::new(workers, slots_in_all.map_or(1, |all| all / workers)).measure(plan.clone())?;
                // The first round warms up.
                if round > 0 {
                    times.push(seconds / tasks * 1e6);
                }
            }
        }
        let mut times = counts().zip(times.into_iter().map(median));
        let small = times.next().map_or(0.0, |(_, time)| time);
        let row = |workers: u64, value, peer, bar, note| {
            let name = format!("{prefix}-{workers}-workers");
            Row { name, value, unit: "µs/task", peer, bar: Some(bar), note }
        };
        let note = format!("merge of {LEAVES}, {about}, median of {ROUNDS}");
        report.add(row(SMALL, small, None, Bar::AtMost(2.0), note));
        for (workers, time) in times {
            report.add(row(workers, time, Some(("10 workers", small)), Bar::RatioAtMost(1.3), String::new()));
        }
    }

    let this = std::env::current_exe().map_err(|source| BenchError::File { path: "this program".into(), source })?;
    let child = std::process::Command::new(this).arg(crate::CORE_MEMORY).output().map_err(BenchError::at("measuring memory"))?;
    let text = String::from_utf8_lossy(&child.stdout);
    let value: f64 =
        text.trim().parse().map_err(|_| BenchError::Failed { what: "measuring memory", reason: text.into_owned() })?;
    report.add(Row {
        name: "core-memory".to_owned(),
        value,
        unit: "bytes/task",
        note: "growth of resident memory from before the plan to the end of the graph; edges, no keys and arguments".to_owned(),
        ..Row::default()
    });
    Ok(())
}

/// Growth of this process' resident memory for each task of a merge.
pub(crate) fn memory_of_a_task() -> Result<f64, BenchError> {
    let mut cluster = Cluster::new(2, 1);
    let before = Process::SELF.resident_bytes()?;
    let plan = shapes::merge_plan(LEAVES);
    let tasks = plan.functions.len() as f64;
    cluster.measure(plan)?;
    let growth = Process::SELF.resident_bytes()?.saturating_sub(before);
    // Until here: what is measured must still be there.
    drop(cluster);
    Ok(growth as f64 / tasks)
}

/// A core, and workers that are nothing but lists of attempts.
struct Cluster {
    core: SchedulerCore,
    actions: Actions,
    now: Time,
    assigned: Vec<VecDeque<Attempt>>,
    /// Workers that have something to report, in the order in which they will.
    busy: VecDeque<usize>,
    started: u64,
    is_finished: bool,
}

impl Cluster {
    fn new(workers: u64, slots: u64) -> Cluster {
        let mut cluster = Cluster {
            core: SchedulerCore::new(&Settings { first_serial: 1 }),
            actions: Actions::new(),
            now: Time(0),
            assigned: vec![VecDeque::new(); workers as usize],
            busy: VecDeque::new(),
            started: 0,
            is_finished: false,
        };
        for worker in 0..workers {
            let plan = WorkerPlan {
                slots_milli: slots * 1_000,
                memory_bytes: 1 << 30,
                labels: Vec::new(),
                pools: Vec::new(),
                leaves_at: None,
                round_trip: Duration(100),
            };
            cluster.event(Event::WorkerJoined { worker: WorkerId(worker + 1), plan });
        }
        cluster
    }

    fn event(&mut self, event: Event) {
        self.core.handle(self.now, event, &mut self.actions);
        for action in self.actions.drain() {
            match action {
                Action::Assign { worker, attempt, .. } => {
                    let at = worker.0 as usize - 1;
                    if self.assigned[at].is_empty() {
                        self.busy.push_back(at);
                    }
                    self.assigned[at].push_back(attempt);
                    self.started += 1;
                }
                Action::GraphFinished { counts, .. } => self.is_finished = counts.finished == counts.tasks,
                Action::Retract { worker, attempts } => {
                    // All attempts of a turn count as running.
                    drop((worker, attempts));
                }
                Action::GraphAccepted { .. }
                | Action::Cancel { .. }
                | Action::UpdateInput { .. }
                | Action::Release { .. }
                | Action::ReleaseInline(_)
                | Action::Output { .. }
                | Action::TaskFailed { .. }
                | Action::GraphForgotten { .. }
                | Action::Replicate { .. }
                | Action::Drain { .. }
                | Action::Dismiss { .. } => {}
            }
        }
    }

    /// Runs a graph to its end; the time that the core and this loop took.
    fn measure(&mut self, plan: GraphPlan) -> Result<f64, BenchError> {
        let tasks = plan.functions.len() as u64;
        let watch = Stopwatch::start()?;
        self.event(Event::GraphSubmitted { graph: GRAPH, plan });
        self.event(Event::Settle);
        while let Some(at) = self.busy.pop_front() {
            // One worker's report is one turn, as it is on a link.
            self.now = Time(self.now.0 + 10);
            let reported = self.assigned[at].len().min(REPORT_MAX);
            for attempt in self.assigned[at].drain(..reported).collect::<Vec<_>>() {
                self.event(Event::AttemptFinished {
                    worker: WorkerId(at as u64 + 1),
                    attempt,
                    size: 9,
                    run: Duration(10),
                    memory_peak_bytes: 1 << 20,
                    is_inline: true,
                });
            }
            if !self.assigned[at].is_empty() {
                self.busy.push_back(at);
            }
            self.event(Event::Settle);
        }
        let seconds = watch.seconds()?;
        check("whether the graph ended", &self.is_finished, &true)?;
        check("the number of attempts", &self.started, &tasks)?;
        Ok(seconds)
    }
}
