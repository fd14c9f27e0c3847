//! Messages on their way to one link: collected in a turn, sent by a task of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;
use wasm_tasks_transport::{ControlSender, Peer};

/// Batches that may wait for a slow peer. One that is further behind is cut off: what it misses it would
/// get too late anyway, and the scheduler must not grow for it.
const BATCHES_MAX: usize = 16_384;
/// Messages of these batches together, for the same reason: a peer that asks and asks but reads no answer is cut off.
const MESSAGES_MAX: usize = 1 << 18;
/// Bytes to which messages grow by what is added to the last one. A message has to fit
/// [`MESSAGE_BYTES_MAX`](wasm_tasks_protocol::limits::MESSAGE_BYTES_MAX), and a peer works on the first while the next is sent.
const GROWS_TO_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Outbox<M> {
    turn: Vec<M>,
    /// Bytes of the last message of the turn, roughly, as far as it was pushed with them.
    last_bytes: usize,
    /// Messages in batches that wait.
    waiting: Arc<AtomicUsize>,
    batches: mpsc::Sender<Vec<M>>,
    peer: Peer,
}

impl<M: serde::Serialize + Send + Sync + 'static> Outbox<M> {
    pub(crate) fn new(mut sender: ControlSender<M>, peer: Peer) -> Outbox<M> {
        let (batches, mut queue) = mpsc::channel::<Vec<M>>(BATCHES_MAX);
        let on_error = peer.clone();
        let waiting = Arc::new(AtomicUsize::new(0));
        let sent = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Some(batch) = queue.recv().await {
                // Those of others, which are made outside of turns, were never counted.
                let len = batch.len();
                let _ = sent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(count.saturating_sub(len)));
                if let Err(error) = sender.send(batch).await {
                    on_error.close(&error.to_string());
                    return;
                }
            }
            // What was said last must arrive before the link closes.
            drop(sender.finish().await);
        });
        Outbox { turn: Vec::new(), last_bytes: 0, waiting, batches, peer }
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// For messages that are made outside of turns.
    pub(crate) fn sender(&self) -> mpsc::Sender<Vec<M>> {
        self.batches.clone()
    }

    pub(crate) fn push(&mut self, message: M) {
        self.push_sized(message, GROWS_TO_BYTES);
    }

    /// Adds a message of so many bytes that may grow: see [`Outbox::last_with_room`].
    pub(crate) fn push_sized(&mut self, message: M, bytes: usize) {
        if self.turn.len() >= MESSAGES_MAX {
            self.peer.close("it does not read what it is sent");
            self.turn.clear();
        }
        self.last_bytes = bytes;
        self.turn.push(message);
    }

    /// The last message of the turn, if so many bytes more are not too much for it. They count whether it is used or not.
    pub(crate) fn last_with_room(&mut self, bytes: usize) -> Option<&mut M> {
        self.last_bytes = self.last_bytes.saturating_add(bytes);
        if self.last_bytes > GROWS_TO_BYTES { None } else { self.turn.last_mut() }
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut M> {
        self.turn.last_mut()
    }

    /// Sends what this turn collected.
    pub(crate) fn flush(&mut self) {
        if self.turn.is_empty() {
            return;
        }
        if self.waiting.fetch_add(self.turn.len(), Ordering::Relaxed) > MESSAGES_MAX {
            self.peer.close("it does not read what it is sent");
            self.turn.clear();
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
