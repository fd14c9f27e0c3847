//! What a run met: transitions of the scheduler's table, by the kind of fault that came last before them.

use std::collections::BTreeMap;
use std::fmt;
use wasm_tasks_scheduler_core::{Counters, TRANSITIONS};

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// None so far.
    None,
    /// A worker's process ends.
    Crash,
    /// The link to the scheduler ends; both sides notice, one later than the other.
    LinkLost,
    /// Messages between a worker and the scheduler stand still for a while.
    Delay,
    /// Two workers cannot reach each other for a while.
    Partition,
    /// A worker joins.
    Join,
    /// A worker drains and leaves.
    Leave,
    /// A worker cannot give a result that it holds: its disk is full or broken.
    LostReplica,
    /// Attempts fail for reasons of the worker.
    TaskFault,
    /// A worker becomes slow.
    Straggler,
    /// Old reports come again, or reports of things that never were.
    StaleReport,
    /// A graph is cancelled.
    Cancel,
    /// A graph is released.
    Release,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 13] = [
        FaultKind::None,
        FaultKind::Crash,
        FaultKind::LinkLost,
        FaultKind::Delay,
        FaultKind::Partition,
        FaultKind::Join,
        FaultKind::Leave,
        FaultKind::LostReplica,
        FaultKind::TaskFault,
        FaultKind::Straggler,
        FaultKind::StaleReport,
        FaultKind::Cancel,
        FaultKind::Release,
    ];
}

/// Counts of a run, or of many.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// Events that the scheduler's core handled.
    pub events: u64,
    /// Of these, how many were followed by a check of all its invariants.
    pub checked: u64,
    /// Events that workers' cores handled; each is followed by a check.
    pub worker_events: u64,
    /// The kind of the last fault.
    pub last_fault: FaultKind,
    /// Faults by kind.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Transitions by the kind of the last fault before them, in the order of the table.
    pub transitions: BTreeMap<FaultKind, [u64; TRANSITIONS.len()]>,
    seen: [u64; TRANSITIONS.len()],
}

impl Default for Coverage {
    fn default() -> Coverage {
        Coverage {
            events: 0,
            checked: 0,
            worker_events: 0,
            last_fault: FaultKind::None,
            faults: BTreeMap::new(),
            transitions: BTreeMap::new(),
            seen: [0; TRANSITIONS.len()],
        }
    }
}

impl Coverage {
    /// A fault happens now.
    pub fn fault(&mut self, kind: FaultKind) {
        self.last_fault = kind;
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Takes over what the core counted since the last time.
    pub(crate) fn note(&mut self, counters: &Counters) {
        if counters.transitions != self.seen {
            let row = self.transitions.entry(self.last_fault).or_insert([0; TRANSITIONS.len()]);
            for ((total, now), before) in row.iter_mut().zip(&counters.transitions).zip(&self.seen) {
                *total += now - before;
            }
            self.seen = counters.transitions;
        }
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Coverage) {
        self.events += other.events;
        self.checked += other.checked;
        self.worker_events += other.worker_events;
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        for (kind, counts) in &other.transitions {
            let row = self.transitions.entry(*kind).or_insert([0; TRANSITIONS.len()]);
            row.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
        }
    }

    /// Transitions of the table, with how often each was met after any fault.
    pub fn totals(&self) -> [u64; TRANSITIONS.len()] {
        let mut totals = [0; TRANSITIONS.len()];
        for row in self.transitions.values() {
            totals.iter_mut().zip(row).for_each(|(total, count)| *total += count);
        }
        totals
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "events: {} of the scheduler, {} checked; {} of workers, all checked",
            self.events, self.checked, self.worker_events
        )?;
        write!(f, "{:<22}{:>9}", "transition", "all")?;
        FaultKind::ALL.iter().try_for_each(|kind| write!(f, " {:>11}", format!("{kind:?}")))?;
        writeln!(f)?;
        write!(f, "{:<22}{:>9}", "(faults)", self.faults.values().sum::<u64>())?;
        FaultKind::ALL.iter().try_for_each(|kind| write!(f, " {:>11}", self.faults.get(kind).unwrap_or(&0)))?;
        writeln!(f)?;
        for ((at, transition), total) in TRANSITIONS.iter().enumerate().zip(self.totals()) {
            write!(f, "{:<22}{total:>9}", format!("{} > {}", transition.from.as_str(), transition.to.as_str()))?;
            for kind in FaultKind::ALL {
                write!(f, " {:>11}", self.transitions.get(&kind).map_or(0, |row| row[at]))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
