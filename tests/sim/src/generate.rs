//! Graphs by name: the shapes of the Estee benchmark.
//!
//! Shapes, durations (seconds), sizes (MiB) and counts are those that the benchmark's generators describe
//! (<https://github.com/spirali/estee>, `estee/generators` and `benchmarks/generate.py`, looked at in November 2026): a normal
//! or exponential distribution around an expected value. Where ours differ: `stairs` is its `duration_stairs`; a part of a
//! size in MiB is rounded to bytes; numbers come from our own generator, so a graph is alike, not equal.

use crate::random::Random;
use crate::work::{Work, WorkTask};
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::time::Duration;

/// The names that [`generate`] knows.
pub const NAMES: [&str; 19] = [
    "fork1",
    "fork2",
    "bigmerge",
    "merge_neighbours",
    "merge_triplets",
    "merge_small_big",
    "splitters",
    "conflux",
    "grid",
    "fern",
    "triplets",
    "stairs",
    "size_stairs",
    "crossv",
    "fastcrossv",
    "mapreduce",
    "nestedcrossv",
    "gridcat",
    "plain1n",
];

/// What is being put together.
struct Builder<'a> {
    tasks: Vec<WorkTask>,
    random: &'a mut Random,
}

const MIB: f64 = (1u64 << 20) as f64;

fn bytes(mib: f64) -> u64 {
    (mib.max(0.0) * MIB) as u64
}

impl Builder<'_> {
    /// A task with a real and an expected duration and the sizes of its parts.
    fn add(&mut self, duration: f64, expected: f64, parts: &[f64]) -> usize {
        let mut task = WorkTask::new(duration, expected, 0);
        task.parts = parts.iter().map(|mib| bytes(*mib)).collect();
        if task.parts.is_empty() {
            task.parts.push(0);
        }
        self.tasks.push(task);
        self.tasks.len() - 1
    }

    /// One whose duration is normally distributed around the expected one.
    fn normal(&mut self, mean: f64, deviation: f64, parts: &[f64]) -> usize {
        let duration = self.random.normal(mean, deviation);
        self.add(duration, mean, parts)
    }

    fn needs(&mut self, task: usize, need: usize, part: usize) {
        self.tasks[task].needs.push((TaskIndex(need as u32), part as u32));
    }

    fn needs_all(&mut self, task: usize, needs: &[usize]) {
        needs.iter().for_each(|need| self.needs(task, *need, 0));
    }

    fn cpus(&mut self, task: usize, cpus: u64) {
        self.tasks[task].settings.slots_milli = cpus * 1_000;
    }
}

/// Makes a graph; none when the name is not known. Tasks of one expected duration share a function.
pub fn generate(name: &str, seed: u64) -> Option<Work> {
    let mut random = Random::new(seed ^ 0x0e57_ee00);
    let mut b = Builder { tasks: Vec::new(), random: &mut random };
    match name {
        "plain1n" => (0..380).for_each(|_| {
            let mean = *b.random.pick(&[10.0, 20.0, 60.0, 180.0]).expect("it has elements");
            b.normal(mean, mean / 10.0, &[]);
        }),
        "triplets" => triplets(&mut b),
        "merge_neighbours" => {
            let first = merge_sources(&mut b, 107);
            for i in 0..107 {
                let task = b.normal(15.0, 2.0, &[]);
                b.needs_all(task, &[first[i], first[(i + 1) % 107]]);
            }
        }
        "merge_triplets" => {
            let first = merge_sources(&mut b, 111);
            for three in first.chunks(3) {
                let task = b.normal(15.0, 2.0, &[]);
                b.needs_all(task, three);
            }
        }
        "merge_small_big" => {
            let small: Vec<usize> = (0..80).map(|_| b.normal(11.0, 3.0, &[0.5])).collect();
            let big = merge_sources(&mut b, 80);
            for (small, big) in small.into_iter().zip(big) {
                let task = b.normal(10.0, 1.0, &[]);
                b.needs_all(task, &[small, big]);
            }
        }
        "fork1" | "fork2" => forks(&mut b, name == "fork2"),
        "bigmerge" => {
            let first: Vec<usize> = (0..320).map(|_| b.normal(17.0, 3.0, &[100.0])).collect();
            let last = b.add(40.0, 40.0, &[]);
            b.needs_all(last, &first);
        }
        "stairs" => (0..190).for_each(|i| {
            b.add(f64::from(i), f64::from(i), &[]);
            b.add(f64::from(i), f64::from(i), &[]);
        }),
        "size_stairs" => {
            let sizes: Vec<f64> = (0..190).map(f64::from).collect();
            let first = b.add(0.1, 0.1, &sizes);
            for part in 0..190 {
                let task = b.add(20.0, 20.0, &[]);
                b.needs(task, first, part);
            }
        }
        "splitters" => splitters(&mut b),
        "conflux" => conflux(&mut b),
        "grid" => grid(&mut b, 19),
        "fern" => fern(&mut b, 200),
        "crossv" => crossv(&mut b, 8, 4, 1.0),
        "fastcrossv" => crossv(&mut b, 8, 1, 0.02),
        "mapreduce" => mapreduce(&mut b, 160),
        "nestedcrossv" => nestedcrossv(&mut b, 5),
        "gridcat" => gridcat(&mut b, 20),
        _ => return None,
    }
    let mut tasks = b.tasks;
    set_functions(&mut tasks);
    Some(Work::new(name.to_owned(), tasks, None, seed).expect("generated tasks need earlier ones"))
}

