//! `wasm-tasks up`: a fleet of real processes on this machine.

use crate::Ended;
use crate::failure::{Exit, Failure};
use crate::fleet::{Fleet, Lock, Process};
use crate::format::counted;
use crate::lifeline::Hold;
use crate::output::{note, print_json, print_line};
use clap::Args;
use serde_json::json;
use std::ffi::OsString;
use std::time::{Duration, Instant};
use wasm_tasks::{Client, Home, Query};
use wasm_tasks_worker::WorkerSettings;

/// How long workers that are connected may take to join.
const JOINED_WITHIN: Duration = Duration::from_secs(20);
/// How often to look whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Starts a scheduler and workers on this machine, in the background
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks up --workers 2
  export WASM_TASKS_SCHEDULER=$(wasm-tasks up | cut -d ' ' -f 2)
  wasm-tasks down

Only this machine, and only this user, can reach it: the scheduler listens on 127.0.0.1, and its credentials
are readable for this user alone.")]
pub(crate) struct Up {
    /// Worker processes
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=256))]
    workers: u32,
    /// Tasks that run at once in each worker [default: the cores, shared among the workers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    slots: Option<u32>,
    /// Memory of each worker, such as `4 GiB` [default: the machine's, shared among the workers]
    #[arg(long, value_name = "BYTES", value_parser = crate::format::parse_bytes)]
    memory: Option<u64>,
    /// Port of the scheduler [default: a free one]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Up {
    pub(crate) async fn run(self) -> Ended {
        let home = Home::from_env()?;
        let _lock = Lock::take(&home)?;
        if let Some(fleet) = Fleet::running(&home) {
            let failure = Failure::bad_arguments(format!("a fleet runs already: scheduler {}", fleet.address));
            return Err(failure.hint(Some("`wasm-tasks down` stops it")));
        }
        if let Some(fleet) = Fleet::known(&home) {
            fleet.stop().await;
            Fleet::forget(&home);
        }
        let mut fleet = Fleet { address: String::new(), processes: Vec::new() };
        let mut holds = Vec::new();
        let started = match self.start(&home, &mut fleet, &mut holds) {
            Ok(()) => self.wait_for_workers(&home, &fleet).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = started {
            fleet.stop().await;
            Fleet::forget(&home);
            return Err(failure);
        }
        // From here on `down` knows all of them.
        holds.into_iter().for_each(Hold::release);
        if self.json {
            print_json(&json!({"scheduler": fleet.address, "processes": fleet.processes}))?;
        } else {
            print_line(format!("scheduler {}", fleet.address))?;
            let (workers, logs) = (counted(u64::from(self.workers), "worker"), home.fleet());
            note(format!("{workers} connected; logs are in `{}`, `wasm-tasks down` stops them", logs.display()));
        }
        Ok(Exit::Done)
    }

    fn start(&self, home: &Home, fleet: &mut Fleet, holds: &mut Vec<Hold>) -> Result<(), Failure> {
        let folder = home.fleet();
        let credentials = home.credentials();
        let mut start = |fleet: &mut Fleet, name: &str, words: &[&str]| {
            let mut words: Vec<OsString> = words.iter().map(OsString::from).collect();
            words.extend([OsString::from("--credentials"), credentials.clone().into()]);
            let started = Process::start(name, &words, &folder.join(format!("{name}.log")))?;
            fleet.processes.push(started.process);
            holds.push(started.hold);
            fleet.save(home)?;
            Ok::<_, Failure>(started.line)
        };
        let line = start(fleet, "scheduler", &["scheduler", "--listen", &format!("127.0.0.1:{}", self.port)])?;
        fleet.address = line.strip_prefix("scheduler ").unwrap_or(&line).to_owned();
        // Workers of one machine share its memory.
        let memory = self.memory.unwrap_or_else(|| WorkerSettings::new("", 1).memory_bytes / u64::from(self.workers));
        let memory = memory.to_string();
        for number in 1..=self.workers {
            let (name, slots) = (format!("worker-{number}"), self.slots_of(number).to_string());
            let address = fleet.address.clone();
            let of_worker = ["--name", &name, "--listen", "127.0.0.1:0", "--slots", &slots, "--memory", &memory];
            start(fleet, &name, &[&["worker", &address][..], &of_worker].concat())?;
        }
        Ok(())
    }

    /// A worker that says that it is connected may not have been heard of by the scheduler yet.
    async fn wait_for_workers(&self, home: &Home, fleet: &Fleet) -> Result<(), Failure> {
        let client = Client::connect(&fleet.address, &home.credentials()).await?;
        let until = Instant::now() + JOINED_WITHIN;
        loop {
            let joined = client.ask(Query::Workers).await?.as_array().map_or(0, Vec::len);
            if joined >= self.workers as usize {
                return Ok(());
            }
            if Instant::now() > until {
                let logs = home.fleet();
                return Err(Failure::system(format!(
                    "only {joined} of {} workers joined; logs are in `{}`",
                    self.workers,
                    logs.display()
                )));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The cores, shared as evenly as they can be; at least one each.
    fn slots_of(&self, number: u32) -> u32 {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let share = cores / self.workers + u32::from(number <= cores % self.workers);
        self.slots.unwrap_or(share.max(1))
    }
}
