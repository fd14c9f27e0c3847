//! Translates how a call failed into a task's error: a code, and words that say what happened and what to do.

use crate::abi::{ArgumentFault, ResultFault};
use crate::call::Limits;
use crate::engine::FRAMES_MAX;
use crate::function::Function;
use crate::state::Stop;
use wasm_tasks_protocol::msgpack::{Kind, ReadError, Reader};
use wasm_tasks_protocol::{ErrorCode, TaskError};
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

/// Bytes of standard error that an error carries.
const STDERR_TAIL_BYTES: usize = 4 << 10;
/// Characters of a guest's error value in a message.
const VALUE_CHARS: usize = 500;

/// A call that failed, with what is needed to say why.
pub(crate) struct Failed<'a> {
    pub(crate) error: &'a wasmtime::Error,
    pub(crate) limits: &'a Limits,
    pub(crate) memory_refused: bool,
}

/// The error of an export that returned `err`.
pub(crate) fn guest_error(value: Vec<u8>) -> TaskError {
    let message = match Reader::new(&value).kind() {
        Ok(Kind::Nil) | Err(_) => "the function returned an error without a value".to_owned(),
        Ok(Kind::Str) => Reader::new(&value).str().map_or_else(|_| String::new(), shorten),
        Ok(_) => {
            let mut text = String::new();
            match render(&mut Reader::new(&value), &mut text) {
                Ok(()) | Err(_) => shorten(&text),
            }
        }
    };
    TaskError { value: Some(value), ..TaskError::new(ErrorCode::GuestError, message) }
}

/// Finds the code and the words for an error of the engine.
pub(crate) fn translate(failed: &Failed<'_>) -> TaskError {
    let error = failed.error;
    let (code, message) = if let Some(ArgumentFault(fault)) = error.downcast_ref() {
        (fault.code(), fault.to_string())
    } else if let Some(ResultFault(fault)) = error.downcast_ref() {
        (fault.code(), fault.to_string())
    } else if let Some(stop) = error.downcast_ref::<Stop>() {
        stopped(stop, failed.limits)
    } else if failed.memory_refused {
        (ErrorCode::OutOfMemory, out_of_memory(failed.limits))
    } else if let Some(lack) = host_lack(error) {
        (ErrorCode::WorkerFault, format!("the worker's machine lacks what the task needs to run: {lack}"))
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        let endless = *trap == Trap::MemoryOutOfBounds && is_endless_recursion(error);
        trapped(if endless { Trap::StackOverflow } else { *trap }, failed.limits)
    } else if error.is::<PoolConcurrencyLimitError>() {
        (ErrorCode::WorkerFault, format!("the worker runs more tasks at once than it has slots for: {error:#}"))
    } else {
        other(&error.root_cause().to_string())
    };
    TaskError { backtrace: backtrace(error), ..TaskError::new(code, message) }
}

/// Adds what every error carries.
pub(crate) fn complete(
    mut error: TaskError,
    function: &Function,
    denied: Option<&str>,
    stderr: &[u8],
    memory_peak_bytes: u64,
    fuel_used: Option<u64>,
) -> TaskError {
    if let Some(denied) = denied {
        error.message.push_str(&format!(" (`{}` had been denied `{denied}`)", function.export()));
    }
    error.stderr_tail = tail(stderr);
    error.memory_peak_bytes = memory_peak_bytes;
    error.fuel_used = fuel_used;
    error
}

/// What the machine refused the engine: address space, memory, threads, files. The engine passes the
/// system's own error on, wherever in the chain that stands; a guest cannot make one.
fn host_lack(error: &wasmtime::Error) -> Option<String> {
    let is_system = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<std::io::Error>() || cause.is::<rustix::io::Errno>() || cause.is::<wasmtime::error::OutOfMemory>()
    };
    let has_type = error.chain().any(is_system)
        || error.is::<std::io::Error>()
        || error.is::<rustix::io::Errno>()
        || error.is::<wasmtime::error::OutOfMemory>();
    has_type.then(|| format!("{error:#}"))
}

fn out_of_memory(limits: &Limits) -> String {
    format!("the task needed more than {} MiB of memory, its limit; resource `memory` sets it", limits.memory_bytes >> 20)
}

