//! A random run with faults: graphs, workers, what goes wrong and when, all from one seed.

use crate::checks::{self, Violation};
use crate::core_shell::CoreShell;
use crate::coverage::{Coverage, FaultKind};
use crate::draw;
use crate::faults::{Fault, ScenarioWorld, strike};
use crate::network::NetModel;
use crate::random::Random;
use crate::scheduler::{Offer, Scheduler};
use crate::world::{World, WorldSettings};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::time::Duration;

/// Moments of a run at most; a run that has more does not converge.
const STEPS_MAX: u64 = 50_000;

/// A run in which all went well.
#[derive(Clone, Debug)]
pub struct Passed {
    /// What it met.
    pub coverage: Coverage,
    /// Moments at which something happened.
    pub steps: u64,
    /// Outputs that clients were told to be there, and that were.
    pub promised: usize,
    /// What happened, when it was asked for.
    pub trace: Vec<String>,
}

/// A run that broke something.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What was broken.
    pub violation: Violation,
    /// What happened, when it was asked for.
    pub trace: Vec<String>,
}

/// Runs one seed.
///
/// # Errors
/// What was broken.
pub fn run(seed: u64, is_traced: bool) -> Result<Passed, Box<Failure>> {
    let mut random = Random::new(seed);
    let mut world = build(&mut random, is_traced);
    let outcome = catch_unwind(AssertUnwindSafe(|| play(&mut world)));
    let violation = match outcome {
        Ok(Ok((steps, promised))) => {
            let mut coverage = world.scheduler.coverage.clone();
            coverage.worker_events = world.close().happenings;
            return Ok(Passed { coverage, steps, promised, trace: world.scheduler.trace.take().unwrap_or_default() });
        }
        Ok(Err(violation)) => violation,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Violation::Panic(text.unwrap_or_else(|| "a panic without words".to_owned()))
        }
    };
    let trace = world.scheduler.trace.take().unwrap_or_default();
    Err(Box::new(Failure { seed, violation, trace }))
}

/// What a seed dwells on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theme {
    /// Anything.
    Any,
    /// Results that many need, and that are lost again and again.
    Copies,
    /// Small tasks that keep coming, and wide ones that are more urgent. Nothing goes wrong.
    Wide,
    /// Chains of short tasks that were sent ahead to workers which have become slow: second attempts begin, and either fails.
    Late,
    /// Large results that many workers fetch from few at a time, while holders are lost or cannot be reached.
    Fans,
}

fn build(random: &mut Random, is_traced: bool) -> ScenarioWorld {
    let theme = match random.below(100) {
        0..=14 => Theme::Copies,
        15..=18 => Theme::Wide,
        19..=29 => Theme::Late,
        30..=35 => Theme::Fans,
        _ => Theme::Any,
    };
    let settings = WorldSettings {
        model: if random.chance(300) { NetModel::MaxMin } else { NetModel::Simple },
        bandwidth: 1 << random.between(20, 28),
        latency: Duration(random.between(20, if theme == Theme::Copies { 20_000 } else { 2_000 })),
        jitter: Duration(random.below(3_000)),
        load: Duration(random.between(1, 5_000)),
        notice: Duration(random.between(1, 50_000)),
        is_checked: true,
    };
    let mut scheduler = CoreShell::new(1);
    scheduler.trace = is_traced.then(Vec::new);
    let mut world = World::new(settings, scheduler, random.bits());
    match theme {
        Theme::Any => {
            join_some(random, &mut world, 1);
            anything(random, &mut world);
        }
        Theme::Copies => {
            join_some(random, &mut world, 2);
            copies(random, &mut world);
        }
        Theme::Wide => wide(random, &mut world),
        Theme::Late => late(random, &mut world),
        Theme::Fans => fans(random, &mut world),
    }
    world
}

fn join_some(random: &mut Random, world: &mut ScenarioWorld, least: u64) {
    for _ in 0..random.between(least, 4) {
        let offer = draw::offer(random);
        let speed = if random.chance(300) { *random.pick(&[0.3, 0.05]).expect("it has elements") } else { 1.0 };
        world.join(&offer, speed);
    }
}

