//! `wasm-tasks down`: stops the local fleet.

use crate::Ended;
use crate::failure::Exit;
use crate::fleet::{Fleet, Lock};
use crate::output::note;
use clap::Args;
use wasm_tasks::Home;

/// Stops the fleet of `wasm-tasks up`
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks down

Running tasks are given up, and the results that nobody took are gone.")]
pub(crate) struct Down {}

impl Down {
    pub(crate) async fn run(self) -> Ended {
        let home = Home::from_env()?;
        let _lock = Lock::take(&home)?;
        let Some(fleet) = Fleet::known(&home) else {
            note("no fleet runs on this machine");
            return Ok(Exit::Done);
        };
        let running = fleet.processes.iter().filter(|process| process.is_running()).count();
        let killed = fleet.stop().await;
        Fleet::forget(&home);
        let stopped = if running == 1 { "1 process".to_owned() } else { format!("{running} processes") };
        match killed {
            0 => note(format!("stopped {stopped}")),
            killed => note(format!("stopped {stopped}, {killed} of which had to be killed")),
        }
        Ok(Exit::Done)
    }
}
