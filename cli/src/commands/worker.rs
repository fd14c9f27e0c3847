//! `wasm-tasks worker`: a worker of a fleet, as a process.

mod drain;

use crate::Ended;
use crate::failure::{Exit, Failure};
use crate::format::{parse_bytes, parse_duration};
use crate::lifeline::Lifeline;
use crate::output::print_line;
use crate::place::Trust;
use crate::signals::Interrupts;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wasm_tasks::{ClientError, ErrorCode, Home, Resource};
use wasm_tasks_protocol::message::{FromWorker, ToWorker};
use wasm_tasks_sandbox::{Engine, EngineSettings};
use wasm_tasks_transport::{Credentials, Dialer, Link, Listener, Role, resolve};
use wasm_tasks_worker::{PeerServer, Worker as Running, WorkerError, WorkerHandle, WorkerSettings};

/// How long a scheduler that was lost is dialled again.
const REDIAL_FOR: Duration = Duration::from_secs(60);
/// Wait between two attempts to dial it; doubles up to the longest.
const REDIAL_WAIT: Duration = Duration::from_millis(100);
const REDIAL_WAIT_MAX: Duration = Duration::from_secs(5);

/// How much longer than it asked for a worker waits to be let go.
const DRAIN_SLACK: Duration = Duration::from_secs(5);

/// Runs a worker of a fleet in the foreground, or lets workers leave (`worker drain`)
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  wasm-tasks worker 127.0.0.1:7077
  wasm-tasks worker scheduler.internal:7077 --slots 8 --memory '24 GiB' --label gpu=yes --name rack3
  wasm-tasks worker 10.0.0.1:7077 --listen 10.0.0.7:7100
  wasm-tasks worker 10.0.0.1:7077 --lifetime 55m

Prints `worker NAME` when it is connected. It dials the scheduler and needs no open port. With `--listen`, other
workers fetch results from it directly; without, they come through the scheduler. Ctrl-C or SIGTERM lets it drain: it
finishes what runs, and leaves when others have the results that only it has. A second one ends it at once."
)]
pub(crate) struct Worker {
    #[command(subcommand)]
    order: Option<Order>,
    /// The scheduler
    #[arg(value_name = "HOST:PORT", required = true)]
    scheduler: Option<String>,
    /// Tasks that run at once [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    slots: Option<u32>,
    /// Memory for tasks and results, such as `4 GiB` [default: what the machine has]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    memory: Option<u64>,
    /// A label that tasks may ask for; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_label)]
    label: Vec<(String, String)>,
    /// A named resource and how much of it there is; may be given several times
    #[arg(long, value_name = "NAME=AMOUNT", value_parser = parse_resource)]
    resource: Vec<Resource>,
    /// Leave after this time, such as `1h`: take nothing new, finish what runs. Tasks that ask for more time than is left
    /// (`time-request-ms`) go elsewhere
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    lifetime: Option<Duration>,
    /// Name, for people [default: the machine's]
    #[arg(long)]
    name: Option<String>,
    /// Address for other workers; port 0 takes a free one [default: a free port when the scheduler is on loopback]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<SocketAddr>,
    /// Folder for results that do not fit into memory
    #[arg(long, value_name = "DIR")]
    spill: Option<PathBuf>,
    /// Per cent of the memory that results may take before the oldest large ones are written to disk
    #[arg(long, value_name = "PERCENT", default_value_t = 60, value_parser = clap::value_parser!(u8).range(1..=100))]
    spill_at: u8,
    /// Per cent of the memory that results may take before only one task runs at a time
    #[arg(long, value_name = "PERCENT", default_value_t = 80, value_parser = clap::value_parser!(u8).range(1..=100))]
    pause_at: u8,
    /// Seconds that draining may take after Ctrl-C or SIGTERM; then running tasks are stopped, and results that nobody took
    /// are lost. Keep it below the time after which your supervisor kills
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = drain::parse_seconds)]
    drain_timeout: Duration,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    lifeline: Lifeline,
}

