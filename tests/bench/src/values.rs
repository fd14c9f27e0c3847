//! Large values in and out of a task, beside a monomorphic `TypedFunc` call in a fresh store of the same configuration.
//!
//! Ours starts from encoded arguments and ends with the encoded result, as a worker has them; the peer starts from Rust
//! values and ends with Rust values. Both touch every page on both sides. Calls take turns, after warm-up.

use crate::context::Context;
use crate::error::{BenchError, check};
use crate::median::median;
use crate::process::Stopwatch;
use crate::report::{Bar, Report, Row};
use crate::sandbox::{Sandbox, call};
use wasm_tasks_protocol::msgpack::Writer;
use wasm_tasks_sandbox::bare::{Bare, Row as Record};
use wasm_tasks_sandbox::{CancelFlag, Function};

const INTERFACE: &str = "wasm-tasks:examples/everything";
const PEER: &str = "wasmtime TypedFunc";

/// One size and how it is measured.
struct Measured {
    name: &'static str,
    function: Function,
    bar: f64,
    warm_up: usize,
    rounds: usize,
}

/// 1 MiB of bytes.
pub(crate) fn bytes(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    let sandbox = Sandbox::load(context, "everything")?;
    let measured = Measured { name: "bytes-1MiB", function: export(&sandbox, "echo-bytes")?, bar: 1.2, warm_up: 20, rounds: 401 };
    let bare = Bare::new(&measured.function);
    let mut value = vec![7u8; 1 << 20];
    measured.compare(
        &sandbox,
        report,
        |round| {
            value[..8].copy_from_slice(&(round as u64).to_le_bytes());
            let mut args = Writer::new();
            args.array(1);
            args.bin(&value);
            let mut expected = Writer::new();
            expected.bin(&value);
            (args.into_bytes(), expected.into_bytes(), value.clone())
        },
        |cancel, value| bare.bytes(&call(&[], cancel), value),
    )
}

/// A million floats.
pub(crate) fn floats(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    let sandbox = Sandbox::load(context, "everything")?;
    let measured = Measured { name: "f64-1M", function: export(&sandbox, "echo-list-f64")?, bar: 1.2, warm_up: 5, rounds: 61 };
    let bare = Bare::new(&measured.function);
    let mut value: Vec<f64> = (0..1_000_000).map(|i| f64::from(i) * 0.5).collect();
    measured.compare(
        &sandbox,
        report,
        |round| {
            value[0] = round as f64;
            let packed: Vec<u8> = value.iter().flat_map(|x| x.to_le_bytes()).collect();
            let mut args = Writer::new();
            args.array(1);
            args.ext(EXT_F64, &packed);
            let mut expected = Writer::new();
            expected.ext(EXT_F64, &packed);
            (args.into_bytes(), expected.into_bytes(), value.clone())
        },
        |cancel, value| bare.floats(&call(&[], cancel), value),
    )
}

/// The extension code of a packed `list<f64>` (docs/values.md).
const EXT_F64: i8 = 24;

/// Ten thousand records.
pub(crate) fn records(context: &Context, report: &mut Report) -> Result<(), BenchError> {
    let sandbox = Sandbox::load(context, "everything")?;
    let measured =
        Measured { name: "records-10000", function: export(&sandbox, "echo-rows")?, bar: 1.5, warm_up: 5, rounds: 101 };
    let bare = Bare::new(&measured.function);
    measured.compare(
        &sandbox,
        report,
        |round| {
            let rows: Vec<Record> = (0..10_000u32)
                .map(|id| Record { id, x: f64::from(id) * 0.25, label: format!("record {}", id as usize + round) })
                .collect();
            let mut expected = Writer::new();
            expected.array(rows.len());
            for row in &rows {
                expected.map(3);
                expected.str("id");
                expected.uint(u64::from(row.id));
                expected.str("x");
                expected.f64(row.x);
                expected.str("label");
                expected.str(&row.label);
            }
            let expected = expected.into_bytes();
            // The header of an array of one argument.
            let args = [&[0x91], expected.as_slice()].concat();
            (args, expected, rows)
        },
        |cancel, rows| bare.rows(&call(&[], cancel), rows),
    )
}

fn export(sandbox: &Sandbox, name: &str) -> Result<Function, BenchError> {
    sandbox.component.function(&format!("{INTERFACE}#{name}")).map_err(BenchError::at("finding an export"))
}

impl Measured {
    /// `make` gives the arguments, the expected result, and the value for the peer.
    fn compare<T: PartialEq, E: std::fmt::Display>(
        &self,
        sandbox: &Sandbox,
        report: &mut Report,
        mut make: impl FnMut(usize) -> (Vec<u8>, Vec<u8>, T),
        peer: impl Fn(&CancelFlag, &T) -> Result<T, E>,
    ) -> Result<(), BenchError> {
        let cancel = CancelFlag::new();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let before = sandbox.instantiations();
        for round in 0..self.warm_up + self.rounds {
            let (args, expected, value) = make(round);
            // Who goes first changes, so that neither always finds what the other left in the caches.
            for turn in 0..2 {
                let watch = Stopwatch::start()?;
                if (round + turn) % 2 == 0 {
                    let outcome = self.function.call(&call(&args, &cancel));
                    ours.push(watch.seconds()?);
                    check("an echo", &(outcome.result.map_err(BenchError::at("calling"))? == expected), &true)?;
                } else {
                    let result = peer(&cancel, &value).map_err(BenchError::at("calling barely"))?;
                    theirs.push(watch.seconds()?);
                    check("a bare echo", &(result == value), &true)?;
                }
            }
        }
        let calls = 2 * (self.warm_up + self.rounds) as u64;
        check("the number of fresh instances", &(sandbox.instantiations() - before), &calls)?;
        let middle = |seconds: Vec<f64>| median(seconds.into_iter().skip(self.warm_up)) * 1e6;
        report.add(Row {
            name: self.name.to_owned(),
            value: middle(ours),
            unit: "µs",
            peer: Some((PEER, middle(theirs))),
            bar: Some(Bar::RatioAtMost(self.bar)),
            note: format!("median of {}", self.rounds),
        });
        Ok(())
    }
}
