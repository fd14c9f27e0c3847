//! Components as workers load them: which worker has which, and how long that takes.
//!
//! With metering a component is another module than without. Nothing is expected of a module before the first worker said how
//! long it took: until then all workers are alike. A module is forgotten with the last graph that uses it and the last worker
//! that has it, so that workers can make nothing known here that no graph uses.

use crate::claims;
use crate::core::SchedulerCore;
use crate::dense_set::DenseSet;
use crate::task::TaskId;
use crate::worker::WorkerIndex;
use std::collections::BTreeMap;
use wasm_tasks_protocol::ids::{ComponentDigest, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};

/// A component in the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ComponentIndex(u32);

/// A component with or without metering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModuleIndex(u32);

/// How much the newest load counts beside earlier ones: machines and their caches differ, so the last few are what is known.
const NEWEST_WEIGHT: f64 = 0.5;

impl ComponentIndex {
    pub(crate) fn module(self, is_metered: bool) -> ModuleIndex {
        ModuleIndex(2 * self.0 + u32::from(is_metered))
    }
}

impl ModuleIndex {
    fn component(self) -> usize {
        self.0 as usize / 2
    }

    fn variant(self) -> usize {
        self.0 as usize % 2
    }
}

#[derive(Debug)]
struct Component {
    digest: ComponentDigest,
    /// Functions of graphs that are of it, and workers' modules of it.
    users: u32,
    /// What loading takes without and with metering, in microseconds, once it is known.
    load_us: [Option<f64>; 2],
}

/// All components that graphs use or workers have.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    ids: BTreeMap<ComponentDigest, ComponentIndex>,
    list: Vec<Option<Component>>,
    free: Vec<u32>,
}

impl Modules {
    /// One more function is of a component.
    pub(crate) fn take(&mut self, digest: ComponentDigest) -> ComponentIndex {
        let index = *self.ids.entry(digest).or_insert_with(|| {
            let index = self.free.pop().unwrap_or_else(|| {
                self.list.push(None);
                self.list.len() as u32 - 1
            });
            self.list[index as usize] = Some(Component { digest, users: 0, load_us: [None; 2] });
            ComponentIndex(index)
        });
        self.at_mut(index).users += 1;
        index
    }

    /// One function less is of a component.
    pub(crate) fn let_go(&mut self, index: ComponentIndex) {
        let component = self.at_mut(index);
        component.users -= 1;
        if component.users == 0 {
            self.ids.remove(&self.list[index.0 as usize].take().expect("it was used until now").digest);
            self.free.push(index.0);
        }
    }

    fn find(&self, digest: &ComponentDigest, is_metered: bool) -> Option<ModuleIndex> {
        self.ids.get(digest).map(|index| index.module(is_metered))
    }

    fn at_mut(&mut self, index: ComponentIndex) -> &mut Component {
        self.list[index.0 as usize].as_mut().expect("what is used is known")
    }

    /// Microseconds that loading a module takes, once it is known.
    fn load_us(&self, module: ModuleIndex) -> Option<u64> {
        self.list[module.component()].as_ref()?.load_us[module.variant()].map(|load| load as u64)
    }

    fn note_load(&mut self, module: ModuleIndex, took: Duration) {
        let known = &mut self.at_mut(ComponentIndex(module.component() as u32)).load_us[module.variant()];
        let took = took.0 as f64;
        *known = Some(known.map_or(took, |known| known + NEWEST_WEIGHT * (took - known)));
    }
}

/// The modules of a worker.
#[derive(Debug, Default)]
pub(crate) struct WorkerModules {
    loaded: DenseSet,
    /// Those which tasks that were sent there made it load, and since when; each once.
    loading: Vec<(ModuleIndex, Time)>,
}

impl WorkerModules {
    fn loading_since(&self, module: ModuleIndex) -> Option<Time> {
        self.loading.iter().find(|(other, _)| *other == module).map(|(_, since)| *since)
    }

    fn stop_loading(&mut self, module: ModuleIndex) -> bool {
        let at = self.loading.iter().position(|(other, _)| *other == module);
        at.map(|at| self.loading.swap_remove(at)).is_some()
    }
}

impl SchedulerCore {
    /// The module that a task runs from, if that is known.
    fn module_of(&self, id: TaskId) -> Option<ModuleIndex> {
        let graph = self.graph(id.graph);
        let component = graph.components.get(graph.task(id.task).function as usize)?;
        Some(component.module(graph.profile_of(id.task).settings.fuel.is_some()))
    }