/// What else there is to do with workers.
#[derive(Subcommand)]
enum Order {
    Drain(drain::Drain),
}

impl Worker {
    pub(crate) fn default_log_level(&self) -> &'static str {
        if self.order.is_some() { "error" } else { "info" }
    }

    pub(crate) async fn run(mut self) -> Ended {
        match self.order.take() {
            Some(Order::Drain(drain)) => drain.run().await,
            None => self.serve().await,
        }
    }

    async fn serve(self) -> Ended {
        self.lifeline.watch();
        let mut interrupts = Interrupts::listen()?;
        let home = Home::from_env().ok().and_then(Home::if_writable);
        let settings = self.settings(home.as_ref());
        let scheduler = self.scheduler.clone().unwrap_or_default();
        let addresses = resolve(&scheduler).await.map_err(|error| ClientError::address(&scheduler, &error))?;
        let folder = self.trust.folder()?;
        let listen = self.listen.or_else(|| near(&addresses));
        let credentials = match listen {
            Some(listen) => Credentials::for_listener(&folder, listen),
            None => Credentials::load_or_create(&folder),
        };
        let credentials = credentials.map_err(|error| Failure::from(ClientError::from(error)))?;
        let dialer = Dialer::new(&credentials, Role::Worker).map_err(|error| Failure::from(ClientError::from(error)))?;
        let mut link: Link<FromWorker, ToWorker> =
            dialer.dial_any(&addresses, Role::Scheduler).await.map_err(ClientError::from)?;

        let engine = EngineSettings {
            cache_dir: home.map(|home| home.modules()),
            slots: settings.lanes() as usize,
            memory_bytes: settings.memory_bytes,
            judge: crate::judge::judge(crate::judge::BESIDE_TASKS)?,
            ..EngineSettings::default()
        };
        let engine = tokio::task::spawn_blocking(|| Engine::new(engine)).await;
        let engine = engine.map_err(Failure::system)?.map_err(|error| Failure::bad_input(ErrorCode::WorkerFault, error))?;
        let mut is_first = true;
        loop {
            let listener = match listen {
                Some(listen) => Some(
                    Listener::bind(listen, &credentials, Role::Worker)
                        .map_err(|error| Failure::from(ClientError::from(error)))?,
                ),
                None => None,
            };
            let peers = PeerServer::new(listener, dialer.clone());
            let handle = Running::start(settings.clone(), engine.clone(), link, Some(peers));
            if std::mem::take(&mut is_first) {
                print_line(format!("worker {}", settings.name))?;
            }
            tracing::info!(name = settings.name, slots = settings.slots, scheduler, "connected");
            match follow(handle, settings.leaves_at, &mut interrupts, self.drain_timeout).await {
                Ok(()) => return Ok(Exit::Done),
                Err(error) if error.is_retryable() => tracing::warn!(%error, "lost the scheduler; dialling it again"),
                Err(error) => return Err(Failure::new(Exit::NoConnection, ErrorCode::Unreachable, error)),
            }
            if settings.leaves_at.is_some_and(|at| at <= Instant::now()) {
                return Ok(Exit::Done);
            }
            link = redial(&dialer, &scheduler, &mut interrupts).await?;
        }
    }

    fn settings(&self, home: Option<&Home>) -> WorkerSettings {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let name = self.name.clone().unwrap_or_else(machine_name);
        let mut settings = WorkerSettings::new(name, self.slots.unwrap_or(cores));
        settings.memory_bytes = self.memory.unwrap_or(settings.memory_bytes);
        settings.labels.clone_from(&self.label);
        settings.pools.clone_from(&self.resource);
        (settings.spill_at, settings.pause_at) = (self.spill_at, self.pause_at);
        settings.leaves_at = self.lifetime.map(|lifetime| Instant::now() + lifetime);
        let spill = || home.map_or_else(std::env::temp_dir, Home::spill);
        settings.spill_dir = Some(self.spill.clone().unwrap_or_else(spill));
        settings
    }
}

