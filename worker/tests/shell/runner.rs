//! A runner whose exports are Rust functions.

use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use wasm_tasks_protocol::graph::Reference;
use wasm_tasks_protocol::message::FunctionSpec;
use wasm_tasks_protocol::msgpack::{Kind, Reader, Writer};
use wasm_tasks_protocol::{ErrorCode, TaskError};
use wasm_tasks_worker::{Call, CallOutcome, ComponentWanted, Runner};

/// Counts and gates that tests look at.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) loads: AtomicU32,
    pub(crate) runs: AtomicU32,
    pub(crate) running: AtomicU32,
    gate: Mutex<bool>,
    opened: Condvar,
}

impl Watch {
    /// Lets everything that waits in `gate` go on.
    pub(crate) fn open(&self) {
        *self.gate.lock().expect("not poisoned") = true;
        self.opened.notify_all();
    }
}

#[derive(Debug)]
pub(crate) struct Scripted(pub(crate) Arc<Watch>);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Export {
    /// The sum of its arguments.
    Sum,
    /// That many bytes.
    Bytes,
    /// The length of its argument, a bin.
    Len,
    /// Waits for the gate, or until it is cancelled.
    Gate,
    /// Waits for the gate when its argument is 1.
    GateIfOne,
    Fail,
    /// Fails when its first argument is one, and returns it otherwise.
    FailIfOne,
    Delegate,
    Panic,
    Print,
    /// Does nothing.
    Nothing,
}

#[derive(Debug, Default)]
pub(crate) struct Cancel(AtomicBool);

impl Runner for Scripted {
    type Module = ();
    type Function = Export;
    type Cancel = Cancel;

    fn load(&self, _: &ComponentWanted, bytes: &mut dyn FnMut() -> Option<Bytes>) -> Result<(), TaskError> {
        self.0.loads.fetch_add(1, Ordering::SeqCst);
        match bytes() {
            Some(bytes) if bytes == "component" => Ok(()),
            Some(_) => Err(TaskError::new(ErrorCode::NotAComponent, "not a component")),
            None => Err(TaskError::new(ErrorCode::NotUploaded, "no bytes")),
        }
    }

    fn instantiations(&self) -> u64 {
        0
    }

    fn bind(&self, (): &(), function: &FunctionSpec) -> Result<Export, TaskError> {
        Ok(match function.export.as_str() {
            "sum" => Export::Sum,
            "bytes" => Export::Bytes,
            "len" => Export::Len,
            "gate" => Export::Gate,
            "gate-if-one" => Export::GateIfOne,
            "fail" => Export::Fail,
            "fail-if-one" => Export::FailIfOne,
            "delegate" => Export::Delegate,
            "panic" => Export::Panic,
            "print" => Export::Print,
            "nothing" => Export::Nothing,
            other => return Err(TaskError::new(ErrorCode::UnknownExport, format!("no export `{other}`"))),
        })
    }

    fn run(&self, export: &Export, call: &Call<'_>, cancel: &Cancel) -> CallOutcome {
        self.0.runs.fetch_add(1, Ordering::SeqCst);
        let mut outcome = CallOutcome {
            result: Ok(vec![0xc0]),
            is_delegation: false,
            stdout: Vec::new(),
            stderr: Vec::new(),
            memory_peak_bytes: 0,
            fuel_used: None,
            wall: Duration::from_micros(3),
        };
        if *export == Export::Nothing {
            return outcome;
        }
        let numbers = numbers(call);
        let first = numbers.first().copied().unwrap_or(0);
        match export {
            Export::Sum => outcome.result = Ok(number(numbers.iter().sum())),
            Export::Bytes => {
                let mut out = Writer::new();
                out.bin(&vec![7; first as usize]);
                outcome.result = Ok(out.into_bytes());
            }
            Export::Len => outcome.result = Ok(number(first)),
            Export::GateIfOne if first != 1 => {}
            Export::Gate | Export::GateIfOne => self.wait(cancel, &mut outcome),
            Export::FailIfOne if first != 1 => outcome.result = Ok(number(first)),
            Export::Fail | Export::FailIfOne => {
                outcome.result = Err(TaskError::new(ErrorCode::Trap, "wasm `unreachable` instruction executed"))
            }
            Export::Delegate => {
                outcome.result = Ok(b"tasks".to_vec());
                outcome.is_delegation = true;
            }
            Export::Panic => panic!("a bug"),
            Export::Print => outcome.stdout = b"hello\n".to_vec(),
            Export::Nothing => {}
        }
        outcome
    }

    fn cancel(cancel: &Cancel) {
        cancel.0.store(true, Ordering::SeqCst);
    }
}

impl Scripted {
    fn wait(&self, cancel: &Cancel, outcome: &mut CallOutcome) {
        self.0.running.fetch_add(1, Ordering::SeqCst);
        let mut gate = self.0.gate.lock().expect("not poisoned");
        while !*gate && !cancel.0.load(Ordering::SeqCst) {
            gate = self.0.opened.wait_timeout(gate, Duration::from_millis(1)).expect("not poisoned").0;
        }
        if cancel.0.load(Ordering::SeqCst) {
            outcome.result = Err(TaskError::new(ErrorCode::Cancelled, "cancelled"));
        }
        outcome.wall = Duration::from_millis(20);
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn number(value: u64) -> Vec<u8> {
    let mut out = Writer::new();
    out.uint(value);
    out.into_bytes()
}

/// Arguments as numbers, references followed; a bin counts as its length.
fn numbers(call: &Call<'_>) -> Vec<u64> {
    let mut reader = Reader::new(call.args);
    let len = reader.array().expect("an array");
    (0..len).map(|_| one(&mut reader, call)).collect()
}

fn one(reader: &mut Reader<'_>, call: &Call<'_>) -> u64 {
    match reader.kind().expect("a value") {
        Kind::Int => reader.int().expect("a number") as u64,
        Kind::Bin => reader.bin().expect("a bin").len() as u64,
        Kind::Ext => match reader.ext().expect("a reference") {
            (1, payload) => {
                let task = Reference::from_payload(payload).expect("a reference").task;
                one(&mut Reader::new(call.inputs.result(task).expect("the input is here")), call)
            }
            (2, payload) => match call.inputs.data(u32::from(payload[0])).expect("the data is here") {
                (bytes, true) => bytes.len() as u64,
                (bytes, false) => one(&mut Reader::new(bytes), call),
            },
            (code, _) => panic!("ext {code}"),
        },
        kind => panic!("an argument is {}", kind.as_str()),
    }
}