pub(crate) fn stopped(stop: &Stop, limits: &Limits) -> (ErrorCode, String) {
    match stop {
        Stop::Timeout => (
            ErrorCode::Timeout,
            format!("the task ran longer than {} ms, its limit; option `timeout-ms` sets it", limits.wall.as_millis()),
        ),
        Stop::Cancelled => (ErrorCode::Cancelled, "the task was cancelled".to_owned()),
        Stop::Exit(status) => {
            (ErrorCode::Exit, format!("the task called `exit` with status {status} instead of returning a result"))
        }
        Stop::Denied(what) => (ErrorCode::GrantDenied, format!("the task called `{what}`, which tasks may not")),
        Stop::TooMuch(what) => (ErrorCode::LimitExceeded, what.clone()),
        Stop::Delegated(_) => unreachable!("it is no failure: `run` takes the tasks"),
    }
}

fn trapped(trap: Trap, limits: &Limits) -> (ErrorCode, String) {
    match trap {
        Trap::StackOverflow => (ErrorCode::StackOverflow, "the task's stack is exhausted; it may recurse without end".to_owned()),
        Trap::OutOfFuel => (
            ErrorCode::OutOfFuel,
            format!("the task used up its {} units of fuel; option `fuel` sets them", limits.fuel.unwrap_or(u64::MAX)),
        ),
        Trap::UnreachableCodeReached => {
            (ErrorCode::Trap, "the task stopped itself (`unreachable`), as programs do after a panic or an abort".to_owned())
        }
        trap => (ErrorCode::Trap, format!("the task trapped: {trap}")),
    }
}

/// Errors that have no type of their own.
fn other(text: &str) -> (ErrorCode, String) {
    if text.contains("handle limit exceeded") {
        return (ErrorCode::LimitExceeded, format!("the task holds too many handles: {text}"));
    }
    if text.contains("fuel allocated for hostcalls") {
        return (ErrorCode::LimitExceeded, "the task handed more data to the host at once than it may".to_owned());
    }
    (ErrorCode::Trap, format!("the task broke the rules of its interface: {text}"))
}

/// Compiled languages keep a stack of their own in linear memory. Where that is exhausted before the real one, the guest
/// traps outside its memory, under frames of a few functions over and over.
fn is_endless_recursion(error: &wasmtime::Error) -> bool {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return false };
    let mut functions: Vec<u32> = backtrace.frames().iter().map(|frame| frame.func_index()).collect();
    let frames = functions.len();
    functions.sort_unstable();
    functions.dedup();
    frames >= FRAMES_MAX && functions.len() <= 4
}

/// Names of the guest's functions, innermost first.
fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    use wasmtime::component::__internal::wasmtime_environ::demangle_function_name_or_index;
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let frames = backtrace.frames().iter().map(|frame| {
        let mut name = String::new();
        match demangle_function_name_or_index(&mut name, frame.func_name(), frame.func_index() as usize) {
            Ok(()) => name,
            Err(_) => format!("function {}", frame.func_index()),
        }
    });
    frames.collect()
}

/// The end of a log as text.
fn tail(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(STDERR_TAIL_BYTES)..]).into_owned()
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Writes a value as people read it; stops when it gets long.
fn render(reader: &mut Reader<'_>, out: &mut String) -> Result<(), ReadError> {
    use std::fmt::Write;
    if out.len() > 4 * VALUE_CHARS {
        return Err(ReadError::End);
    }
    let written = match reader.kind()? {
        Kind::Nil => {
            reader.nil()?;
            write!(out, "nil")
        }
        Kind::Bool => write!(out, "{}", reader.bool()?),
        Kind::Int => write!(out, "{}", reader.int()?),
        Kind::Float => write!(out, "{}", reader.float()?),
        Kind::Str => write!(out, "{:?}", reader.str()?),
        Kind::Bin => write!(out, "{} bytes", reader.bin()?.len()),
        Kind::Ext => write!(out, "a packed list of {} bytes", reader.ext()?.1.len()),
        Kind::Array => {
            out.push('[');
            for index in 0..reader.array()? {
                out.push_str(if index > 0 { ", " } else { "" });
                render(reader, out)?;
            }
            write!(out, "]")
        }
        Kind::Map => {
            out.push('{');
            for index in 0..reader.map()? {
                out.push_str(if index > 0 { ", " } else { "" });
                out.push_str(reader.str()?);
                out.push_str(": ");
                render(reader, out)?;
            }
            write!(out, "}}")
        }
    };
    // Writing to a string does not fail.
    written.map_err(|_| ReadError::End)
}
