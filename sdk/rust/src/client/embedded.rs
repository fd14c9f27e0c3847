//! The cluster of one process: the same scheduler and worker as a fleet's, joined by links in memory.

use super::room::Room;
use crate::error::ClientError;
use crate::home::Home;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wasm_tasks_judge::Judge;
use wasm_tasks_protocol::message::{FromClient, ToClient};
use wasm_tasks_sandbox::{Engine, EngineSettings};
use wasm_tasks_scheduler::{Scheduler, SchedulerSettings};
use wasm_tasks_transport::{Identity, Link, Role, memory_link_between};
use wasm_tasks_worker::{Worker, WorkerHandle, WorkerSettings};

/// How long running tasks may take to end when the cluster is closed.
const END_WITHIN: Duration = Duration::from_secs(2);

/// How an embedded cluster is made.
#[derive(Clone, Debug, Default)]
pub struct EmbeddedSettings {
    /// Tasks of one slot that run at once; default: one for each core.
    pub slots: Option<u32>,
    /// Bytes of memory for tasks and results; default: what the machine has.
    pub memory_bytes: Option<u64>,
    /// Folder of compiled modules, which are reused by later runs; default: that of [`Home`].
    pub modules: Option<PathBuf>,
    /// Validates and compiles components; default: in this process, without limits of its own.
    pub judge: Judge,
}

/// The parts of a running embedded cluster.
pub(super) struct Embedded {
    scheduler: Scheduler,
    room: Room,
    worker: Mutex<Option<WorkerHandle>>,
}

impl Embedded {
    pub(super) async fn start(settings: EmbeddedSettings) -> Result<(Embedded, Link<FromClient, ToClient>), ClientError> {
        let home = Home::from_env().ok().and_then(Home::if_writable);
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let mut worker = WorkerSettings::new("embedded", settings.slots.unwrap_or(cores));
        worker.memory_bytes = settings.memory_bytes.unwrap_or(worker.memory_bytes);
        worker.spill_dir = Some(home.as_ref().map_or_else(std::env::temp_dir, Home::spill));
        let room = Room::of(&worker);
        let engine = EngineSettings {
            cache_dir: settings.modules.or_else(|| home.map(|home| home.modules())),
            slots: worker.lanes() as usize,
            memory_bytes: worker.memory_bytes,
            judge: settings.judge.clone(),
            ..EngineSettings::default()
        };
        let engine = tokio::task::spawn_blocking(|| Engine::new(engine)).await;
        let engine = engine
            .map_err(|error| ClientError::Start(error.to_string()))?
            .map_err(|error| ClientError::Start(error.to_string()))?;

        let scheduler = Scheduler::start(SchedulerSettings { judge: settings.judge, ..SchedulerSettings::default() });
        let (to_worker, to_scheduler) = memory_link_between(Identity::of(Role::Scheduler), Identity::of(Role::Worker));
        scheduler.attach_worker(to_worker);
        let worker = Worker::start(worker, engine, to_scheduler, None);
        let (to_client, link) = memory_link_between(Identity::of(Role::Scheduler), Identity::of(Role::Client));
        scheduler.attach_client(to_client);
        Ok((Embedded { scheduler, room, worker: Mutex::new(Some(worker)) }, link))
    }

    /// What its worker can run.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Ends it; tasks that run may finish, for a moment.
    pub(super) async fn shutdown(&self) {
        self.scheduler.shutdown().await;
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker
            && let Ok(Err(error)) = tokio::time::timeout(END_WITHIN, worker.end()).await
        {
            tracing::debug!(%error, "the embedded worker did not leave in order");
        }
    }
}
