//! The control stream of a link: batches of messages, in order, each way.

use crate::error::LinkError;
use crate::memory;
use crate::peer::Peer;
use crate::quic;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Sends batches of messages. Dropping it tells the other side that nothing more comes.
#[derive(Debug)]
pub struct ControlSender<S>(Sending<S>);

#[derive(Debug)]
enum Sending<S> {
    Quic(quic::ControlSender),
    Memory(memory::ControlSender<S>),
}

impl<S> ControlSender<S> {
    pub(crate) fn quic(sender: quic::ControlSender) -> ControlSender<S> {
        ControlSender(Sending::Quic(sender))
    }

    pub(crate) fn memory(sender: memory::ControlSender<S>) -> ControlSender<S> {
        ControlSender(Sending::Memory(sender))
    }
}

impl<S: Serialize + Send + 'static> ControlSender<S> {
    /// Sends a batch, as one message or as several in order when it is too long for one. Waits while the other side is behind.
    /// An empty batch is not sent.
    ///
    /// Cancelling it may lose the whole batch, never a part of a message.
    ///
    /// # Errors
    /// [`LinkError::Closed`]; [`LinkError::TooLarge`] when a single message of the batch is longer than
    /// [`MESSAGE_BYTES_MAX`](wasm_tasks_protocol::limits::MESSAGE_BYTES_MAX), and then nothing of the batch is sent.
    pub async fn send(&mut self, batch: Vec<S>) -> Result<(), LinkError> {
        if batch.is_empty() {
            return Ok(());
        }
        match &mut self.0 {
            Sending::Quic(sender) => sender.send(&batch).await,
            Sending::Memory(sender) => sender.send(batch).await,
        }
    }

    /// Says that nothing more comes, and waits until the other side has received everything: closing the link after this
    /// loses nothing.
    ///
    /// # Errors
    /// [`LinkError::Closed`] when the link was closed before that; [`LinkError::Stalled`] when the other side
    /// does not take what was sent.
    pub async fn finish(self) -> Result<(), LinkError> {
        match self.0 {
            Sending::Quic(sender) => sender.finish().await,
            Sending::Memory(sender) => sender.finish(),
        }
    }
}

/// Receives batches of messages.
#[derive(Debug)]
pub struct ControlReceiver<R> {
    receiving: Receiving<R>,
    /// Keeps the link open.
    _peer: Peer,
}

#[derive(Debug)]
enum Receiving<R> {
    Quic(quic::ControlReceiver),
    Memory(memory::ControlReceiver<R>),
}

impl<R> ControlReceiver<R> {
    pub(crate) fn quic(receiver: quic::ControlReceiver, peer: Peer) -> ControlReceiver<R> {
        ControlReceiver { receiving: Receiving::Quic(receiver), _peer: peer }
    }

    pub(crate) fn memory(receiver: memory::ControlReceiver<R>, peer: Peer) -> ControlReceiver<R> {
        ControlReceiver { receiving: Receiving::Memory(receiver), _peer: peer }
    }
}

impl<R: DeserializeOwned + Send + 'static> ControlReceiver<R> {
    /// The next batch, which is never empty. Cancel-safe: nothing is lost when it is dropped before it is ready.
    ///
    /// # Errors
    /// [`LinkError::Closed`] at the end, after everything that had arrived. [`LinkError::Malformed`],
    /// [`LinkError::TooLarge`] and [`LinkError::Framing`] when the other side does not keep to the protocol; the link is closed then.
    pub async fn recv(&mut self) -> Result<Vec<R>, LinkError> {
        match &mut self.receiving {
            Receiving::Quic(receiver) => receiver.recv().await,
            Receiving::Memory(receiver) => receiver.recv().await,
        }
    }

    /// The next batch if it is here already. An error is kept for [`ControlReceiver::recv`].
    pub fn try_recv(&mut self) -> Option<Vec<R>> {
        match &mut self.receiving {
            Receiving::Quic(receiver) => receiver.try_recv(),
            Receiving::Memory(receiver) => receiver.try_recv(),
        }
    }
}
