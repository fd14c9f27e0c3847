//! What judges are asked: the interface of a component, or its code.

use crate::budget::{Budgets, Work};
use crate::cache::Cache;
use crate::child;
use crate::failure::Failure;
use crate::fair::Asker;
use crate::pool::Pool;
use crate::process::Program;
use bytes::Bytes;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use wasm_tasks_interface::Interface;
use wasm_tasks_protocol::ComponentDigest;

/// Interfaces that are kept in memory.
const LAST_MAX: usize = 16;

/// How judging processes are started.
#[derive(Clone, Debug)]
pub struct JudgeSettings {
    /// The program of a judging process.
    pub program: Program,
    /// What a process may take.
    pub budgets: Budgets,
    /// Processes that run at once; default: one more than there are cores, and at least three.
    pub places: Option<usize>,
    /// Where interfaces are kept between runs; none: nowhere. A folder inside it is made with mode 0700.
    pub cache_dir: Option<PathBuf>,
}

/// Judges components, in processes of their own or in this one. Clones are the same judge.
#[derive(Clone, Debug, Default)]
pub struct Judge(Option<Arc<Children>>);

#[derive(Debug)]
struct Children {
    pool: Pool,
    cache: Option<Cache>,
    /// The last interfaces, the newest last: who asked for one asks again soon.
    last: Mutex<VecDeque<(ComponentDigest, Arc<Interface>)>>,
}

impl Children {
    /// What is known of a component without asking anybody.
    fn known(&self, digest: ComponentDigest) -> Option<Result<Arc<Interface>, Failure>> {
        if let Some(failure) = self.pool.failure(Work::Inspect, digest) {
            return Some(Err(failure));
        }
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().find(|(known, _)| *known == digest).map(|(_, interface)| Ok(Arc::clone(interface)))
    }

    fn remember(&self, digest: ComponentDigest, interface: Interface) -> Arc<Interface> {
        let interface = Arc::new(interface);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LAST_MAX {
            last.pop_front();
        }
        last.push_back((digest, Arc::clone(&interface)));
        interface
    }
}

impl Judge {
    /// A judge that works in this process, without limits: for programs that only load components of their own.
    pub const fn in_process() -> Judge {
        Judge(None)
    }

    /// A judge with processes. A cache that cannot be used is not used.
    pub fn children(settings: JudgeSettings) -> Judge {
        let JudgeSettings { program, budgets, places, cache_dir } = settings;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = Pool::new(program, budgets, places.unwrap_or(cores.max(2) + 1).max(1));
        let cache = cache_dir.and_then(|folder| {
            Cache::open(&folder)
                .inspect_err(|error| tracing::warn!(folder = %folder.display(), %error, "interfaces are not kept"))
                .ok()
        });
        Judge(Some(Arc::new(Children { pool, cache, last: Mutex::default() })))
    }

    /// Whether components are judged in processes of their own.
    pub const fn has_processes(&self) -> bool {
        self.0.is_some()
    }

    /// The interface of a component. The digest must be that of its bytes.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn interface(&self, asker: &Asker, digest: ComponentDigest, component: Bytes) -> Result<Arc<Interface>, Failure> {
        let Some(children) = &self.0 else {
            let read = tokio::task::spawn_blocking(move || child::inspect(&component)).await;
            let read = read.map_err(|_| Failure::Host("reading its interface failed; the log says more".to_owned()))?;
            let bytes = read.map_err(|(code, message)| Failure::Component { code, message })?;
            return decode(&bytes).map(Arc::new);
        };
        if let Some(known) = children.known(digest) {
            return known;
        }
        if let Some(cache) = children.cache.clone() {
            let found = tokio::task::spawn_blocking(move || cache.find(digest)).await;
            if let Some(interface) = found.ok().flatten().and_then(|bytes| Interface::decode(&bytes).ok()) {
                return Ok(children.remember(digest, interface));
            }
        }
        let bytes = children.pool.ask(asker, Work::Inspect, digest, component).outcome().await?;
        let interface = decode(&bytes)?;
        if let Some(cache) = children.cache.clone() {
            drop(tokio::task::spawn_blocking(move || cache.keep(digest, &bytes)));
        }
        Ok(children.remember(digest, interface))
    }

    /// The code of a component, made by a process; nothing when this judge has none. Blocks: not for an asynchronous thread.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn code_blocking(
        &self,
        asker: &Asker,
        digest: ComponentDigest,
        is_metered: bool,
        component: Bytes,
    ) -> Option<Result<Bytes, Failure>> {
        let children = self.0.as_ref()?;
        Some(children.pool.ask(asker, Work::Compile { is_metered }, digest, component).outcome_blocking())
    }
}

/// Reads what a process said.
fn decode(bytes: &[u8]) -> Result<Interface, Failure> {
    Interface::decode(bytes).map_err(|error| Failure::Crashed { work: Work::Inspect, how: error.to_string() })
}
