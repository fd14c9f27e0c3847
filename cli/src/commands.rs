//! The commands, one file each.

mod append;
mod attach;
mod cancel;
mod check;
mod completions;
mod componentize;
mod down;
mod explain;
mod explain_error;
mod inspect;
mod logs;
mod publish;
mod published;
mod replay;
mod results;
mod run;
mod scheduler;
mod session;
mod show;
mod status;
mod submit;
mod unpublish;
mod up;
mod worker;
mod workers;

use crate::Ended;
use clap::Subcommand;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    Submit(submit::Submit),
    Run(run::Run),
    Check(check::Check),
    Show(show::Show),
    Inspect(inspect::Inspect),
    Attach(attach::Attach),
    Results(results::Results),
    Replay(replay::Replay),
    Cancel(cancel::Cancel),
    Publish(publish::Publish),
    Published(published::Published),
    Unpublish(unpublish::Unpublish),
    Status(status::Status),
    Explain(explain::Explain),
    Logs(logs::Logs),
    Workers(workers::Workers),
    #[command(hide = true)]
    Session(session::Session),
    Up(up::Up),
    Down(down::Down),
    Scheduler(scheduler::Scheduler),
    Worker(worker::Worker),
    Componentize(componentize::Componentize),
    ExplainError(explain_error::ExplainError),
    Completions(completions::Completions),
}

impl Command {
    /// What is logged unless `WASM_TASKS_LOG` says otherwise: servers tell what they do, commands only what is wrong.
    pub(crate) fn default_log_level(&self) -> &'static str {
        match self {
            Command::Scheduler(_) => "info",
            Command::Worker(worker) => worker.default_log_level(),
            Command::Submit(_)
            | Command::Run(_)
            | Command::Check(_)
            | Command::Show(_)
            | Command::Inspect(_)
            | Command::Attach(_)
            | Command::Results(_)
            | Command::Replay(_)
            | Command::Cancel(_)
            | Command::Publish(_)
            | Command::Published(_)
            | Command::Unpublish(_)
            | Command::Status(_)
            | Command::Explain(_)
            | Command::Logs(_)
            | Command::Workers(_)
            | Command::Session(_)
            | Command::Up(_)
            | Command::Down(_)
            | Command::Componentize(_)
            | Command::ExplainError(_)
            | Command::Completions(_) => "error",
        }
    }

    /// Does it.
    pub(crate) async fn run(self) -> Ended {
        match self {
            Command::Submit(command) => command.run().await,
            Command::Run(command) => command.run().await,
            Command::Check(command) => command.run(),
            Command::Show(command) => command.run(),
            Command::Inspect(command) => command.run().await,
            Command::Attach(command) => command.run().await,
            Command::Results(command) => command.run().await,
            Command::Replay(command) => command.run().await,
            Command::Cancel(command) => command.run().await,
            Command::Publish(command) => command.run().await,
            Command::Published(command) => command.run().await,
            Command::Unpublish(command) => command.run().await,
            Command::Status(command) => command.run().await,
            Command::Explain(command) => command.run().await,
            Command::Logs(command) => command.run().await,
            Command::Workers(command) => command.run().await,
            Command::Session(command) => command.run().await,
            Command::Up(command) => command.run().await,
            Command::Down(command) => command.run().await,
            Command::Scheduler(command) => command.run().await,
            Command::Worker(command) => command.run().await,
            Command::Componentize(command) => command.run(),
            Command::ExplainError(command) => command.run(),
            Command::Completions(command) => command.run(),
        }
    }
}
