//! What workers say.

use super::loading::Loaded;
use super::{Actor, WorkerLink};
use crate::outbox::Outbox;
use std::collections::BTreeMap;
use std::time::Instant;
use tracing::{info, warn};
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::limits::INLINE_BYTES_MAX;
use wasm_tasks_protocol::message::{AttemptFailed, AttemptFinished, FromWorker, PeerAddress, ToWorker, WorkerOffer};
use wasm_tasks_scheduler_core::{Event, WorkerPlan};
use wasm_tasks_transport::{ControlSender, Peer};

impl Actor {
    pub(super) fn on_worker_attached(&mut self, worker: WorkerId, peer: Peer, sender: ControlSender<ToWorker>) {
        let outbox = Outbox::new(sender, peer);
        self.workers.insert(
            worker,
            WorkerLink {
                outbox,
                offer: None,
                stored_bytes: 0,
                spilled_bytes: 0,
                resident_bytes: 0,
                instantiations: 0,
                modules: BTreeMap::new(),
                heard: Instant::now(),
                dismissed: None,
            },
        );
    }

    pub(super) fn on_worker_said(&mut self, worker: WorkerId, batch: Vec<FromWorker>) {
        if let Some(link) = self.workers.get_mut(&worker) {
            link.heard = Instant::now();
        }
        for message in batch {
            let Some(link) = self.workers.get_mut(&worker) else { return };
            match message {
                FromWorker::Joined(offer) if link.offer.is_none() => self.on_joined(worker, offer),
                FromWorker::Joined(_) => link.outbox.peer().close("it joined twice"),
                _ if link.offer.is_none() => {
                    link.outbox.peer().close("its first message was not `Joined`");
                    return;
                }
                FromWorker::AttemptsFinished(finished) => {
                    finished.into_iter().for_each(|finished| self.on_finished(worker, finished))
                }
                FromWorker::AttemptDelegated(delegated) => self.on_delegated(worker, delegated),
                FromWorker::AttemptFailed(failed) => self.on_failed(worker, failed),
                FromWorker::AttemptsStarted(attempts) => self.event(Event::AttemptsStarted { worker, attempts }),
                FromWorker::Retracted { asked, returned } => self.event(Event::Retracted { worker, asked, returned }),
                FromWorker::InputMissing { attempt, task, tried } => {
                    self.event(Event::InputMissing { worker, attempt, task, tried })
                }
                FromWorker::ReplicasAdded { graph, tasks } => self.event(Event::ReplicasAdded { worker, graph, tasks }),
                FromWorker::Heartbeat { stored_bytes, spilled_bytes, resident_bytes, instantiations } => {
                    link.stored_bytes = stored_bytes;
                    link.spilled_bytes = spilled_bytes;
                    link.resident_bytes = resident_bytes;
                    link.instantiations = instantiations;
                    self.event(Event::WorkerStored { worker, spilled_bytes });
                }
                FromWorker::Leaving => self.event(Event::WorkerLeaving(worker)),
                FromWorker::MemoryShort(is_paused) => self.event(Event::WorkerPaused { worker, is_paused }),
                FromWorker::Draining { within } => self.event(Event::WorkerDraining { worker, within }),
                FromWorker::ResultSpilled { graph, task, took } => self.event(Event::ResultSpilled { worker, graph, task, took }),
                FromWorker::ComponentLoaded { digest, is_metered, took } => {
                    let is_told = self.core.knows_component(&digest);
                    link.modules.insert((digest, is_metered), Loaded { took, is_told });
                    self.loads.answered(Instant::now(), worker, &(digest, is_metered));
                    self.event(Event::ComponentLoaded { worker, digest, is_metered, took })
                }
                FromWorker::ComponentUnloaded { digest, is_metered } => {
                    link.modules.remove(&(digest, is_metered));
                    self.loads.answered(Instant::now(), worker, &(digest, is_metered));
                    self.event(Event::ComponentUnloaded { worker, digest, is_metered })
                }
                FromWorker::BytesFetched { bytes, took } => self.event(Event::BytesFetched { worker, bytes, took }),
                FromWorker::BytesGiven { bytes, took } => self.event(Event::BytesGiven { worker, bytes, took }),
                FromWorker::ReplicasMissing { graph, tasks } => self.event(Event::ReplicasMissing { worker, graph, tasks }),
            }
        }
    }

