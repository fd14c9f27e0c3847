//! The tie between `wasm-tasks up` and the processes that it starts: each ends with it, however it ends, until it lets them
//! go. So an `up` that is interrupted or killed at any instant leaves nothing behind.

use clap::Args;
use std::io::{Read as _, Write as _};
use std::process::ChildStdin;

/// What ends a process whose starter is gone.
const ORPHANED: i32 = 1;

/// Whether a process depends on its starter.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Lifeline {
    /// End with the process at the other end of standard input, unless that sends a byte
    #[arg(long = "with-starter", hide = true)]
    is_held: bool,
}

/// The option that makes a process depend on its starter.
pub(crate) const OPTION: &str = "--with-starter";

impl Lifeline {
    /// Ends this process when its starter ends before it lets go. To be called before anything that outlives a process.
    pub(crate) fn watch(self) {
        if self.is_held {
            std::thread::spawn(|| {
                let is_let_go = std::io::stdin().read(&mut [0]).is_ok_and(|read| read == 1);
                if !is_let_go {
                    std::process::exit(ORPHANED);
                }
            });
        }
    }
}

/// The starter's end for one process.
#[derive(Debug)]
pub(crate) struct Hold(pub(crate) ChildStdin);

impl Hold {
    /// The process goes on when this one has ended.
    pub(crate) fn release(mut self) {
        // One that ended meanwhile is noticed by whoever uses it.
        drop(self.0.write_all(b"\n"));
    }
}
