//! A worker that runs nothing and answers at once: what is left is the scheduler's own work.

use crate::error::BenchError;
use crate::fleet::Scheduler;
use bytes::Bytes;
use serde_json::Value as Json;
use std::net::SocketAddr;
use std::time::Instant;
use wasm_tasks::{Query, blocking};
use wasm_tasks_protocol::ContentDigest;
use wasm_tasks_protocol::message::{AttemptFinished, FromWorker, ToWorker, WorkerOffer};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_transport::{Credentials, Dialer, Link, LinkError, Role};

/// What every task returns: 16 bytes, a `bin` of 14.
const RESULT: &[u8; 16] = b"\xc4\x0eresult of 16!!";

/// Stub workers that run beside the benchmark.
pub(crate) struct Stubs {
    runtime: tokio::runtime::Runtime,
    running: Vec<tokio::task::JoinHandle<Result<(), BenchError>>>,
}

impl Stubs {
    /// How many there are.
    pub(crate) const COUNT: usize = 2;

    /// Starts them.
    pub(crate) fn start(scheduler: &Scheduler) -> Result<Stubs, BenchError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(Stubs::COUNT)
            .enable_all()
            .build()
            .map_err(BenchError::at("starting stub workers"))?;
        let address: SocketAddr = scheduler.address.parse().map_err(BenchError::at("reading the scheduler's address"))?;
        let credentials = Credentials::load(&scheduler.credentials).map_err(BenchError::at("reading credentials"))?;
        let running = (1..=Stubs::COUNT)
            .map(|number| {
                let credentials = credentials.clone();
                runtime.spawn(async move { serve(address, credentials, &format!("stub-{number}")).await })
            })
            .collect();
        Ok(Stubs { runtime, running })
    }

    /// Waits until all of them have joined.
    pub(crate) fn joined(&self, client: &blocking::Client) -> Result<(), BenchError> {
        let until = Instant::now() + std::time::Duration::from_secs(10);
        while Instant::now() < until {
            let workers = client.ask(Query::Workers).map_err(BenchError::at("asking for the workers"))?;
            if workers.as_array().map_or(0, Vec::len) == Stubs::COUNT {
                return Ok(());
            }
            std::thread::yield_now();
        }
        Err(BenchError::Failed {
            what: "starting stub workers",
            reason: format!("{:?}", client.ask(Query::Workers).unwrap_or(Json::Null)),
        })
    }

    /// Waits for their end, which is that of their scheduler. The error of a stub explains that of a measurement.
    pub(crate) fn end(self) -> Result<(), BenchError> {
        self.running.into_iter().try_for_each(|stub| self.runtime.block_on(stub).map_err(BenchError::at("a stub worker"))?)
    }
}

/// Joins a scheduler and answers until the scheduler is gone.
async fn serve(address: SocketAddr, credentials: Credentials, name: &str) -> Result<(), BenchError> {
    let dialer = Dialer::new(&credentials, Role::Worker).map_err(BenchError::at("making a stub worker"))?;
    let link: Link<FromWorker, ToWorker> =
        dialer.dial(address, Role::Scheduler).await.map_err(BenchError::at("dialling the scheduler"))?;
    // A link that was closed by the scheduler's end is how this ends.
    match answer(link, name).await {
        Ok(()) | Err(LinkError::Closed { .. }) => Ok(()),
        Err(error) => Err(BenchError::at("answering the scheduler")(error)),
    }
}

async fn answer(link: Link<FromWorker, ToWorker>, name: &str) -> Result<(), LinkError> {
    let Link { mut sender, mut receiver, peer, incoming } = link;
    let offer = WorkerOffer {
        name: name.to_owned(),
        slots: 1,
        memory_bytes: 8 << 30,
        labels: Vec::new(),
        pools: Vec::new(),
        lifetime: None,
        addresses: Vec::new(),
        pid: std::process::id(),
    };
    sender.send(vec![FromWorker::Joined(offer)]).await?;
    let mut heartbeat = tokio::time::interval(std::time::Duration::from_secs(1));
    loop {
        let batch = tokio::select! {
            batch = receiver.recv() => batch?,
            _ = heartbeat.tick() => {
                sender.send(vec![FromWorker::Heartbeat { stored_bytes: 0, spilled_bytes: 0, resident_bytes: 0, instantiations: 0 }]).await?;
                continue;
            }
        };
        let mut answers = Vec::new();
        for message in batch {
            match message {
                ToWorker::AssignTasks { tasks, .. } => {
                    answers.push(FromWorker::AttemptsFinished(tasks.iter().map(|task| finished(task.attempt)).collect()));
                }
                ToWorker::LoadComponents { components, .. } => {
                    let loaded = |(digest, is_metered)| FromWorker::ComponentLoaded { digest, is_metered, took: Duration::ZERO };
                    answers.extend(components.into_iter().map(loaded));
                }
                // Whatever was assigned has ended.
                ToWorker::RetractAttempts(asked) => answers.push(FromWorker::Retracted { asked, returned: Vec::new() }),
                ToWorker::Shutdown => {
                    drop((peer, incoming));
                    return Ok(());
                }
                ToWorker::Welcome { .. }
                | ToWorker::AddPeer(_)
                | ToWorker::RemovePeer(_)
                | ToWorker::DefineGraph { .. }
                | ToWorker::ExtendGraph { .. }
                | ToWorker::ForgetGraph(_)
                | ToWorker::CancelAttempts(_)
                | ToWorker::UpdateInput { .. }
                | ToWorker::ReleaseResults { .. }
                | ToWorker::Drain
                | ToWorker::LoadData { .. }
                | ToWorker::FetchReplicas { .. } => {}
            }
        }
        sender.send(answers).await?;
    }
}

fn finished(attempt: wasm_tasks_protocol::Attempt) -> AttemptFinished {
    AttemptFinished {
        attempt,
        size: RESULT.len() as u64,
        digest: ContentDigest([0; 32]),
        run: Duration(10),
        memory_peak_bytes: 1 << 20,
        fuel_used: None,
        has_logs: false,
        inline: Some(Bytes::from_static(RESULT)),
    }
}