/// Where other workers of this machine reach a worker whose scheduler is on this machine.
fn near(scheduler: &[SocketAddr]) -> Option<SocketAddr> {
    let is_near = scheduler.iter().all(|address| address.ip().is_loopback());
    let address = scheduler.iter().find(|address| address.is_ipv4()).or(scheduler.first());
    address.filter(|_| is_near).map(|address| SocketAddr::new(address.ip(), 0))
}

/// Waits for the worker to end. The first interrupt, or the end of its time, lets it drain; another interrupt ends it at once.
async fn follow(
    mut handle: WorkerHandle,
    leaves_at: Option<Instant>,
    interrupts: &mut Interrupts,
    within: Duration,
) -> Result<(), WorkerError> {
    let end = async {
        match leaves_at {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = handle.ended() => return ended,
        () = interrupts.next() => {}
        () = end => tracing::info!("its time is over"),
    }
    tracing::info!(
        seconds = within.as_secs_f64(),
        "finishing what runs and handing over results; interrupt again to leave at once"
    );
    handle.drain(Some(within));
    tokio::select! {
        // That the scheduler is gone meanwhile is no news to a worker that leaves.
        ended = handle.ended() => ended.or(Ok(())),
        () = interrupts.next() => Ok(()),
        () = tokio::time::sleep(within + DRAIN_SLACK) => {
            tracing::warn!("the scheduler did not let this worker go; it leaves now");
            Ok(())
        }
    }
}

/// Dials a scheduler that was lost until it is back, at the addresses that its name has by then.
async fn redial(dialer: &Dialer, scheduler: &str, interrupts: &mut Interrupts) -> Result<Link<FromWorker, ToWorker>, Failure> {
    let until = Instant::now() + REDIAL_FOR;
    let mut wait = REDIAL_WAIT;
    loop {
        let dialled = tokio::select! {
            dialled = dial(dialer, scheduler) => dialled,
            () = interrupts.next() => return Err(Failure::interrupted("interrupted while the scheduler was dialled")),
        };
        match dialled {
            Ok(link) => return Ok(link),
            Err(error) if may_pass(&error) && Instant::now() < until => tokio::time::sleep(wait).await,
            Err(error) => return Err(error.into()),
        }
        wait = (wait * 2).min(REDIAL_WAIT_MAX);
    }
}

async fn dial(dialer: &Dialer, scheduler: &str) -> Result<Link<FromWorker, ToWorker>, ClientError> {
    let addresses = resolve(scheduler).await.map_err(|error| ClientError::address(scheduler, &error))?;
    Ok(dialer.dial_any(&addresses, Role::Scheduler).await?)
}

/// Whether a scheduler that was there may be there again: a resolver may be gone for a while as a scheduler may.
fn may_pass(error: &ClientError) -> bool {
    match error {
        ClientError::Dial(error) => error.is_retryable(),
        error => matches!(error, ClientError::Address { .. }),
    }
}

fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    let fits = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./:".contains(c));
    match text.split_once('=') {
        Some((key, value)) if fits(key) && fits(value) => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("a label is KEY=VALUE, of letters, digits and `-_./:`".to_owned()),
    }
}

fn parse_resource(text: &str) -> Result<Resource, String> {
    let parsed = text.split_once('=').and_then(|(name, amount)| Some((name, amount.parse::<f64>().ok()?)));
    match parsed {
        Some((name, amount)) if !name.is_empty() && (0.001..1e12).contains(&amount) && name != "slots" && name != "memory" => {
            Ok(Resource { name: name.to_owned(), milli: (amount * 1000.0).round() as u64 })
        }
        Some(_) | None => {
            Err("a resource is NAME=AMOUNT, such as `gpu=2`; slots and memory have options of their own".to_owned())
        }
    }
}