/// Tasks that are expected to take the same time are taken to be calls of the same function.
pub fn set_functions(tasks: &mut [WorkTask]) {
    let mut expected: Vec<Duration> = tasks.iter().map(|task| task.expected).collect();
    expected.sort_unstable();
    expected.dedup();
    for task in tasks {
        task.function = expected.binary_search(&task.expected).expect("it is among them") as u32;
    }
}

fn triplets(b: &mut Builder) {
    for _ in 0..110 {
        let first = b.normal(5.0, 1.5, &[40.0]);
        let second = b.normal(120.0, 20.0, &[120.0]);
        b.cpus(second, 4);
        b.needs(second, first, 0);
        let third = b.normal(32.0, 3.0, &[]);
        b.needs(third, second, 0);
    }
}

fn merge_sources(b: &mut Builder, count: usize) -> Vec<usize> {
    let source = |_| {
        let size = b.random.normal(99.0, 2.5);
        b.normal(15.0, 3.0, &[size])
    };
    (0..count).map(source).collect()
}

fn forks(b: &mut Builder, has_two_parts: bool) {
    let parts: &[f64] = if has_two_parts { &[100.0, 100.0] } else { &[100.0] };
    let first: Vec<usize> = (0..100).map(|_| b.normal(17.0, 3.0, parts)).collect();
    for source in first {
        for side in 0..2 {
            let task = b.normal(15.0, 2.0, &[]);
            b.needs(task, source, if has_two_parts { side } else { 0 });
        }
    }
}

fn splitters(b: &mut Builder) {
    let mut layer = vec![b.add(1.0, 1.0, &[512.0])];
    for _ in 0..7 {
        let next: Vec<usize> = (0..layer.len() * 2).map(|_| b.normal(20.0, 1.0, &[128.0])).collect();
        next.iter().enumerate().for_each(|(at, task)| b.needs(*task, layer[at / 2], 0));
        layer = next;
    }
}

fn conflux(b: &mut Builder) {
    let mut layer: Vec<usize> = (0..128).map(|_| b.normal(20.0, 1.5, &[128.0])).collect();
    while layer.len() > 1 {
        let next: Vec<usize> = (0..layer.len() / 2).map(|_| b.normal(20.0, 1.0, &[128.0])).collect();
        next.iter().enumerate().for_each(|(at, task)| b.needs_all(*task, &layer[2 * at..2 * at + 2]));
        layer = next;
    }
}

fn grid(b: &mut Builder, size: usize) {
    let mut above: Vec<usize> = Vec::new();
    for _ in 0..size {
        let row: Vec<usize> = (0..size).map(|_| b.normal(20.0, 1.0, &[128.0])).collect();
        row.windows(2).for_each(|pair| b.needs(pair[1], pair[0], 0));
        above.iter().zip(&row).for_each(|(from, to)| b.needs(*to, *from, 0));
        above = row;
    }
}

fn fern(b: &mut Builder, size: usize) {
    let mut stem = b.normal(20.0, 1.0, &[5.0]);
    for i in 0..size {
        let tenth = i as f64 / 10.0;
        let part = b.random.normal(5.0 + tenth, tenth / 10.0);
        let duration = b.random.normal(17.0 + tenth, 3.0);
        let next = b.add(duration, 17.0 + tenth, &[part]);
        let leaf_part = b.random.normal(42.0, 2.0);
        let leaf = b.normal(35.0, 3.0, &[leaf_part]);
        b.needs_all(next, &[stem, leaf]);
        stem = next;
    }
}

const FOLD: f64 = 320.0;
const FOLDS: usize = 5;