    fn on_joined(&mut self, worker: WorkerId, mut offer: WorkerOffer) {
        let now = self.now();
        let Some(link) = self.workers.get_mut(&worker) else { return };
        // A worker that listens on every interface is reached where its link comes from.
        let peer = link.outbox.peer().clone();
        offer.addresses = offer
            .addresses
            .iter()
            .flat_map(
                |address| if address.ip().is_unspecified() { peer.remote_addresses(address.port()) } else { vec![*address] },
            )
            .collect();
        info!(worker = worker.0, name = offer.name, slots = offer.slots, "worker joined");
        let plan = WorkerPlan {
            slots_milli: u64::from(offer.slots.max(1)) * 1_000,
            memory_bytes: offer.memory_bytes,
            labels: offer.labels.clone(),
            pools: offer.pools.clone(),
            round_trip: peer.round_trip().into(),
            leaves_at: offer.lifetime.map(|lifetime| now + lifetime),
        };
        link.outbox.push(ToWorker::Welcome { worker, heartbeat: self.settings.heartbeat });
        let address = PeerAddress { worker, addresses: offer.addresses.clone() };
        link.offer = Some(offer);
        let known: Vec<PeerAddress> = self
            .workers
            .iter()
            .filter(|(other, _)| **other != worker)
            .filter_map(|(other, link)| Some(PeerAddress { worker: *other, addresses: link.offer.as_ref()?.addresses.clone() }))
            .collect();
        for other in known {
            if let Some(link) = self.workers.get_mut(&other.worker) {
                link.outbox.push(ToWorker::AddPeer(address.clone()));
            }
            if let Some(link) = self.workers.get_mut(&worker) {
                link.outbox.push(ToWorker::AddPeer(other));
            }
        }
        self.event(Event::WorkerJoined { worker, plan });
    }

    pub(super) fn on_worker_gone(&mut self, worker: WorkerId, reason: &str) {
        info!(worker = worker.0, name = self.worker_name(worker), reason, "worker gone");
        let farewell = self.farewell(worker);
        self.event(Event::WorkerLost(worker));
        self.workers.remove(&worker);
        self.loads.worker_gone(Instant::now(), worker);
        self.answer_drains(worker, &farewell);
        self.workers.for_each_mut(|link| link.outbox.push(ToWorker::RemovePeer(worker)));
        for graph in self.graphs.iter_mut().flatten() {
            graph.defined_at.remove(&worker);
        }
    }

    fn on_finished(&mut self, worker: WorkerId, finished: AttemptFinished) {
        let AttemptFinished { attempt, size, run, memory_peak_bytes, has_logs, inline, .. } = finished;
        let inline = inline.filter(|bytes| bytes.len() as u64 == size && bytes.len() <= INLINE_BYTES_MAX);
        let is_inline = inline.is_some();
        if let Some(id) = self.core.attempt_task(worker, attempt)
            && let Some(graph) = self.graph_of(id.graph)
        {
            if let Some(bytes) = inline {
                graph.inline.insert(id.task, bytes);
            }
            if has_logs {
                graph.note_log(id.task, worker);
            }
            if !graph.errors.is_empty() {
                graph.errors.remove(&id.task);
            }
            self.note_change(id.graph);
        }
        self.event(Event::AttemptFinished { worker, attempt, size, run, memory_peak_bytes, is_inline });
    }

    fn on_failed(&mut self, worker: WorkerId, failed: AttemptFailed) {
        let AttemptFailed { attempt, run, has_logs, error } = failed;
        let code = error.code;
        if code == ErrorCode::WorkerFault {
            warn!(worker = worker.0, name = self.worker_name(worker), %error, "a worker failed a task");
        }
        if let Some(id) = self.core.attempt_task(worker, attempt)
            && let Some(graph) = self.graph_of(id.graph)
        {
            graph.errors.insert(id.task, error);
            if has_logs {
                graph.note_log(id.task, worker);
            }
            self.note_change(id.graph);
        }
        self.event(Event::AttemptFailed { worker, attempt, code, run });
    }
}
