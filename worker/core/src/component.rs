//! Components that attempts need: each is loaded once, waited for by any number of attempts, and kept a while when idle.

use crate::action::{Action, Actions};
use crate::slab::{Id, Slab};
use crate::{AttemptId, WorkerCore};
use std::collections::{BTreeMap, VecDeque};
use wasm_tasks_protocol::message::FromWorker;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{ComponentDigest, TaskError};

/// The kind of [`ComponentId`].
#[derive(Debug)]
pub enum ComponentKind {}

/// Names a component, loaded with or without metering, between core and shell.
pub type ComponentId = Id<ComponentKind>;

/// How far a component is.
pub(crate) enum Availability {
    /// The shell is at it.
    Loading(Vec<AttemptId>),
    Loaded,
    /// It cannot be used; nothing that this worker does will change that.
    Failed(TaskError),
}

pub(crate) struct Component {
    pub(crate) digest: ComponentDigest,
    pub(crate) is_metered: bool,
    pub(crate) availability: Availability,
    /// Functions of graphs that use it.
    pub(crate) users: u32,
}

pub(crate) struct Components {
    pub(crate) slab: Slab<ComponentKind, Component>,
    ids: BTreeMap<(ComponentDigest, bool), ComponentId>,
    /// Those without users, the longest idle first; may name some that are used again.
    idle: VecDeque<ComponentId>,
}

impl Components {
    pub(crate) const fn new() -> Components {
        Components { slab: Slab::new(), ids: BTreeMap::new(), idle: VecDeque::new() }
    }
}

impl WorkerCore {
    /// A function of a graph uses the component from now on; it is loaded when it is not.
    pub(crate) fn use_component(&mut self, digest: ComponentDigest, is_metered: bool, out: &mut Actions) -> ComponentId {
        if let Some(id) = self.components.ids.get(&(digest, is_metered)).copied() {
            self.components.slab[id].users += 1;
            self.components.idle.retain(|idle| *idle != id);
            return id;
        }
        self.begin_loading(digest, is_metered, 1, 0, out)
    }

    fn begin_loading(
        &mut self,
        digest: ComponentDigest,
        is_metered: bool,
        users: u32,
        client: u64,
        out: &mut Actions,
    ) -> ComponentId {
        let availability = Availability::Loading(Vec::new());
        let id = self.components.slab.insert(Component { digest, is_metered, availability, users });
        self.components.ids.insert((digest, is_metered), id);
        out.perform.push(Action::LoadComponent { component: id, digest, is_metered, client });
        id
    }

    /// Components that tasks will need: they are loaded as if they were idle, and so hold no slot meanwhile.
    pub(crate) fn preload(&mut self, client: u64, components: Vec<(ComponentDigest, bool)>, out: &mut Actions) {
        for (digest, is_metered) in components {
            match self.components.ids.get(&(digest, is_metered)).map(|id| &self.components.slab[*id].availability) {
                None => {
                    let id = self.begin_loading(digest, is_metered, 0, client, out);
                    self.components.idle.push_back(id);
                }
                // The report is on its way, or will be.
                Some(Availability::Loading(_) | Availability::Loaded) => {}
                Some(Availability::Failed(_)) => out.send.push(FromWorker::ComponentUnloaded { digest, is_metered }),
            }
        }
    }

    /// Lets go of those that nobody uses beyond what is kept. Those that are being loaded do not count.
    fn trim_idle(&mut self, out: &mut Actions) {
        let Components { slab, idle, .. } = &self.components;
        let is_loading =
            |id: &ComponentId| slab.get(*id).is_some_and(|component| matches!(component.availability, Availability::Loading(_)));
        let here: Vec<ComponentId> = idle.iter().copied().filter(|id| !is_loading(id)).collect();
        let beyond = here.len().saturating_sub(self.settings.idle_components_max as usize);
        for oldest in here.into_iter().take(beyond) {
            self.remove_component(oldest, out);
        }
    }

    /// A function that used the component is forgotten.
    pub(crate) fn disuse_component(&mut self, id: ComponentId, out: &mut Actions) {
        let component = &mut self.components.slab[id];
        component.users -= 1;
        if component.users == 0 {
            self.components.idle.push_back(id);
        }
        self.trim_idle(out);
    }

    /// Whether the attempt must wait for the component; it is told when it comes.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn await_component(&mut self, id: ComponentId, attempt: AttemptId) -> Result<bool, TaskError> {
        match &mut self.components.slab[id].availability {
            Availability::Loading(waiters) => {
                waiters.push(attempt);
                Ok(true)
            }
            Availability::Loaded => Ok(false),
            Availability::Failed(error) => Err(error.clone()),
        }
    }

    pub(crate) fn on_component_loaded(
        &mut self,
        id: ComponentId,
        took: Duration,
        result: Result<(), TaskError>,
        out: &mut Actions,
    ) {
        let Some(component) = self.components.slab.get_mut(id) else { return };
        let Availability::Loading(waiters) = std::mem::replace(&mut component.availability, Availability::Loaded) else { return };
        match result {
            Ok(()) => {
                let Component { digest, is_metered, .. } = *component;
                out.send.push(FromWorker::ComponentLoaded { digest, is_metered, took });
                self.arrived(waiters);
            }
            Err(error) => {
                component.availability = Availability::Failed(error.clone());
                let Component { digest, is_metered, .. } = *component;
                // What may go better next time is forgotten, and so asked for again.
                let is_passing = error.is_infrastructure();
                for attempt in waiters {
                    self.fail_unrun(attempt, error.clone(), out);
                }
                if is_passing {
                    self.reload_next_time(id, out);
                } else {
                    out.send.push(FromWorker::ComponentUnloaded { digest, is_metered });
                }
            }
        }
        self.trim_idle(out);
    }

    fn reload_next_time(&mut self, id: ComponentId, out: &mut Actions) {
        for (_, graph) in self.graphs.iter_mut() {
            for function in &mut graph.functions {
                for slot in &mut function.components {
                    if *slot == Some(id) {
                        *slot = None;
                    }
                }
            }
        }
        self.remove_component(id, out);
    }

    fn remove_component(&mut self, id: ComponentId, out: &mut Actions) {
        self.components.idle.retain(|idle| *idle != id);
        if let Some(component) = self.components.slab.remove(id) {
            let Component { digest, is_metered, .. } = component;
            self.components.ids.remove(&(digest, is_metered));
            out.send.push(FromWorker::ComponentUnloaded { digest, is_metered });
            out.perform.push(Action::UnloadComponent(id));
        }
    }
}