    /// Microseconds until a worker has what a task runs from, as far as that is known.
    pub(crate) fn load_wait_us(&self, id: TaskId, index: WorkerIndex) -> u64 {
        let Some(module) = self.module_of(id) else { return 0 };
        let Some(load) = self.modules.load_us(module) else { return 0 };
        let modules = &self.worker(index).modules;
        if modules.loaded.contains(module.0) {
            return 0;
        }
        let since = modules.loading_since(module).unwrap_or(self.now);
        (since + Duration(load)).since(self.now).0
    }

    /// A task was sent to a worker, which begins to load what it does not have.
    pub(crate) fn note_loading(&mut self, id: TaskId, index: WorkerIndex) {
        let Some(module) = self.module_of(id) else { return };
        let now = self.now;
        let modules = &mut self.worker_mut(index).modules;
        if !modules.loaded.contains(module.0) && modules.loading_since(module).is_none() {
            modules.loading.push((module, now));
            self.modules.at_mut(ComponentIndex(module.component() as u32)).users += 1;
        }
    }

    /// Whether a graph uses a component, or a worker has it that some graph used: of others nothing is noted.
    pub fn knows_component(&self, digest: &ComponentDigest) -> bool {
        self.modules.ids.contains_key(digest)
    }

    /// What nobody uses is not asked about: a worker may be late, or lie.
    pub(crate) fn on_component_loaded(&mut self, worker: WorkerId, digest: &ComponentDigest, is_metered: bool, took: Duration) {
        let found = (self.worker_ids.get(&worker).copied(), self.modules.find(digest, is_metered));
        let (Some(index), Some(module)) = found else {
            self.counters.stale_reports += 1;
            return;
        };
        self.modules.note_load(module, claims::run(took));
        let modules = &mut self.worker_mut(index).modules;
        let was_known = modules.stop_loading(module);
        if modules.loaded.insert(module.0) && !was_known {
            self.modules.at_mut(ComponentIndex(module.component() as u32)).users += 1;
        }
    }

    pub(crate) fn on_component_unloaded(&mut self, worker: WorkerId, digest: &ComponentDigest, is_metered: bool) {
        let found = (self.worker_ids.get(&worker).copied(), self.modules.find(digest, is_metered));
        let (Some(index), Some(module)) = found else {
            self.counters.stale_reports += 1;
            return;
        };
        let modules = &mut self.worker_mut(index).modules;
        if modules.stop_loading(module) | modules.loaded.remove(module.0) {
            self.modules.let_go(ComponentIndex(module.component() as u32));
        }
    }

    /// A worker is gone with its modules.
    pub(crate) fn forget_modules(&mut self, index: WorkerIndex) {
        let WorkerModules { loaded, loading } = std::mem::take(&mut self.worker_mut(index).modules);
        let loading = loading.into_iter().map(|(module, _)| module);
        for module in loaded.iter().map(ModuleIndex).chain(loading) {
            self.modules.let_go(ComponentIndex(module.component() as u32));
        }
    }

    pub(crate) fn check_modules(&self) {
        let mut users = vec![0; self.modules.list.len()];
        let graphs = self.graph_ids.values().flat_map(|index| &self.graph(*index).components);
        graphs.for_each(|component| users[component.0 as usize] += 1);
        for worker in self.worker_ids.values().map(|worker| self.worker(*worker)) {
            let loading = worker.modules.loading.iter().map(|(module, _)| *module);
            for module in worker.modules.loaded.iter().map(ModuleIndex).chain(loading.clone()) {
                users[module.component()] += 1;
            }
            for module in loading {
                assert!(!worker.modules.loaded.contains(module.0), "what is loaded is not being loaded");
            }
        }
        for (at, (users, component)) in users.into_iter().zip(&self.modules.list).enumerate() {
            assert_eq!(component.as_ref().map_or(0, |component| component.users), users, "users of component {at} are counted");
            assert_eq!(component.is_none(), users == 0, "component {at} is known as long as it is used");
            let found = component.as_ref().and_then(|component| self.modules.ids.get(&component.digest));
            assert_eq!(found.is_some_and(|found| found.0 as usize == at), component.is_some(), "component {at} is found");
        }
        assert_eq!(self.modules.ids.len() + self.modules.free.len(), self.modules.list.len(), "places are used or free");
    }
}
