//! `wasi:io/streams`: standard input is empty, standard output and error keep their last bytes.
//!
//! Writing never fails and never blocks, however much is written: what is too old is dropped.

use crate::abi::derived::StreamError;
use crate::log::TailLog;
use crate::state::{Stop, TaskState};
use wasmtime::component::{LinkerInstance, Resource, WasmList};
use wasmtime::{AsContext, Result, StoreContextMut};

/// A stream to read from. There is one: standard input, which is at its end.
pub(super) struct InputStream;
/// A stream to write to.
pub(super) struct OutputStream;
/// An error of a stream. None is ever made.
pub(crate) struct IoError;

const STDOUT: u32 = 1;
const STDERR: u32 = 2;
/// What a guest is told that it may write at once.
const WRITE_BYTES: u64 = 64 << 10;

impl OutputStream {
    pub(super) fn stdout() -> Resource<OutputStream> {
        Resource::new_own(STDOUT)
    }

    pub(super) fn stderr() -> Resource<OutputStream> {
        Resource::new_own(STDERR)
    }
}

type Closed<T> = std::result::Result<T, StreamError>;

/// Defines a function of `wasi:io/streams` or `wasi:io/error`; false for one that we do not have.
pub(super) fn define(linker: &mut LinkerInstance<'_, TaskState>, name: &str) -> Result<bool> {
    let Some(method) = name.strip_prefix("[method]") else { return Ok(false) };
    match method {
        "error.to-debug-string" => linker.func_wrap(name, |_, (_,): (Resource<IoError>,)| Ok((String::new(),))),
        "input-stream.read" | "input-stream.blocking-read" => {
            linker.func_wrap(name, |_, _: (Resource<InputStream>, u64)| Ok((Closed::<Vec<u8>>::Err(StreamError::Closed),)))
        }
        "input-stream.skip" | "input-stream.blocking-skip" => {
            linker.func_wrap(name, |_, _: (Resource<InputStream>, u64)| Ok((Closed::<u64>::Err(StreamError::Closed),)))
        }
        "input-stream.subscribe" => linker
            .func_wrap(name, |mut store: StoreContextMut<'_, TaskState>, _: (Resource<InputStream>,)| {
                Ok((store.data_mut().pollables.ready(),))
            }),
        "output-stream.subscribe" => linker
            .func_wrap(name, |mut store: StoreContextMut<'_, TaskState>, _: (Resource<OutputStream>,)| {
                Ok((store.data_mut().pollables.ready(),))
            }),
        "output-stream.check-write" => linker.func_wrap(name, |_, _: (Resource<OutputStream>,)| Ok((Closed::Ok(WRITE_BYTES),))),
        "output-stream.write" | "output-stream.blocking-write-and-flush" => linker.func_wrap(
            name,
            |store: StoreContextMut<'_, TaskState>, (stream, contents): (Resource<OutputStream>, WasmList<u8>)| {
                write(store, &stream, &contents)
            },
        ),
        "output-stream.write-zeroes" | "output-stream.blocking-write-zeroes-and-flush" => {
            linker.func_wrap(name, |mut store: StoreContextMut<'_, TaskState>, (stream, len): (Resource<OutputStream>, u64)| {
                let zeroes = vec![0; len.min(WRITE_BYTES) as usize];
                log(store.data_mut(), &stream)?.write(&zeroes);
                Ok((Closed::Ok(()),))
            })
        }
        "output-stream.flush" | "output-stream.blocking-flush" => {
            linker.func_wrap(name, |_, _: (Resource<OutputStream>,)| Ok((Closed::Ok(()),)))
        }
        "output-stream.splice" | "output-stream.blocking-splice" => linker
            .func_wrap(name, |_, _: (Resource<OutputStream>, Resource<InputStream>, u64)| {
                Ok((Closed::<u64>::Err(StreamError::Closed),))
            }),
        _ => return Ok(false),
    }?;
    Ok(true)
}

/// Which log a stream writes to.
fn log<'s>(state: &'s mut TaskState, stream: &Resource<OutputStream>) -> Result<&'s mut TailLog> {
    match stream.rep() {
        STDOUT => Ok(&mut state.stdout),
        STDERR => Ok(&mut state.stderr),
        _ => Err(Stop::Denied("wasi:io/streams".to_owned()).into()),
    }
}

fn write(
    mut store: StoreContextMut<'_, TaskState>,
    stream: &Resource<OutputStream>,
    contents: &WasmList<u8>,
) -> Result<(Closed<()>,)> {
    // Taken out for a moment: the bytes are borrowed from the guest's memory, which the store owns.
    let mut log_of_stream = std::mem::take(log(store.data_mut(), stream)?);
    log_of_stream.write(contents.as_le_slice(store.as_context()));
    *log(store.data_mut(), stream)? = log_of_stream;
    Ok((Closed::Ok(()),))
}
