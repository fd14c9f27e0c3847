//! Uploaded components: their bytes and what they offer, by digest.

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use wasm_tasks_interface::Interface;
use wasm_tasks_interface::admission::{self, judge_component};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::ids::ComponentDigest;
use wasm_tasks_protocol::message::Refusal;

/// A component that was checked.
#[derive(Clone, Debug)]
pub(crate) struct StoredComponent {
    pub(crate) bytes: Bytes,
    pub(crate) interface: Arc<Interface>,
}

/// All components of this scheduler. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Components {
    inner: Arc<Mutex<Inner>>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    by_digest: HashMap<ComponentDigest, StoredComponent>,
    bytes: usize,
}

impl Components {
    pub(crate) fn new(bytes_max: usize) -> Components {
        Components { inner: Arc::default(), bytes_max }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, digest: &ComponentDigest) -> Option<StoredComponent> {
        self.lock().by_digest.get(digest).cloned()
    }

    /// Positions of those that are not here.
    pub(crate) fn missing(&self, digests: &[ComponentDigest]) -> Vec<u32> {
        let inner = self.lock();
        (0..).zip(digests).filter(|(_, digest)| !inner.by_digest.contains_key(digest)).map(|(position, _)| position).collect()
    }

    /// Checks and keeps a component. Takes a while for large ones: not for an asynchronous thread.
    pub(crate) fn add(&self, digest: ComponentDigest, bytes: Bytes) -> Result<StoredComponent, Refusal> {
        if let Some(known) = self.find(&digest) {
            return Ok(known);
        }
        let interface = judge_component(&digest, &bytes)?;
        // A copy: the upload may be a slice of a graph file that would be kept alive by it.
        let stored = StoredComponent { bytes: Bytes::copy_from_slice(&bytes), interface: Arc::new(interface) };
        let mut inner = self.lock();
        if inner.bytes + stored.bytes.len() > self.bytes_max {
            let message = format!("the scheduler keeps at most {} bytes of components", self.bytes_max);
            return Err(Refusal::new(ErrorCode::LimitExceeded, message));
        }
        inner.bytes += stored.bytes.len();
        inner.by_digest.insert(digest, stored.clone());
        Ok(stored)
    }
}

impl admission::Components for Components {
    fn interface(&self, digest: &ComponentDigest, bytes: Option<Bytes>) -> Result<Option<Arc<Interface>>, Refusal> {
        match bytes {
            Some(bytes) => self.add(*digest, bytes).map(|stored| Some(stored.interface)),
            None => Ok(self.find(digest).map(|stored| stored.interface)),
        }
    }
}
