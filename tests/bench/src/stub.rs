//! A worker that runs nothing and answers at once: what is left is the scheduler's own work.

use crate::error::BenchError;
use bytes::Bytes;
use std::net::SocketAddr;
use wasm_tasks_protocol::ContentDigest;
use wasm_tasks_protocol::message::{AttemptFinished, FromWorker, ToWorker, WorkerOffer};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_transport::{Credentials, Dialer, Link, LinkError, Role};

/// What every task returns: 16 bytes, a `bin` of 14.
const RESULT: &[u8; 16] = b"\xc4\x0eresult of 16!!";

/// Joins a scheduler and answers until the scheduler is gone.
pub(crate) async fn serve(address: SocketAddr, credentials: Credentials, name: &str) -> Result<(), BenchError> {
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