/// Random graphs, and faults of some kinds.
fn anything(random: &mut Random, world: &mut ScenarioWorld) {
    let mut window = 0;
    for graph in 1..=random.between(2, 8) {
        let work = draw::work(random, graph);
        let at = Time(random.below(500_000));
        let id = GraphId([graph as u8; 16]);
        let length = work.slot_micros() as u64 / 2;
        window = window.max(at.0 + length);
        // Pieces come one after the other, while those before them run and after.
        for piece in 1..=work.cuts.len() as u64 {
            let after = random.below(length.clamp(1, 1_000_000)) * piece;
            world.plan_fault(at + Duration(after + 1), Fault::Extend(id));
        }
        for _ in 0..random.below(6).saturating_sub(3) {
            world.plan_fault(at + Duration(random.below(length.clamp(1, 2_000_000))), Fault::LetGo(id));
        }
        for _ in 0..random.below(8).saturating_sub(5) {
            world.plan_fault(at + Duration(random.below(length.clamp(1, 2_000_000))), Fault::WantCopies(id));
        }
        world.submit(at, id, Arc::new(work));
    }
    let kinds: Vec<FaultKind> =
        FaultKind::ALL.into_iter().filter(|kind| *kind != FaultKind::None && random.chance(350)).collect();
    let window = window.clamp(20_000, 2_000_000);
    // Few faults leave time to get over each; many meet each other.
    let count = if random.chance(500) { random.below(16) } else { random.between(16, 100) };
    for _ in 0..count {
        if let Some(kind) = random.pick(&kinds) {
            world.plan_fault(Time(random.below(window)), Fault::Kind(*kind));
        }
    }
    world.plan_fault(Time(window + 1), Fault::Heal);
}

/// Graphs with many short tasks that need the same results, while these are lost, links stand still and attempts fail.
fn copies(random: &mut Random, world: &mut ScenarioWorld) {
    let mut window = 0;
    for graph in 1..=random.between(1, 3) {
        let work = draw::shared_work(random, graph);
        let at = random.below(20_000);
        window = window.max(at + work.slot_micros() as u64 / 2 + 20_000);
        world.submit(Time(at), GraphId([graph as u8; 16]), Arc::new(work));
    }
    let kinds = [FaultKind::Delay, FaultKind::Join, FaultKind::LostReplica, FaultKind::TaskFault];
    for _ in 0..random.between(20, 120) {
        let kind = *random.pick(&kinds).expect("it has elements");
        let fault = if random.chance(400) { Fault::CrashHolder } else { Fault::Kind(kind) };
        world.plan_fault(Time(random.below(window)), fault);
    }
    world.plan_fault(Time(window + 1), Fault::Heal);
}

/// Chains come while slots idle now and then; workers become slow when it is known how long tasks take, so that what they run is
/// begun again elsewhere, with what follows from it sent to them already.
fn late(random: &mut Random, world: &mut ScenarioWorld) {
    for _ in 0..random.between(2, 4) {
        world.join(&Offer::of_slots(random.between(1, 4) as u32, Duration(random.between(50, 3_000))), 1.0);
    }
    let mut at = 0;
    for graph in 1..=random.between(2, 6) {
        world.submit(Time(at), GraphId([graph as u8; 16]), Arc::new(draw::chains(random, graph)));
        at += random.between(5_000, 60_000);
    }
    let kinds = [
        FaultKind::TaskFault,
        FaultKind::Leave,
        FaultKind::Leave,
        FaultKind::LinkLost,
        FaultKind::LinkLost,
        FaultKind::Join,
        FaultKind::Crash,
        FaultKind::StaleReport,
        FaultKind::Cancel,
        FaultKind::Release,
    ];
    let window = at + 200_000;
    for _ in 0..random.between(1, 3) {
        world.plan_fault(Time(random.between(10_000, at)), Fault::Kind(FaultKind::Straggler));
    }
    for _ in 0..random.between(1, 30) {
        let kind = *random.pick(&kinds).expect("it has elements");
        // What takes work away is rare: some of it is to be left.
        if [FaultKind::TaskFault, FaultKind::StaleReport].contains(&kind) || random.chance(250) {
            let at = Time(random.between(20_000, window));
            world.plan_fault(at, Fault::Kind(kind));
            // Tasks that wait until they may run again are stopped beside that.
            if random.chance(400) {
                world.plan_fault(at + Duration(random.below(20_000)), Fault::Kind(FaultKind::Cancel));
            }
        }
    }
    world.plan_fault(Time(window + 1), Fault::Heal);
}

