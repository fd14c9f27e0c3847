//! `wasm-tasks scheduler`: the scheduler of a fleet, as a process.

use crate::Ended;
use crate::failure::{Exit, Failure};
use crate::lifeline::Lifeline;
use crate::output::print_line;
use crate::place::Trust;
use crate::signals::Interrupts;
use clap::Args;
use std::net::SocketAddr;
use std::time::Duration;
use wasm_tasks::ClientError;
use wasm_tasks_scheduler::{Scheduler as Running, SchedulerSettings};
use wasm_tasks_transport::{Accepted, Credentials, Listener, Role};

/// How long peers may take to hear that the scheduler leaves.
const GOODBYES_WITHIN: Duration = Duration::from_millis(500);

/// Runs the scheduler of a fleet in the foreground
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks scheduler
  wasm-tasks scheduler --listen 0.0.0.0:7077 --credentials /etc/wasm-tasks

Prints `scheduler HOST:PORT` when it listens. On loopback it makes its credentials on first use, with mode 0600;
anywhere else they must be there: run it on loopback once and copy the folder to workers and clients.")]
pub(crate) struct Scheduler {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7077")]
    listen: SocketAddr,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    lifeline: Lifeline,
}

impl Scheduler {
    pub(crate) async fn run(self) -> Ended {
        self.lifeline.watch();
        let mut interrupts = Interrupts::listen()?;
        let folder = self.trust.folder()?;
        let credentials = Credentials::for_listener(&folder, self.listen).map_err(ClientError::from)?;
        let listener = Listener::bind(self.listen, &credentials, Role::Scheduler)
            .map_err(|error| Failure::from(ClientError::from(error)))?;
        let judge = crate::judge::judge(0)?;
        let scheduler = Running::start(SchedulerSettings { judge, ..SchedulerSettings::default() });
        print_line(format!("scheduler {}", listener.local_address()))?;
        tracing::info!(address = %listener.local_address(), credentials = %folder.display(), "listening");
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Some(accepted) => drop(tokio::spawn(serve(scheduler.clone(), accepted))),
                    None => break,
                },
                () = interrupts.next() => break,
            }
        }
        tracing::info!("leaving");
        tokio::select! {
            () = scheduler.shutdown() => {}
            () = interrupts.next() => return Err(Failure::interrupted("interrupted twice; workers were not told to leave")),
        }
        listener.close();
        tokio::select! {
            () = listener.drained() => {}
            () = interrupts.next() => {}
            () = tokio::time::sleep(GOODBYES_WITHIN) => {}
        }
        Ok(Exit::Done)
    }
}

async fn serve(scheduler: Running, accepted: Accepted) {
    let peer = accepted.identity().clone();
    let address = accepted.remote_address();
    tracing::info!(%peer, %address, "connected");
    let attached = match peer.role {
        Role::Worker => accepted.into_link().await.map(|link| scheduler.attach_worker(link)),
        Role::Client => accepted.into_link().await.map(|link| scheduler.attach_client(link)),
        // The listener lets none in.
        Role::Scheduler => Ok(()),
    };
    if let Err(error) = attached {
        tracing::warn!(%peer, %address, %error, "left at once");
    }
}
