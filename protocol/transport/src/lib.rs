//! Links between the processes of a cluster: QUIC with mutual TLS, and the in-memory link of the embedded cluster.
//!
//! Owns connections, framing, flow control, credentials and who may talk to whom. It must not know what
//! messages mean: the shells do. This is the only crate that names quinn, rustls and rcgen.
//!
//! A [`Link`] joins two processes. It has a control stream each way, which carries batches of messages in
//! order, and any number of requests either way, each with a body and a reply of its own. Both kinds of link
//! behave alike: tests run through both.
//!
//! ```no_run
//! # use wasm_tasks_transport::{Credentials, Dialer, DialError, Listener, Link, Role};
//! # use wasm_tasks_protocol::message::{FromWorker, ToWorker};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let address = "127.0.0.1:7077".parse()?;
//! let credentials = Credentials::for_listener("credentials".as_ref(), address)?;
//! let listener = Listener::bind(address, &credentials, Role::Scheduler)?;
//! // in the worker's process:
//! let dialer = Dialer::new(&credentials, Role::Worker)?;
//! let link: Link<FromWorker, ToWorker> = dialer.dial(listener.local_address(), Role::Scheduler).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Everything asynchronous here needs a tokio runtime with its timers and I/O on.

mod body;
mod control;
mod credentials;
mod error;
mod identity;
mod incoming;
mod link;
mod memory;
mod peer;
mod quic;
#[cfg(test)]
mod tests;

pub use control::{ControlReceiver, ControlSender};
pub use credentials::{Credentials, CredentialsError};
pub use error::{DialError, LinkError, ListenError};
pub use identity::{Identity, Role};
pub use incoming::{Incoming, IncomingRequest, Replier};
pub use link::Link;
pub use memory::{memory_link, memory_link_between};
pub use peer::Peer;
pub use quic::{Accepted, Dialer, Listener, resolve};
