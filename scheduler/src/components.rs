//! Uploaded components: their bytes and what they offer, by digest.
//!
//! They are judged by [`Judge`], elsewhere. Those that no graph needs stay while there is room; the one that was not used for
//! the longest time goes first.

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;
use wasm_tasks_interface::Interface;
use wasm_tasks_interface::admission::{self, graph_interfaces, not_uploaded};
use wasm_tasks_judge::{Asker, Judge};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{Component, Graph};
use wasm_tasks_protocol::ids::ComponentDigest;
use wasm_tasks_protocol::message::Refusal;

/// A component that was judged. Graphs hold it as long as they need it.
#[derive(Debug)]
pub(crate) struct StoredComponent {
    pub(crate) bytes: Bytes,
    pub(crate) interface: Arc<Interface>,
}

/// All components of this scheduler. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Components {
    inner: Arc<Mutex<Inner>>,
    bytes_max: usize,
    judge: Judge,
}

#[derive(Debug, Default)]
struct Inner {
    by_digest: HashMap<ComponentDigest, Stored>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

#[derive(Debug)]
struct Stored {
    component: Arc<StoredComponent>,
    used: u64,
}

impl Inner {
    fn touch(&mut self, digest: &ComponentDigest) -> Option<&Arc<StoredComponent>> {
        self.clock += 1;
        let stored = self.by_digest.get_mut(digest)?;
        stored.used = self.clock;
        Some(&stored.component)
    }

    /// Lets go of what no graph needs until there is room; whether there is.
    fn make_room(&mut self, bytes: usize, bytes_max: usize) -> bool {
        while self.bytes + bytes > bytes_max {
            let idle = self.by_digest.iter().filter(|(_, stored)| Arc::strong_count(&stored.component) == 1);
            let Some(oldest) = idle.min_by_key(|(_, stored)| stored.used).map(|(digest, _)| *digest) else { return false };
            let stored = self.by_digest.remove(&oldest).expect("it was just found");
            self.bytes -= stored.component.bytes.len();
        }
        true
    }
}

impl Components {
    pub(crate) fn new(bytes_max: usize, judge: Judge) -> Components {
        Components { inner: Arc::default(), bytes_max, judge }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, digest: &ComponentDigest) -> Option<Arc<StoredComponent>> {
        self.lock().touch(digest).map(Arc::clone)
    }

    /// Positions of those that are not here.
    pub(crate) fn missing(&self, digests: &[ComponentDigest]) -> Vec<u32> {
        let mut inner = self.lock();
        (0..).zip(digests).filter(|(_, digest)| inner.touch(digest).is_none()).map(|(position, _)| position).collect()
    }

    /// Has a component judged, and keeps it.
    pub(crate) async fn add(
        &self,
        asker: &Asker,
        digest: ComponentDigest,
        bytes: Bytes,
    ) -> Result<Arc<StoredComponent>, Refusal> {
        if let Some(known) = self.find(&digest) {
            return Ok(known);
        }
        // A copy: the upload may be a slice of a graph file that would be kept alive by it. Both take a while for large ones.
        let copied = tokio::task::spawn_blocking(move || (ComponentDigest::of(&bytes), Bytes::copy_from_slice(&bytes)));
        let failed = |_| Refusal::new(ErrorCode::WorkerFault, "the scheduler cannot read the component; its log says more");
        let (found, bytes) = copied.await.map_err(failed)?;
        if found != digest {
            let message = format!("the component's digest is `{found}`, not `{digest}` as was said");
            return Err(Refusal::new(ErrorCode::DigestMismatch, message));
        }
        let judged = self.judge.interface(asker, digest, bytes.clone()).await;
        let interface = judged.map_err(|failure| Refusal::new(failure.code(), failure.to_string()))?;
        let mut inner = self.lock();
        if let Some(known) = inner.touch(&digest) {
            return Ok(Arc::clone(known));
        }
        if !inner.make_room(bytes.len(), self.bytes_max) {
            let message = format!("the scheduler keeps at most {} bytes of components, and graphs need them all", self.bytes_max);
            return Err(Refusal::new(ErrorCode::LimitExceeded, message));
        }
        inner.bytes += bytes.len();
        let component = Arc::new(StoredComponent { bytes, interface });
        let used = inner.clock;
        inner.by_digest.insert(digest, Stored { component: Arc::clone(&component), used });
        Ok(component)
    }

    /// The components of a graph, by position: those that came with it are judged, beside each other.
    pub(crate) async fn of(&self, graph: &Graph, asker: &Asker) -> Result<Vec<Arc<StoredComponent>>, Refusal> {
        let mut found = Judged::default();
        let mut judging = JoinSet::new();
        for component in graph.components() {
            let (components, asker, digest) = (self.clone(), asker.clone(), component.digest);
            if let Some(range) = component.bytes.clone() {
                let bytes = graph.file().slice(range);
                judging.spawn(async move { (digest, components.add(&asker, digest, bytes).await) });
            } else if component.source.is_none()
                && let Some(known) = self.find(&digest)
            {
                found.0.entry(digest).or_insert(Ok(known));
            }
        }
        while let Some(judged) = judging.join_next().await {
            let failed = |_| Refusal::new(ErrorCode::WorkerFault, "the scheduler failed to judge a component; its log says more");
            let (digest, added) = judged.map_err(failed)?;
            // Of two that are said to have one digest, only one may have it.
            if !matches!(found.0.get(&digest), Some(Err(_))) {
                found.0.insert(digest, added);
            }
        }
        let interfaces = graph_interfaces(graph, &found)?;
        let stored = |(position, component): (usize, &Component)| match (&interfaces[position], found.0.get(&component.digest)) {
            (Some(_), Some(Ok(stored))) => Ok(Arc::clone(stored)),
            (Some(_) | None, _) => Err(not_uploaded(graph, position)),
        };
        graph.components().iter().enumerate().map(stored).collect()
    }
}

/// The components of one graph that are here, or why one is refused.
#[derive(Debug, Default)]
struct Judged(HashMap<ComponentDigest, Result<Arc<StoredComponent>, Refusal>>);

impl admission::Components for Judged {
    fn interface(&self, digest: &ComponentDigest, _: Option<Bytes>) -> Result<Option<Arc<Interface>>, Refusal> {
        let known = self.0.get(digest).cloned().transpose()?;
        Ok(known.map(|stored| Arc::clone(&stored.interface)))
    }
}

#[cfg(test)]
mod tests;
