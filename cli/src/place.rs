//! Where a command does its work: on a fleet that was named, or in this process. Nothing is discovered by magic.

use crate::failure::Failure;
use crate::format::parse_bytes;
use crate::output::note;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use wasm_tasks::{Client, EmbeddedSettings, Home};

/// Which scheduler, if any.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// Scheduler of a fleet [env: WASM_TASKS_SCHEDULER] [default: everything happens in this process]
    #[arg(long, value_name = "HOST:PORT")]
    scheduler: Option<String>,
    #[command(flatten)]
    trust: Trust,
}

/// What a process shows to those of its cluster.
#[derive(Args, Clone, Debug)]
pub(crate) struct Trust {
    /// Folder with the cluster's credentials [env: WASM_TASKS_CREDENTIALS] [default: in the state folder]
    #[arg(long, value_name = "DIR")]
    credentials: Option<PathBuf>,
}

impl Trust {
    /// The folder.
    pub(crate) fn folder(&self) -> Result<PathBuf, Failure> {
        match self.credentials.clone().or_else(|| from_env("WASM_TASKS_CREDENTIALS").map(PathBuf::from)) {
            Some(folder) => Ok(folder),
            None => Ok(Home::from_env()?.credentials()),
        }
    }
}

/// A variable of the environment; empty is as good as absent.
fn from_env(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// How large the embedded cluster is.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Size {
    /// Tasks that run at once in this process [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    slots: Option<u32>,
    /// Memory for tasks and results in this process, such as `4 GiB` [default: most of the machine's]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    memory: Option<u64>,
}

impl Place {
    /// The fleet's address, where one was named.
    pub(crate) fn scheduler(&self) -> Option<String> {
        // What is no UTF-8 is no address, and the resolver says so.
        let named = || from_env("WASM_TASKS_SCHEDULER").map(|address| address.to_string_lossy().into_owned());
        self.scheduler.clone().or_else(named).filter(|address| !address.is_empty())
    }

    /// Connects to the fleet that was named.
    pub(crate) async fn fleet(&self) -> Result<Client, Failure> {
        let Some(address) = self.scheduler() else {
            let failure = Failure::bad_arguments("this needs the scheduler of a fleet");
            return Err(failure
                .hint(Some("name it with `--scheduler HOST:PORT` or `WASM_TASKS_SCHEDULER`; `wasm-tasks up` starts a fleet")));
        };
        Ok(Client::connect(&address, &self.trust.folder()?).await?)
    }

    /// Connects to the fleet that was named, or starts the embedded cluster.
    pub(crate) async fn open(&self, size: &Size) -> Result<Client, Failure> {
        if self.scheduler().is_some() {
            if size.slots.is_some() || size.memory.is_some() {
                return Err(Failure::bad_arguments(
                    "`--slots` and `--memory` are of the embedded cluster; a fleet's workers have their own",
                ));
            }
            return self.fleet().await;
        }
        if let Some(Err(unwritable)) = Home::from_env().ok().map(|home| home.check_writable()) {
            note(format!("warning: {unwritable}"));
        }
        let judge = crate::judge::judge(0)?;
        let settings = EmbeddedSettings { slots: size.slots, memory_bytes: size.memory, modules: None, judge };
        Ok(Client::embedded(settings).await?)
    }
}
