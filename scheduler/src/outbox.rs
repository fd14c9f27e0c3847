//! Messages on their way to one link: collected in a turn, sent by a task of its own.

use tokio::sync::mpsc;
use wasm_tasks_transport::{ControlSender, Peer};

/// Batches that may wait for a slow peer. One that is further behind is cut off: what it misses it would
/// get too late anyway, and the scheduler must not grow for it.
const BATCHES_MAX: usize = 16_384;

#[derive(Debug)]
pub(crate) struct Outbox<M> {
    turn: Vec<M>,
    batches: mpsc::Sender<Vec<M>>,
    peer: Peer,
}

impl<M: serde::Serialize + Send + Sync + 'static> Outbox<M> {
    pub(crate) fn new(mut sender: ControlSender<M>, peer: Peer) -> Outbox<M> {
        let (batches, mut queue) = mpsc::channel::<Vec<M>>(BATCHES_MAX);
        let on_error = peer.clone();
        tokio::spawn(async move {
            while let Some(batch) = queue.recv().await {
                if let Err(error) = sender.send(batch).await {
                    on_error.close(&error.to_string());
                    return;
                }
            }
            // What was said last must arrive before the link closes.
            drop(sender.finish().await);
        });
        Outbox { turn: Vec::new(), batches, peer }
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// For messages that are made outside of turns.
    pub(crate) fn sender(&self) -> mpsc::Sender<Vec<M>> {
        self.batches.clone()
    }

    pub(crate) fn push(&mut self, message: M) {
        self.turn.push(message);
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut M> {
        self.turn.last_mut()
    }

    /// Sends what this turn collected.
    pub(crate) fn flush(&mut self) {
        if self.turn.is_empty() {
            return;
        }
        match self.batches.try_send(std::mem::take(&mut self.turn)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => self.peer.close("it does not read what it is sent"),
            // The link is gone; its reader says so.
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }
}
