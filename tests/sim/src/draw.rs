//! Random workers and random graphs.

use crate::delegate::delegated;
use crate::random::Random;
use crate::scheduler::Offer;
use crate::store::Room;
use crate::work::{Fate, Work, WorkTask};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{Alternative, LabelRule, Options, Resource, Settings};
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::time::Duration;

/// A worker with few slots, some of them with special resources, some with little memory.
pub fn offer(random: &mut Random) -> Offer {
    let gpus = random.below(3) * 1_000;
    let memory_bytes = 1 << random.between(23, 32);
    Offer {
        slots: random.between(1, 4) as u32,
        pools: if gpus == 0 { Vec::new() } else { vec![gpu(gpus)] },
        labels: vec![("zone".to_owned(), format!("z{}", random.below(2)))],
        round_trip: Duration(random.between(50, 5_000)),
        memory_bytes,
        room: Room { spill_above: memory_bytes / 4, memory_max: memory_bytes, disk_rate: 1 << random.between(26, 31) },
        lifetime: random.chance(100).then(|| Duration(random.below(2_000_000))),
    }
}

/// A worker that can run everything.
pub fn large_offer() -> Offer {
    Offer { pools: vec![gpu(2_000)], ..Offer::of_slots(4, Duration(1_000)) }
}

fn gpu(milli: u64) -> Resource {
    Resource { name: "gpu".to_owned(), milli }
}

/// A graph whose results are all wanted, and needed by many short tasks: copies of them are everywhere, and whoever loses one
/// makes it again where another copy just comes.
pub fn shared_work(random: &mut Random, graph: u64) -> Work {
    let (makers, users) = (random.between(2, 12), random.between(20, 100));
    let mut tasks: Vec<WorkTask> = Vec::new();
    for position in 0..makers + users {
        let seconds = random.between(50, 4_000) as f64 / 1e6;
        let size = *random.pick(&[16, 20_000, 80_000, 200_000]).expect("it has elements");
        let mut task = WorkTask::new(seconds, seconds, size);
        task.settings.retries = random.below(3) as u32;
        task.settings.backoff = Duration(random.between(1, 3_000));
        for _ in 0..random.between(1, 3).min(position.saturating_sub(makers - 1)) {
            let reach = if random.chance(700) { makers } else { position };
            task.needs.push((TaskIndex(random.below(reach) as u32), 0));
        }
        tasks.push(task);
    }
    let all = (0..tasks.len() as u32).map(TaskIndex).collect();
    Work::new(format!("shared-{graph}"), tasks, Some(all), random.bits()).expect("tasks need earlier ones only")
}

/// Chains of short tasks, some of which fail for a while.
pub fn chains(random: &mut Random, graph: u64) -> Work {
    let (chains, links) = (random.between(1, 10), random.between(2, 6));
    let functions = random.between(1, 3);
    // Workers run the shortest in a row.
    let seconds = if random.chance(300) { random.between(20, 300) } else { random.between(1_000, 7_000) } as f64 / 1e6;
    let mut tasks: Vec<WorkTask> = Vec::new();
    for position in 0..chains * links {
        let mut task = WorkTask::new(seconds, seconds, *random.pick(&[16, 20_000]).expect("it has elements"));
        task.settings.retries = random.between(1, 3) as u32;
        let backoff_max = if random.chance(300) { 100_000 } else { 3_000 };
        task.settings.backoff = Duration(random.between(1, backoff_max));
        if random.chance(400) {
            task.fate = Fate::FailsFirst(1, ErrorCode::GuestError);
        }
        task.function = (position % links % functions) as u32;
        if position % links > 0 {
            task.needs.push((TaskIndex(position as u32 - 1), 0));
        }
        tasks.push(task);
    }
    Work::new(format!("chains-{graph}"), tasks, None, random.bits()).expect("tasks need earlier ones only")
}

/// A few large results that many short tasks need, which are wanted too.
pub fn fan_work(random: &mut Random) -> Work {
    let (makers, users) = (random.between(1, 3), random.between(8, 40));
    let mut tasks: Vec<WorkTask> = Vec::new();
    for position in 0..makers + users {
        let seconds = random.between(500, 20_000) as f64 / 1e6;
        let size = if position < makers { random.between(1 << 20, 4 << 20) } else { 16 };
        let mut task = WorkTask::new(seconds, seconds, size);
        task.function = u32::from(position >= makers);
        if position >= makers {
            task.needs.push((TaskIndex(random.below(makers) as u32), 0));
        }
        tasks.push(task);
    }
    let all = (0..tasks.len() as u32).map(TaskIndex).collect();
    Work::new("fan".to_owned(), tasks, Some(all), random.bits()).expect("tasks need earlier ones only")
}

/// Many tasks of one slot that nothing depends on, a few of them much longer than the others. Returns how long these are too.
pub fn small_work(random: &mut Random) -> (Work, Duration) {
    let length = random.between(1_000, 8_000);
    let parts = random.between(2, 5);
    let task = |is_long: bool| {
        let seconds = (if is_long { length * parts } else { length }) as f64 / 1e6;
        let mut task = WorkTask::new(seconds, seconds, 16);
        task.function = u32::from(is_long);
        task
    };
    let tasks = (0..400).map(|_| task(random.chance(150))).collect();
    let work = Work::new("small".to_owned(), tasks, None, random.bits()).expect("tasks need nothing");
    (work, Duration(length * parts))
}

