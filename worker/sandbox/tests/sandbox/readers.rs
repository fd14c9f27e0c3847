//! Readers of foreign bytes cost time and memory linear in the bytes: every kind of input is doubled, and the second reading
//! may take 2.2 times the instructions of the first, and so many times its bytes of memory.
//!
//! Instructions are counted by fuel and memory by the sandbox's limits, in the guest `readers`, so no clock and no other load of
//! the machine is in the answer. The kinds are total where they can be: every field of every table of the graph format takes
//! every shape of value, every message of every enum takes lists at every offset, every type its largest value.

#[path = "readers/fields.rs"]
mod fields;
#[path = "readers/messages.rs"]
mod messages;
#[path = "readers/others.rs"]
mod others;
#[path = "readers/values.rs"]
mod values;

use crate::support::{Case, array, guest_in, string};
use std::sync::LazyLock;
use wasm_tasks_protocol::Value;
use wasm_tasks_sandbox::{Function, Limits, Profile};

/// Instructions for twice the bytes, in tenths.
const RATIO_TENTHS: u64 = 22;
/// Bytes of memory for each byte of input; a graph's tables, a message's lists and a JSON value are larger than their bytes.
const MEMORY_MULTIPLE: u64 = 96;
/// Bytes of memory beside it and beside what the guest has before it reads anything: its allocator takes whole pages.
const MEMORY_ROOM: u64 = 256 << 10;
/// Instructions below which nothing is compared: a refusal at the first byte.
const FUEL_MIN: u64 = 200_000;

static READ: LazyLock<Function> = LazyLock::new(|| guest_in("readers", Profile::Metered).function("read").unwrap());

/// What the guest has when there is nothing to read.
static MEMORY_BASE: LazyLock<u64> =
    LazyLock::new(|| cost(&Kind::new("nothing", "graph", 0, |_| Vec::new()), 0).memory + MEMORY_ROOM);

/// One kind of input.
struct Kind {
    name: String,
    /// Of the guest, for so many elements.
    reader: Box<dyn Fn(usize) -> String>,
    bytes: Box<dyn Fn(usize) -> Vec<u8>>,
    /// Elements of the smaller input.
    count: usize,
    /// Bytes of memory for each byte, where a limit says more than [`MEMORY_MULTIPLE`].
    memory_multiple: u64,
    /// Whether it must be accepted: a kind that is refused early shows nothing of what comes after.
    is_accepted: bool,
}

impl Kind {
    fn new(name: impl Into<String>, reader: &str, count: usize, bytes: impl Fn(usize) -> Vec<u8> + 'static) -> Kind {
        let reader = reader.to_owned();
        let reader = Box::new(move |_| reader.clone());
        Kind { name: name.into(), reader, bytes: Box::new(bytes), count, memory_multiple: MEMORY_MULTIPLE, is_accepted: false }
    }

    fn accepted(self) -> Kind {
        Kind { is_accepted: true, ..self }
    }
}

struct Cost {
    bytes: u64,
    fuel: u64,
    memory: u64,
    is_accepted: bool,
}

fn cost(kind: &Kind, count: usize) -> Cost {
    let bytes = (kind.bytes)(count);
    let len = bytes.len() as u64;
    let args = array(&[string(&(kind.reader)(count)), Value::Bin(bytes)]);
    let limits = Limits { fuel: Some(u64::MAX), ..Case::default().limits };
    let outcome = Case { args: &args, limits, ..Case::default() }.run(&READ);
    let answer = outcome.result.unwrap_or_else(|error| panic!("{} of {count}: {error}", kind.name));
    let is_accepted = match Value::from_msgpack(&answer).unwrap() {
        Value::Bool(is_accepted) => is_accepted,
        other => panic!("{}: {other:?}", kind.name),
    };
    Cost { bytes: len, fuel: outcome.fuel_used.unwrap(), memory: outcome.memory_peak_bytes, is_accepted }
}

/// Doubles kinds; says all that grow too fast.
fn double(kinds: Vec<Kind>) {
    let mut faults = Vec::new();
    let mut worst = (0.0, String::new());
    let count = kinds.len();
    for kind in kinds {
        let (once, twice) = (cost(&kind, kind.count), cost(&kind, 2 * kind.count));
        if kind.is_accepted && !(once.is_accepted && twice.is_accepted) {
            faults.push(format!("{}: it is refused", kind.name));
        }
        let growth = (2 * once.bytes).max(twice.bytes) as f64 / (2 * once.bytes) as f64;
        let allowed = (once.fuel.max(FUEL_MIN) * RATIO_TENTHS / 10) as f64 * growth;
        if twice.fuel as f64 > allowed {
            let (once, twice) = (once.fuel, twice.fuel);
            faults.push(format!("{}: {once} instructions, {twice} for twice the bytes", kind.name));
        }
        let memory = twice.memory.saturating_sub(*MEMORY_BASE);
        if memory > twice.bytes * kind.memory_multiple {
            faults.push(format!("{}: {} bytes of memory for {}", kind.name, twice.memory, twice.bytes));
        }
        let multiple = memory as f64 / twice.bytes as f64;
        if multiple > worst.0 && kind.memory_multiple == MEMORY_MULTIPLE {
            worst = (multiple, kind.name);
        }
    }
    println!("{count} kinds; most memory: {:.1} times the bytes, {}", worst.0, worst.1);
    assert!(faults.is_empty(), "{} of {count} kinds:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_field_with_every_shape() {
    double(fields::shapes());
}

#[test]
fn tables_of_every_field() {
    double(fields::entries());
}

#[test]
fn tasks_and_edges() {
    double(fields::tasks());
}

#[test]
fn every_message_with_lists_anywhere() {
    double(messages::kinds());
}

#[test]
fn values_of_every_type() {
    double(values::kinds());
}

#[test]
fn components_types_and_literals() {
    double(others::kinds());
}

/// The measure sees what it is for: the guest has a reader that compares each byte with each.
#[test]
#[should_panic(expected = "for twice the bytes")]
fn a_quadratic_reader_is_found() {
    double(vec![Kind::new("pairs", "pairs", 1_000, |count| vec![0; count])]);
}