/// Training and evaluation on folds: the second needs the model and the fold that was left out.
fn train(b: &mut Builder, cpus: u64, seconds: f64, eval: f64, data: usize, fold: (usize, usize)) -> (usize, usize) {
    let duration = b.random.exponential(seconds);
    let model = b.add(duration, seconds, &[18.0]);
    b.cpus(model, cpus);
    b.needs(model, data, 0);
    let score = b.normal(eval, 3.0, &[0.0001]);
    b.cpus(score, cpus);
    b.needs(score, model, 0);
    b.needs(score, fold.0, fold.1);
    (model, score)
}

fn crossv(b: &mut Builder, inner: usize, cpus: u64, factor: f64) {
    let source = b.normal(5.0, 0.5, &[FOLD; FOLDS]);
    let merges: Vec<usize> = (0..FOLDS)
        .map(|left_out| {
            let merge = b.normal(1.1, 0.02, &[FOLD * (FOLDS - 1) as f64]);
            (0..FOLDS).filter(|fold| *fold != left_out).for_each(|fold| b.needs(merge, source, fold));
            merge
        })
        .collect();
    for _ in 0..inner {
        let scores: Vec<usize> =
            (0..FOLDS).map(|fold| train(b, cpus, 680.0 * factor, 34.0 * factor, merges[fold], (source, fold)).1).collect();
        let last = b.add(0.2, 0.2, &[]);
        b.needs_all(last, &scores);
    }
}

fn nestedcrossv(b: &mut Builder, parameters: usize) {
    let source = b.normal(5.0, 0.5, &[FOLD; FOLDS]);
    for left_out in 0..FOLDS {
        let inner: Vec<usize> = (0..FOLDS).filter(|fold| *fold != left_out).collect();
        let merge_of = |b: &mut Builder, folds: &[usize], seconds: f64| {
            let merge = b.normal(seconds, 0.02, &[FOLD * folds.len() as f64]);
            folds.iter().for_each(|fold| b.needs(merge, source, *fold));
            merge
        };
        let merges: Vec<usize> = inner
            .iter()
            .map(|out| {
                let rest: Vec<usize> = inner.iter().copied().filter(|fold| fold != out).collect();
                merge_of(b, &rest, 1.1)
            })
            .collect();
        let averages: Vec<usize> = (1..=parameters)
            .map(|parameter| {
                let seconds = 680.0 * parameter as f64;
                let scores: Vec<usize> = inner
                    .iter()
                    .zip(&merges)
                    .map(|(fold, merge)| train(b, 4, seconds, 35.0, *merge, (source, *fold)).1)
                    .collect();
                let average = b.add(0.2, 0.2, &[0.0001]);
                b.needs_all(average, &scores);
                average
            })
            .collect();
        let best = b.add(0.2, 0.2, &[0.0001]);
        b.needs_all(best, &averages);
        let merge = merge_of(b, &inner, 1.0);
        let (model, _) = train(b, 4, 680.0, 38.0, merge, (source, left_out));
        b.needs(model, best, 0);
    }
}

fn mapreduce(b: &mut Builder, count: usize) {
    let source = b.add(10.0, 10.0, &vec![2.5 * 1024.0; count]);
    let share = 250.0 / count as f64;
    let maps: Vec<usize> = (0..count)
        .map(|part| {
            let parts: Vec<f64> = (0..count).map(|_| b.random.normal(share, 20.0 / count as f64)).collect();
            let map = b.normal(50.0, 10.0, &parts);
            b.needs(map, source, part);
            map
        })
        .collect();
    for part in 0..count {
        let mib: f64 = maps.iter().map(|map| b.tasks[*map].parts[part] as f64 / MIB).sum();
        let duration = b.random.normal(mib / 25.0, 5.0);
        let reduce = b.add(duration, 10.0, &[]);
        maps.iter().for_each(|map| b.needs(reduce, *map, part));
    }
}

fn gridcat(b: &mut Builder, count: usize) {
    let hash_mib = 16.0 / MIB;
    let opens: Vec<(usize, f64)> = (0..count)
        .map(|_| {
            let size = b.random.normal(300.0, 25.0);
            (b.normal(0.01, 0.001, &[size]), size)
        })
        .collect();
    let mut hashes = Vec::new();
    for (i, (one, one_size)) in opens.iter().enumerate() {
        for (other, other_size) in &opens[i + 1..] {
            let size = one_size + other_size;
            let step = |b: &mut Builder, speed: f64, part: f64| {
                let duration = b.random.normal(0.2, 0.01) + size / speed;
                b.add(duration, 0.2 + size / speed, &[part])
            };
            let cat = step(b, 1_000.0, size);
            b.needs_all(cat, &[*one, *other]);
            let hash = step(b, 500.0, hash_mib);
            b.needs(hash, cat, 0);
            hashes.push(hash);
        }
    }
    let last = b.add(0.1, 0.1, &[hash_mib]);
    b.needs_all(last, &hashes);
}
