//! `wasi:io/poll`: waiting for moments. On the virtual clock it takes no time: the clock is put forward.

use crate::state::TaskState;
use std::time::Duration;
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime::{Result, StoreContextMut, bail};

/// A moment to wait for.
pub(crate) struct Pollable;

/// How long a real wait goes on before it looks at deadline and cancellation.
const SLICE: Duration = Duration::from_millis(5);

/// The moments that a task's pollables wait for, by their representation.
#[derive(Debug, Default)]
pub(crate) struct Pollables {
    /// Nanoseconds of the monotonic clock; zero is always ready.
    moments: Vec<u64>,
    free: Vec<u32>,
}

impl Pollables {
    /// A pollable that is always ready.
    pub(super) fn ready(&mut self) -> Resource<Pollable> {
        self.at(0)
    }

    /// A pollable that is ready from a moment on.
    pub(super) fn at(&mut self, moment_ns: u64) -> Resource<Pollable> {
        if let Some(rep) = self.free.pop() {
            self.moments[rep as usize] = moment_ns;
            return Resource::new_own(rep);
        }
        // The number of handles is limited, far below 32 bits.
        self.moments.push(moment_ns);
        Resource::new_own(self.moments.len() as u32 - 1)
    }

    pub(super) fn remove(&mut self, rep: u32) {
        self.free.push(rep);
    }

    fn moment(&self, pollable: &Resource<Pollable>) -> u64 {
        self.moments.get(pollable.rep() as usize).copied().unwrap_or(0)
    }
}

/// Defines a function of `wasi:io/poll`; false for one that we do not have.
pub(super) fn define(linker: &mut LinkerInstance<'_, TaskState>, name: &str) -> Result<bool> {
    match name {
        "[method]pollable.ready" => {
            linker.func_wrap(name, |store: StoreContextMut<'_, TaskState>, (pollable,): (Resource<Pollable>,)| {
                let state = store.data();
                Ok((state.pollables.moment(&pollable) <= state.clock.peek(),))
            })
        }
        "[method]pollable.block" => {
            linker.func_wrap(name, |mut store: StoreContextMut<'_, TaskState>, (pollable,): (Resource<Pollable>,)| {
                let state = store.data_mut();
                wait_until(state, state.pollables.moment(&pollable))
            })
        }
        "poll" => linker.func_wrap(name, |mut store: StoreContextMut<'_, TaskState>, (list,): (Vec<Resource<Pollable>>,)| {
            Ok((poll(store.data_mut(), &list)?,))
        }),
        _ => return Ok(false),
    }?;
    Ok(true)
}

/// Waits until one of them is ready and says which are.
fn poll(state: &mut TaskState, list: &[Resource<Pollable>]) -> Result<Vec<u32>> {
    let Some(first) = list.iter().map(|pollable| state.pollables.moment(pollable)).min() else {
        bail!("`poll` of an empty list never returns");
    };
    wait_until(state, first)?;
    let now = state.clock.peek();
    Ok((0..).zip(list).filter(|(_, pollable)| state.pollables.moment(pollable) <= now).map(|(index, _)| index).collect())
}

/// Waits for a moment: puts the virtual clock forward, or sleeps where the real one is granted.
fn wait_until(state: &mut TaskState, moment_ns: u64) -> Result<()> {
    loop {
        state.check_time()?;
        let left = moment_ns.saturating_sub(state.clock.peek());
        if left == 0 {
            return Ok(());
        }
        if !state.clock.try_put_forward(moment_ns) {
            std::thread::sleep(Duration::from_nanos(left).min(SLICE));
        }
    }
}
