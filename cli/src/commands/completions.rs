//! `wasm-tasks completions`: what shells need to complete our commands.

use crate::output::write_to;
use crate::{CommandLine, Ended, failure::Exit};
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

/// Prints completions for a shell
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks completions bash > ~/.local/share/bash-completion/completions/wasm-tasks
  wasm-tasks completions zsh > ~/.zfunc/_wasm-tasks
  wasm-tasks completions fish > ~/.config/fish/completions/wasm-tasks.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Ended {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut CommandLine::command(), "wasm-tasks", &mut script);
        write_to(None, &script)?;
        Ok(Exit::Done)
    }
}
