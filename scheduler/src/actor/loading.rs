//! Tells workers to load what a graph will need before it begins.

use super::Actor;
use crate::inbox::SessionId;
use crate::loads::Module;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use tokio::sync::oneshot;
use wasm_tasks_protocol::ids::{ComponentDigest, WorkerId};
use wasm_tasks_protocol::message::ToWorker;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_scheduler_core::Event;

/// A component that a worker has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded {
    /// How long that took it.
    pub(crate) took: Duration,
    /// Whether the core knows.
    pub(crate) is_told: bool,
}

impl Actor {
    /// Without workers, and where each has everything, nothing is waited for.
    pub(super) fn on_loading(&mut self, session: SessionId, components: &[Module], loaded: oneshot::Sender<()>) {
        let lacks =
            |has: &dyn Fn(&Module) -> bool| components.iter().copied().filter(|module| !has(module)).collect::<Vec<Module>>();
        let joined = self.workers.iter().filter(|(_, link)| link.offer.is_some() && link.dismissed.is_none());
        let lacking: BTreeMap<WorkerId, Vec<Module>> = joined
            .map(|(worker, link)| (*worker, lacks(&|module| link.modules.contains_key(module))))
            .filter(|(_, modules)| !modules.is_empty())
            .collect();
        self.loads.wait(Instant::now(), &lacking, loaded);
        for (worker, components) in lacking {
            if let Some(link) = self.workers.get_mut(&worker) {
                link.outbox.push(ToWorker::LoadComponents { client: session.0, components });
            }
        }
    }

    /// The core knows components from the first graph on that uses them: now it hears which workers had them before.
    pub(super) fn tell_loaded(&mut self, components: &BTreeSet<ComponentDigest>) {
        let untold = self.workers.iter().flat_map(|(worker, link)| {
            let modules = link.modules.iter().filter(|((digest, _), known)| !known.is_told && components.contains(digest));
            modules.map(|(module, known)| (*worker, *module, known.took))
        });
        for (worker, module, took) in untold.collect::<Vec<_>>() {
            if let Some(known) = self.workers.get_mut(&worker).and_then(|link| link.modules.get_mut(&module)) {
                known.is_told = true;
            }
            let (digest, is_metered) = module;
            self.event(Event::ComponentLoaded { worker, digest, is_metered, took });
        }
    }
}
