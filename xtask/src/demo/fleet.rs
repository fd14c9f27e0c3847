//! A local fleet for the length of one run. It is taken down also when the run fails.

use crate::exec::{capture, execute};
use crate::failure::Failure;
use crate::tools;

/// A scheduler and its workers, started by `wasm-tasks up`.
pub(crate) struct Fleet {
    scheduler: String,
    is_up: bool,
}

impl Fleet {
    /// Returns once the workers are connected.
    pub(crate) fn up(workers: u32) -> Result<Self, Failure> {
        let printed = capture(tools::wasm_tasks().args(["up", "--workers", &workers.to_string()]))?;
        let address = printed.lines().find_map(|line| line.strip_prefix("scheduler "));
        match address {
            Some(address) => Ok(Self { scheduler: address.trim().to_owned(), is_up: true }),
            None => {
                take_down()?;
                Err(Failure::step(format!("`wasm-tasks up` printed no line `scheduler HOST:PORT`: {printed}")))
            }
        }
    }

    /// The scheduler's address.
    pub(crate) fn scheduler(&self) -> &str {
        &self.scheduler
    }

    pub(crate) fn down(mut self) -> Result<(), Failure> {
        self.is_up = false;
        take_down()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if self.is_up
            && let Err(failure) = take_down()
        {
            eprintln!("xtask: {failure}");
        }
    }
}

fn take_down() -> Result<(), Failure> {
    execute(tools::wasm_tasks().arg("down"))
}
