//! Tasks that end in tasks: recursion without a guest that waits, by splitting work until it is small enough.

mod tasks;

use tasks::{Argument, SELF, Tasks};

wit_bindgen::generate!({ path: ["../../../wit/task", "../../../wit/recursion"], world: "wasm-tasks:recursion/recursion", generate_all });

struct Recursion;

impl Guest for Recursion {
    fn fib(n: u32) -> u64 {
        if n < 2 {
            return u64::from(n);
        }
        let mut tasks = Tasks::default();
        let add = tasks.function("add");
        let one = tasks.task("one", SELF, &[Argument::Int(i64::from(n) - 1)]);
        let two = tasks.task("two", SELF, &[Argument::Int(i64::from(n) - 2)]);
        let sum = tasks.task("sum", add, &[Argument::Result(one), Argument::Result(two)]);
        tasks.end_in(sum)
    }

    fn add(a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }

    fn sort(mut xs: Vec<i64>, leaf: u32) -> Vec<i64> {
        if xs.len() <= leaf.max(1) as usize {
            xs.sort_unstable();
            return xs;
        }
        let middle = xs[xs.len() / 2];
        let part = |keep: fn(&i64, &i64) -> bool| xs.iter().copied().filter(|x| keep(x, &middle)).collect::<Vec<i64>>();
        let (less, equal, more) = (part(|x, y| x < y), part(|x, y| x == y), part(|x, y| x > y));
        let mut tasks = Tasks::default();
        let join = tasks.function("join");
        let less = tasks.task("less", SELF, &[Argument::Ints(&less), Argument::Own(1)]);
        let more = tasks.task("more", SELF, &[Argument::Ints(&more), Argument::Own(1)]);
        let sorted = tasks.task("sorted", join, &[Argument::Result(less), Argument::Ints(&equal), Argument::Result(more)]);
        tasks.end_in(sorted)
    }

    fn join(mut first: Vec<i64>, second: Vec<i64>, third: Vec<i64>) -> Vec<i64> {
        first.extend(second);
        first.extend(third);
        first
    }

    fn later(times: u32, text: String) -> String {
        if times == 0 {
            return text;
        }
        let mut tasks = Tasks::default();
        let next = tasks.task("l", SELF, &[Argument::Int(i64::from(times) - 1), Argument::Own(1)]);
        tasks.end_in(next)
    }

    fn write(tasks: Vec<u8>) -> u64 {
        tasks::end_in(&tasks)
    }

    fn bomb(width: u32) -> u64 {
        let mut tasks = Tasks::default();
        let mut last = None;
        for position in 0..width.max(1) {
            last = Some(tasks.task(&position.to_string(), SELF, &[Argument::Own(0)]));
        }
        match last {
            Some(last) => tasks.end_in(last),
            None => 0,
        }
    }
}

export!(Recursion);
