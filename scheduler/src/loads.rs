//! Components that workers are told to load before a graph begins, so that its tasks hold no slots while they compile.
//!
//! A graph waits until every worker has what it needs, or says that it cannot have it. Once each component is somewhere, it
//! waits for the others no longer than that took; those are late, and have the rest to themselves. Knows no links.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use wasm_tasks_protocol::ids::{ComponentDigest, WorkerId};

/// A component, with or without metering.
pub(crate) type Module = (ComponentDigest, bool);

/// The least time for which workers that are late are waited for.
const PATIENCE_LEAST: Duration = Duration::from_secs(1);

/// Graphs that wait for loads.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    began: Instant,
    /// Workers that have not answered.
    missing: BTreeMap<Module, BTreeSet<WorkerId>>,
    /// Modules of which no worker has answered.
    nowhere: BTreeSet<Module>,
    /// When it begins whoever is late.
    until: Option<Instant>,
    loaded: oneshot::Sender<()>,
}

impl Loads {
    /// Waits for workers to load what each lacks.
    pub(crate) fn wait(&mut self, now: Instant, lacking: &BTreeMap<WorkerId, Vec<Module>>, loaded: oneshot::Sender<()>) {
        let mut missing: BTreeMap<Module, BTreeSet<WorkerId>> = BTreeMap::new();
        for (worker, modules) in lacking {
            for module in modules {
                missing.entry(*module).or_default().insert(*worker);
            }
        }
        let nowhere = missing.keys().copied().collect();
        self.waiting.push(Waiting { began: now, missing, nowhere, until: None, loaded });
        self.release(now);
    }

    /// A worker has a module, or cannot have it.
    pub(crate) fn answered(&mut self, now: Instant, worker: WorkerId, module: &Module) {
        if self.waiting.is_empty() {
            return;
        }
        for waiting in &mut self.waiting {
            if let Some(workers) = waiting.missing.get_mut(module)
                && workers.remove(&worker)
            {
                waiting.nowhere.remove(module);
            }
        }
        self.release(now);
    }

    /// A worker is gone, and answers nothing any more.
    pub(crate) fn worker_gone(&mut self, now: Instant, worker: WorkerId) {
        for waiting in &mut self.waiting {
            for (module, workers) in &mut waiting.missing {
                workers.remove(&worker);
                if workers.is_empty() {
                    waiting.nowhere.remove(module);
                }
            }
        }
        self.release(now);
    }

    /// Lets those begin that waited for long enough, and forgets those whose clients went.
    pub(crate) fn release(&mut self, now: Instant) {
        for at in (0..self.waiting.len()).rev() {
            let waiting = &mut self.waiting[at];
            waiting.missing.retain(|_, workers| !workers.is_empty());
            if waiting.nowhere.is_empty() && waiting.until.is_none() {
                waiting.until = Some(now + now.duration_since(waiting.began).max(PATIENCE_LEAST));
            }
            let is_over = waiting.until.is_some_and(|until| until <= now);
            if waiting.missing.is_empty() || is_over || waiting.loaded.is_closed() {
                // Whoever went needs no answer.
                let _ = self.waiting.swap_remove(at).loaded.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(number: u8) -> Module {
        (ComponentDigest([number; 32]), false)
    }

    fn lacking(workers: u64, modules: &[Module]) -> BTreeMap<WorkerId, Vec<Module>> {
        (1..=workers).map(|worker| (WorkerId(worker), modules.to_vec())).collect()
    }

    #[test]
    fn a_graph_waits_for_every_worker_that_is_in_time() {
        let (mut loads, start) = (Loads::default(), Instant::now());
        let (loaded, mut wait) = oneshot::channel();
        loads.wait(start, &lacking(3, &[module(1), module(2)]), loaded);
        let at = |seconds| start + Duration::from_secs(seconds);
        loads.answered(at(1), WorkerId(1), &module(1));
        loads.answered(at(5), WorkerId(2), &module(2));
        loads.release(at(9));
        assert!(wait.try_recv().is_err(), "others have as long again");
        for worker in 1..=3 {
            loads.answered(at(9), WorkerId(worker), &module(1));
        }
        loads.release(at(10));
        assert!(wait.try_recv().is_ok(), "and no longer");
        assert!(loads.waiting.is_empty());
    }

    #[test]
    fn answers_and_departures_end_the_wait() {
        let (mut loads, now) = (Loads::default(), Instant::now());
        let (loaded, mut wait) = oneshot::channel();
        loads.wait(now, &lacking(2, &[module(1)]), loaded);
        loads.answered(now, WorkerId(1), &module(1));
        assert!(wait.try_recv().is_err());
        loads.worker_gone(now, WorkerId(2));
        assert!(wait.try_recv().is_ok());
        let (loaded, mut wait) = oneshot::channel();
        loads.wait(now, &BTreeMap::new(), loaded);
        assert!(wait.try_recv().is_ok(), "nothing lacks anything");
        let (loaded, wait) = oneshot::channel();
        loads.wait(now, &lacking(1, &[module(1)]), loaded);
        drop(wait);
        loads.release(now);
        assert!(loads.waiting.is_empty(), "its client went");
    }
}