/// Results of some MiB that tasks at all workers need, and of which clients want copies.
fn fans(random: &mut Random, world: &mut ScenarioWorld) {
    for _ in 0..random.between(4, 8) {
        world.join(&Offer::of_slots(random.between(1, 2) as u32, Duration(random.between(50, 3_000))), 1.0);
    }
    let mut window = 0;
    for graph in 1..=random.between(1, 2) {
        let (work, id) = (draw::fan_work(random), GraphId([graph as u8; 16]));
        let at = random.below(20_000);
        for _ in 0..random.below(4) {
            world.plan_fault(Time(at + random.below(100_000)), Fault::WantCopies(id));
        }
        window = window.max(at + 100_000);
        world.submit(Time(at), id, Arc::new(work));
    }
    let kinds = [FaultKind::Partition, FaultKind::LostReplica, FaultKind::Leave, FaultKind::Delay, FaultKind::Join];
    for _ in 0..random.between(0, 40) {
        let kind = *random.pick(&kinds).expect("it has elements");
        let fault = if random.chance(100) { Fault::CrashHolder } else { Fault::Kind(kind) };
        world.plan_fault(Time(random.below(window)), fault);
    }
    world.plan_fault(Time(window + 1), Fault::Heal);
}

/// Wide tasks come while there is much to do for many rounds: each gets its slots when what runs has ended, whatever is smaller.
fn wide(random: &mut Random, world: &mut ScenarioWorld) {
    let slots = random.between(2, 4);
    for _ in 0..random.between(1, 2) {
        world.join(&Offer::of_slots(slots as u32, Duration(random.between(50, 3_000))), 1.0);
    }
    let (small, longest) = draw::small_work(random);
    let wide = draw::wide_work(random, slots);
    let rounds = small.slot_micros() as u64 / slots / 2;
    let at = Time(random.between(rounds / 20, rounds / 3));
    // Two rounds of what may have been sent before, one for each wide task, and the ways there and back.
    let patience = Duration((3 + wide.tasks.len() as u64) * longest.0 + 100_000);
    for task in 0..wide.tasks.len() as u32 {
        world.scheduler.promises.must_end_by(GraphId([2; 16]), TaskIndex(task), at + patience);
    }
    world.submit(Time(0), GraphId([1; 16]), Arc::new(small));
    world.submit(at, GraphId([2; 16]), Arc::new(wide));
}

/// Plays a run to its end. Returns how many moments it had, and how many outputs were promised.
fn play(world: &mut ScenarioWorld) -> Result<(u64, usize), Violation> {
    let mut steps = 0;
    go_on(world, &mut steps)?;
    // Who has what is known before clients ask: nothing is on its way.
    checks::holders(world)?;
    // Clients fetch what they were promised: what its holder cannot give is made again.
    while checks::gather(world) {
        go_on(world, &mut steps)?;
        // A round without an event would never end.
        steps += 1;
        if steps > STEPS_MAX {
            return Err(Violation::NoEnd { steps });
        }
    }
    let promised = checks::after_heal(world)?;
    for graph in world.graphs.keys().copied().collect::<Vec<_>>() {
        world.scheduler.on_released(world.now, graph);
    }
    world.wake_scheduler();
    while world.step().is_some() {}
    checks::after_release(world)?;
    Ok((steps, promised))
}

/// Goes on until nothing happens any more.
fn go_on(world: &mut ScenarioWorld, steps: &mut u64) -> Result<(), Violation> {
    while let Some(faults) = world.step() {
        for fault in faults {
            strike(world, fault);
        }
        let now = world.now;
        for worker in world.workers.values_mut() {
            world.scheduler.coverage.note_worker(now, worker.core.steps(), &mut worker.steps_seen);
        }
        if let Some(what) = world.scheduler.promises.broken.take() {
            return Err(Violation::Promise(what));
        }
        *steps += 1;
        if *steps > STEPS_MAX {
            return Err(Violation::NoEnd { steps: *steps });
        }
    }
    Ok(())
}
