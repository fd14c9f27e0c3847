//! What a run met: steps of the scheduler's and of the workers' tables, by the kinds of faults that were in force.

use std::collections::BTreeMap;
use std::fmt;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_scheduler_core::{Counters, TRANSITIONS};
use wasm_tasks_worker_core::{Phase, STEPS, Steps};

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// None is in force.
    None,
    /// A worker's process ends.
    Crash,
    /// The link to the scheduler ends; both sides notice, one later than the other.
    LinkLost,
    /// Messages between a worker and the scheduler stand still for a while.
    Delay,
    /// Two workers cannot reach each other for a while.
    Partition,
    /// What a worker says comes twice, for a while.
    Duplicate,
    /// Ways take very different times for a while: messages of different links, and results, overtake each other.
    Reorder,
    /// A worker's disk is full for a while: what should be spilled stays in memory, until the machine ends the process.
    FullDisk,
    /// A worker cannot give a result that it holds: its disk is broken.
    LostReplica,
    /// A worker joins.
    Join,
    /// A worker drains and leaves.
    Leave,
    /// Attempts fail for reasons of the worker.
    TaskFault,
    /// A worker becomes slow.
    Straggler,
    /// Old reports come again, or reports of things that never were, or of another worker's attempts.
    StaleReport,
    /// A graph, or some of its tasks, are cancelled.
    Cancel,
    /// A graph is released.
    Release,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 16] = [
        FaultKind::None,
        FaultKind::Crash,
        FaultKind::LinkLost,
        FaultKind::Delay,
        FaultKind::Partition,
        FaultKind::Duplicate,
        FaultKind::Reorder,
        FaultKind::FullDisk,
        FaultKind::LostReplica,
        FaultKind::Join,
        FaultKind::Leave,
        FaultKind::TaskFault,
        FaultKind::Straggler,
        FaultKind::StaleReport,
        FaultKind::Cancel,
        FaultKind::Release,
    ];
}

/// A fault is in force while it lasts and so long after: what it set off goes on.
const AFTERMATH: Duration = Duration::from_millis(100);

const KINDS: usize = FaultKind::ALL.len();
const SCHEDULER_STEPS: usize = TRANSITIONS.len();

/// Pairs of a step and a kind of fault that cannot meet, with the reason.
pub const IMPOSSIBLE: &[(&str, FaultKind, &str)] = &[];

/// Counts of a run, or of many.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// Events that the scheduler's core handled.
    pub events: u64,
    /// Of these, how many were followed by a check of all its invariants.
    pub checked: u64,
    /// Events that workers' cores handled; each is followed by a check.
    pub worker_events: u64,
    /// Times that several members of a gang started.
    pub gangs: u64,
    /// Faults by kind.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Until when each kind is in force.
    until: [Time; KINDS],
    /// Steps of the scheduler's table by the kinds in force, in the order of the table.
    scheduler: [[u64; SCHEDULER_STEPS]; KINDS],
    /// The same of the workers' table.
    workers: [[u64; STEPS.len()]; KINDS],
    seen: [u64; SCHEDULER_STEPS],
}

impl Default for Coverage {
    fn default() -> Coverage {
        Coverage {
            events: 0,
            checked: 0,
            worker_events: 0,
            gangs: 0,
            faults: BTreeMap::new(),
            until: [Time(0); KINDS],
            scheduler: [[0; SCHEDULER_STEPS]; KINDS],
            workers: [[0; STEPS.len()]; KINDS],
            seen: [0; SCHEDULER_STEPS],
        }
    }
}

impl Coverage {
    /// A fault happens now and lasts so long.
    pub fn fault(&mut self, kind: FaultKind, now: Time, length: Duration) {
        let until = &mut self.until[kind as usize];
        *until = (*until).max(now + length + AFTERMATH);
        *self.faults.entry(kind).or_default() += 1;
    }

    /// The kinds in force, `None` where there are none.
    fn in_force(&self, now: Time) -> impl Iterator<Item = usize> + use<> {
        let mut is_in_force = self.until.map(|until| until > now);
        is_in_force[FaultKind::None as usize] = !is_in_force.contains(&true);
        (0..KINDS).filter(move |kind| is_in_force[*kind])
    }

    /// Takes over what the scheduler's core counted since the last time.
    pub(crate) fn note(&mut self, now: Time, counters: &Counters) {
        if counters.transitions != self.seen {
            for kind in self.in_force(now) {
                let row = self.scheduler[kind].iter_mut().zip(&counters.transitions).zip(&self.seen);
                row.for_each(|((total, now), before)| *total += now - before);
            }
            self.seen = counters.transitions;
        }
    }

    /// Takes over what a worker's core counted since `seen`.
    pub(crate) fn note_worker(&mut self, now: Time, steps: &Steps, seen: &mut Steps) {
        if steps != seen {
            for kind in self.in_force(now) {
                let row = self.workers[kind].iter_mut().zip(steps).zip(seen.iter());
                row.for_each(|((total, now), before)| *total += now - before);
            }
            *seen = *steps;
        }
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Coverage) {
        self.events += other.events;
        self.checked += other.checked;
        self.worker_events += other.worker_events;
        self.gangs += other.gangs;
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        for kind in 0..KINDS {
            self.scheduler[kind].iter_mut().zip(&other.scheduler[kind]).for_each(|(total, count)| *total += count);
            self.workers[kind].iter_mut().zip(&other.workers[kind]).for_each(|(total, count)| *total += count);
        }
    }

    /// Every step of both tables by name, with how often it was met while each kind was in force.
    pub fn rows(&self) -> Vec<(String, [u64; KINDS])> {
        let scheduler = TRANSITIONS.iter().enumerate().map(|(at, step)| {
            (format!("{} > {}", step.from.as_str(), step.to.as_str()), std::array::from_fn(|kind| self.scheduler[kind][at]))
        });
        let name = |(from, to): &(Phase, Phase)| format!("worker: {} > {}", from.as_str(), to.as_str());
        let workers = STEPS.iter().enumerate().map(|(at, step)| (name(step), std::array::from_fn(|kind| self.workers[kind][at])));
        scheduler.chain(workers).collect()
    }

    /// What was met fewer than `least` times: pairs of a step and a kind of fault; what cannot be is left out.
    pub fn missing(&self, least: u64) -> Vec<(String, FaultKind, u64)> {
        let is_impossible = |step: &str, kind| IMPOSSIBLE.iter().any(|(name, of, _)| *name == step && *of == kind);
        let mut missing = Vec::new();
        for (step, counts) in self.rows() {
            for (kind, count) in FaultKind::ALL.into_iter().zip(counts).filter(|(kind, _)| *kind != FaultKind::None) {
                if count < least && !is_impossible(&step, kind) {
                    missing.push((step.clone(), kind, count));
                }
            }
        }
        missing
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "events: {} of the scheduler, {} checked; {} of workers, all checked; {} starts of gangs",
            self.events, self.checked, self.worker_events, self.gangs
        )?;
        let line = |f: &mut fmt::Formatter<'_>, name: &str, counts: Vec<String>| {
            write!(f, "{name:<28}")?;
            counts.iter().try_for_each(|count| write!(f, " {count:>11}"))?;
            writeln!(f)
        };
        line(f, "while in force", FaultKind::ALL.iter().map(|kind| format!("{kind:?}")).collect())?;
        line(f, "(faults)", FaultKind::ALL.iter().map(|kind| self.faults.get(kind).unwrap_or(&0).to_string()).collect())?;
        for (step, counts) in self.rows() {
            line(f, &step, counts.iter().map(u64::to_string).collect())?;
        }
        Ok(())
    }
}