/// A few tasks that take several slots, and are more urgent than others.
pub fn wide_work(random: &mut Random, slots: u64) -> Work {
    let task = || {
        let mut task = WorkTask::new(0.002, 0.002, 16);
        task.settings.slots_milli = slots * 1_000;
        task.settings.priority = 1;
        task
    };
    let tasks = (0..random.between(1, 3)).map(|_| task()).collect();
    Work::new("wide".to_owned(), tasks, None, random.bits()).expect("tasks need nothing")
}

/// A graph: mostly of up to 80 tasks, now and then of hundreds; some of them in pieces, which may be empty.
pub fn work(random: &mut Random, graph: u64) -> Work {
    let n = if random.chance(80) { random.between(100, 800) } else { random.between(1, 100) };
    let lengths = [random.between(5, 500), random.between(500, 20_000), random.between(20_000, 200_000)];
    // Some graphs are of short calls mostly, which workers run in a row.
    let is_short = random.chance(400);
    let reach = random.between(1, n);
    let mut tasks: Vec<WorkTask> = Vec::new();
    for position in 0..n {
        let mut task = draw_task(random, &lengths, is_short);
        for _ in 0..random.below(4).min(position) {
            task.needs.push((TaskIndex((position - 1 - random.below(reach.min(position))) as u32), 0));
        }
        tasks.push(task);
    }
    let outputs = random.chance(600).then(|| (0..random.between(1, 4)).map(|_| TaskIndex(random.below(n) as u32)).collect());
    let salt = random.bits();
    crate::gangs::draw(&mut tasks, salt);
    let mut work = Work::new(format!("random-{graph}"), tasks, outputs, salt).expect("tasks need earlier ones only");
    if random.chance(400) {
        let mut cuts: Vec<u32> = (0..random.between(1, 6)).map(|_| random.below(n + 1) as u32).collect();
        cuts.sort_unstable();
        // A gang comes whole.
        cuts.retain(|cut| !work.gangs.iter().any(|gang| gang.start < *cut as usize && (*cut as usize) < gang.end));
        work.cuts = cuts;
        if (work.salt >> 8).is_multiple_of(2) && work.gangs.is_empty() {
            work = delegated(&work);
        }
    }
    work.broken = random.chance(80).then(|| random.below(lengths.len() as u64) as u32);
    work.deadline = work.salt.is_multiple_of(16).then(|| Duration(1 + (work.salt >> 4) % 1_000_000));
    work
}

fn draw_task(random: &mut Random, lengths: &[u64; 3], is_short: bool) -> WorkTask {
    let function = if is_short && random.chance(900) { 0 } else { random.below(lengths.len() as u64) };
    // Now and then a call takes much longer than others of its function: what was handed over behind it is taken back.
    let percent = if random.chance(80) { 10_000 } else { random.between(50, 150) };
    let length = (lengths[function as usize] * percent / 100).min(1_000_000);
    let size = *random.pick(&[16, 3_000, 100_000, 5_000_000]).expect("it has elements");
    let mut task = WorkTask::new(length as f64 / 1e6, length as f64 / 1e6, size);
    task.function = function as u32;
    task.settings.retries = random.below(4) as u32;
    let backoff_max = if random.chance(500) { 200_000 } else { 20_000 };
    task.settings.backoff = Duration(random.between(1, backoff_max));
    task.fate = match random.below(100) {
        0..=1 => Fate::Fails(ErrorCode::Trap),
        2..=19 => Fate::FailsFirst(random.between(1, 3) as u32, ErrorCode::GuestError),
        _ => Fate::Fine,
    };
    ask(random, &mut task.settings);
    task
}

/// What a task asks for besides the ordinary.
fn ask(random: &mut Random, settings: &mut Settings) {
    let rules = |text: &str| vec![LabelRule::parse(text).expect("a rule")];
    match random.below(32) {
        0 => settings.slots_milli = 500,
        1 => settings.slots_milli = 2_000,
        2 => settings.slots_milli = random.between(0, 8) * 500,
        3 => settings.pools = vec![gpu(1_000)],
        4 => settings.pools = vec![gpu(random.between(1, 20) * 100)],
        5 => settings.priority = random.below(5) as i32 - 2,
        6 => {
            settings.memory_declared = true;
            settings.memory_bytes = 1 << random.between(20, 28);
        }
        7 => settings.prefer = rules("zone=z1"),
        8 => settings.time_request = Duration(random.below(2_000_000)),
        9 => {
            let wide = Alternative { slots_milli: Some(random.between(1, 4) * 1_000), ..Alternative::default() };
            let special =
                Alternative { pools: Some(vec![gpu(1_000)]), labels: Some(rules("zone!=z0")), ..Alternative::default() };
            let any_of = if random.chance(500) { vec![special, wide] } else { vec![wide, special] };
            let options = Options { any_of: Some(any_of), ..Options::default() };
            let (retries, backoff) = (settings.retries, settings.backoff);
            *settings = Settings { retries, backoff, ..Settings::merge([Some(&options), None, None]) };
        }
        // Metered, which takes another form of its component than others of its function do.
        10..=13 => settings.fuel = Some(1 << 40),
        _ => {}
    }
}
