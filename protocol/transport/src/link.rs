//! What one process holds of a link to another.

use crate::control::{ControlReceiver, ControlSender};
use crate::incoming::Incoming;
use crate::peer::Peer;

/// One end of a link that sends messages `S` and receives messages `R`.
///
/// Take it apart and give the parts to those who need them. The link closes when all parts of an end are
/// dropped, after what was sent has arrived, or at once by [`Peer::close`].
#[derive(Debug)]
pub struct Link<S, R> {
    /// Sends control messages.
    pub sender: ControlSender<S>,
    /// Receives control messages.
    pub receiver: ControlReceiver<R>,
    /// Who is there; makes requests.
    pub peer: Peer,
    /// The other side's requests.
    pub incoming: Incoming,
}
