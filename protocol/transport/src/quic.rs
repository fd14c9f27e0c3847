//! Links over QUIC. Nothing outside this module and `credentials` names quinn or rustls.
//!
//! On the wire, version N of the protocol (ALPN `wasm-tasks/N`,
//! [`PROTOCOL_VERSION`](wasm_tasks_protocol::message::PROTOCOL_VERSION)):
//! - The dialer opens a bidirectional stream, the *control stream*. Each side's first message on it is an
//!   empty batch; when the dialer has the acceptor's, the link stands. Then batches follow, each a frame:
//!   length as little-endian `u32`, postcard.
//! - Every other bidirectional stream is a *request*, of either side: frame of a `Request`, length of the body as
//!   little-endian `u64`, body, end; back come a frame of a `ReplyHead`, length, body, end. A side that gives up resets
//!   its direction with a [code](codes).
//! - Whoever offers the name `wasm-tasks/version` besides its own is told over it, by the reason that the connection is closed
//!   with, which version is spoken here. This never changes, so versions that do not know each other can say so.

mod codes;
mod connection;
mod control;
mod dialer;
mod listener;
mod name;
mod places;
mod requests;
mod settings;
mod stream;
mod trust;

pub(crate) use codes::GiveUp;
pub(crate) use connection::Connection;
pub(crate) use control::{ControlReceiver, ControlSender, FINISHED};
pub use dialer::Dialer;
pub use listener::{Accepted, Listener};
pub use name::resolve;
pub(crate) use requests::ReplyStream;
pub(crate) use settings::server_name;
#[cfg(test)]
pub(crate) use settings::{client_config, server_config};
#[cfg(test)]
pub(crate) use stream::{Failure, Reader};
pub(crate) use trust::identity_of;
