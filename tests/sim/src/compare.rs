//! One graph under several policies on the same cluster, measured.

use crate::core_shell::CoreShell;
use crate::network::NetModel;
use crate::reference::{Estimates, Policy, Reference};
use crate::scheduler::{Offer, Scheduler};
use crate::work::Work;
use crate::world::{Counts, World, WorldSettings};
use std::sync::Arc;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::ids::GraphId;
use wasm_tasks_protocol::time::Duration;

/// A cluster of workers that are equal, but for those that are slower.
#[derive(Clone, Copy, Debug)]
pub struct Cluster {
    /// How many.
    pub workers: u32,
    /// Slots of each.
    pub slots: u32,
    /// How transfers share the network.
    pub model: NetModel,
    /// Bytes a second each way.
    pub bandwidth: u64,
    /// How many of the workers are slower, and how fast these are beside the others.
    pub slow: (u32, f64),
    /// How long a worker takes to load a component.
    pub load: Duration,
}

/// What a run took.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// From submission until the scheduler knew that all was done.
    pub makespan: Duration,
    /// The rest.
    pub counts: Counts,
    /// Time in the scheduler's core, in nanoseconds; 0 where it was not measured.
    pub core_nanos: u64,
}

impl Cluster {
    fn settings(&self) -> WorldSettings {
        let Cluster { model, bandwidth, load, .. } = *self;
        WorldSettings { model, bandwidth, load, is_checked: false, ..WorldSettings::default() }
    }
}

/// Runs a graph with the real core. `clock` gives nanoseconds, to measure the core's own time.
///
/// # Panics
/// When the graph does not end.
pub fn ours(work: &Arc<Work>, cluster: &Cluster, estimates: Estimates, seed: u64, clock: Option<fn() -> u64>) -> Measured {
    let mut shell = CoreShell::new(0);
    shell.clock = clock;
    shell.estimates = Some(estimates);
    let work = match estimates {
        Estimates::Exact => Arc::clone(work),
        // All that is known is that tasks are alike.
        Estimates::Mean => {
            let mut alike = Work::clone(work);
            alike.tasks.iter_mut().for_each(|task| task.function = 0);
            Arc::new(alike)
        }
    };
    let (mut measured, shell) = run(&work, cluster, shell, seed);
    measured.core_nanos = shell.core_nanos;
    measured
}

/// Runs a graph with a reference policy.
///
/// # Panics
/// When the graph does not end.
pub fn reference(work: &Arc<Work>, cluster: &Cluster, estimates: Estimates, policy: Policy, seed: u64) -> Measured {
    run(work, cluster, Reference::new(policy, estimates, seed), seed).0
}

fn run<S: Scheduler>(work: &Arc<Work>, cluster: &Cluster, scheduler: S, seed: u64) -> (Measured, S) {
    let mut world: World<S, ()> = World::new(cluster.settings(), scheduler, seed);
    let round_trip = Duration(2 * WorldSettings::default().latency.0);
    let offer = Offer::of_slots(cluster.slots, round_trip);
    for worker in 0..cluster.workers {
        world.join(&offer, if worker < cluster.slow.0 { cluster.slow.1 } else { 1.0 });
    }
    world.submit(Time(0), GraphId([1; 16]), Arc::clone(work));
    while world.graphs.is_empty() || !world.scheduler.is_finished() {
        assert!(world.step().is_some(), "nothing happens any more and graph {} has not ended", work.name);
    }
    let makespan = world.now.since(Time(0));
    let counts = world.close();
    (Measured { makespan, counts, core_nanos: 0 }, world.scheduler)
}
