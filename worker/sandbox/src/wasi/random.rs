//! `wasi:random`: numbers from the task's seed, or real ones where they are granted.

use crate::budget::Watch;
use crate::seed;
use crate::state::{Stop, TaskState};
use wasmtime::component::LinkerInstance;
use wasmtime::{Result, StoreContextMut};

/// Bytes that a guest may ask for at once: they are built in the host's memory first.
const BYTES_MAX: u64 = 16 << 20;

/// Where a task's numbers come from. Each kind of randomness has a stream of its own.
#[derive(Debug)]
pub(crate) enum Random {
    Seeded(Box<Streams>),
    Real,
}

#[derive(Debug)]
pub(crate) struct Streams {
    secure: blake3::OutputReader,
    insecure: blake3::OutputReader,
    seed: blake3::OutputReader,
}

#[derive(Clone, Copy)]
enum Kind {
    Secure,
    Insecure,
    Seed,
}

impl Random {
    fn seeded(seed: &[u8; 32]) -> Random {
        let stream = |context: &str| blake3::Hasher::new_derive_key(context).update(seed).finalize_xof();
        Random::Seeded(Box::new(Streams {
            secure: stream("wasm-tasks 2026 wasi:random/random"),
            insecure: stream("wasm-tasks 2026 wasi:random/insecure"),
            seed: stream("wasm-tasks 2026 wasi:random/insecure-seed"),
        }))
    }

    fn fill(&mut self, kind: Kind, bytes: &mut [u8]) -> Result<()> {
        match (self, kind) {
            (Random::Real, _) => getrandom::fill(bytes).map_err(wasmtime::Error::new)?,
            (Random::Seeded(streams), Kind::Secure) => streams.secure.fill(bytes),
            (Random::Seeded(streams), Kind::Insecure) => streams.insecure.fill(bytes),
            (Random::Seeded(streams), Kind::Seed) => streams.seed.fill(bytes),
        }
        Ok(())
    }
}

fn fill(state: &mut TaskState, kind: Kind, bytes: &mut [u8]) -> Result<()> {
    if state.random.is_none() {
        let call = state.scope.call();
        let random = if call.grants.entropy {
            Random::Real
        } else {
            let watch = Watch::until(call, state.deadline);
            let seed = seed::of(state.scope.function(), call, &watch)
                .map_err(|fault| state.check_time().err().unwrap_or_else(|| Stop::TooMuch(fault.to_string())))?;
            Random::seeded(&seed)
        };
        state.random = Some(random);
    }
    match &mut state.random {
        Some(random) => random.fill(kind, bytes),
        None => Ok(()),
    }
}

fn list(state: &mut TaskState, kind: Kind, len: u64) -> Result<(Vec<u8>,)> {
    if len > BYTES_MAX {
        return Err(Stop::TooMuch(format!("the task asked for {len} random bytes at once; {BYTES_MAX} is the limit")).into());
    }
    let mut bytes = vec![0; len as usize];
    fill(state, kind, &mut bytes)?;
    Ok((bytes,))
}

fn number(state: &mut TaskState, kind: Kind) -> Result<u64> {
    let mut bytes = [0; 8];
    fill(state, kind, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Defines a function of a `wasi:random` interface; false for one that we do not have.
pub(super) fn define(linker: &mut LinkerInstance<'_, TaskState>, interface: &str, name: &str) -> Result<bool> {
    type Store<'s> = StoreContextMut<'s, TaskState>;
    match (interface, name) {
        ("random/random", "get-random-bytes") => {
            linker.func_wrap(name, |mut store: Store<'_>, (len,): (u64,)| list(store.data_mut(), Kind::Secure, len))
        }
        ("random/random", "get-random-u64") => {
            linker.func_wrap(name, |mut store: Store<'_>, (): ()| Ok((number(store.data_mut(), Kind::Secure)?,)))
        }
        ("random/insecure", "get-insecure-random-bytes") => {
            linker.func_wrap(name, |mut store: Store<'_>, (len,): (u64,)| list(store.data_mut(), Kind::Insecure, len))
        }
        ("random/insecure", "get-insecure-random-u64") => {
            linker.func_wrap(name, |mut store: Store<'_>, (): ()| Ok((number(store.data_mut(), Kind::Insecure)?,)))
        }
        ("random/insecure-seed", "insecure-seed") => linker.func_wrap(name, |mut store: Store<'_>, (): ()| {
            let state = store.data_mut();
            Ok(((number(state, Kind::Seed)?, number(state, Kind::Seed)?),))
        }),
        _ => return Ok(false),
    }?;
    Ok(true)
}
