//! Reading and writing the streams of requests: frames, lengths and bodies, with limits and patience.

use super::codes::GiveUp;
use super::settings::{READ_TIMEOUT, WRITE_TIMEOUT};
use crate::body;
use crate::error::LinkError;
use bytes::{Buf, Bytes};
use quinn::{ConnectionError, ReadError, RecvStream, SendStream, WriteError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use wasm_tasks_protocol::codec::{self, CodecError, LENGTH_BYTES};

/// The most bytes allocated because a peer announced them, before they come.
const TRUST_BYTES_MAX: usize = 1 << 20;
/// Bodies up to this are sent in one piece with their head.
const JOINED_BODY_BYTES_MAX: usize = 16 << 10;
/// Bytes that must be taken by the peer within [`WRITE_TIMEOUT`].
const WRITE_BYTES: usize = 4 << 20;

/// What went wrong on a stream.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection is gone, and knows why.
    Lost(ConnectionError),
    Link(LinkError),
}

impl Failure {
    pub(crate) fn into_error(self, closed: impl FnOnce(ConnectionError) -> LinkError) -> LinkError {
        match self {
            Failure::Lost(error) => closed(error),
            Failure::Link(error) => error,
        }
    }

    /// What the peer is told about it.
    pub(crate) fn give_up(&self) -> GiveUp {
        match self {
            Failure::Link(LinkError::TooLarge { .. }) => GiveUp::TooLarge,
            Failure::Link(LinkError::Malformed { .. } | LinkError::Framing { .. }) => GiveUp::Malformed,
            Failure::Link(LinkError::Stalled { .. }) => GiveUp::Stalled,
            Failure::Link(LinkError::Closed { .. } | LinkError::Abandoned { .. } | LinkError::Unencodable { .. })
            | Failure::Lost(_) => GiveUp::Dropped,
        }
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Failure {
        Failure::Link(error)
    }
}

/// Reads one direction of a request's stream.
pub(crate) struct Reader {
    stream: RecvStream,
    chunk: Bytes,
    is_ended: bool,
    patience: Duration,
}

impl Reader {
    pub(crate) fn new(stream: RecvStream) -> Reader {
        Reader::with_patience(stream, READ_TIMEOUT)
    }

    /// A reader that waits for this long for the next bytes.
    pub(crate) fn with_patience(stream: RecvStream, patience: Duration) -> Reader {
        Reader { stream, chunk: Bytes::new(), is_ended: false, patience }
    }

    /// Tells the sender that nothing more is read.
    pub(crate) fn stop(&mut self, why: GiveUp) {
        // It has been stopped or has ended already.
        let _ = self.stream.stop(why.code());
    }

    /// Waits for the first byte for as long as the connection stands.
    pub(crate) async fn wait(&mut self, what: &'static str) -> Result<(), Failure> {
        self.fill(what, None).await.map(|_| ())
    }

    /// Makes sure that there is something in `chunk`; false at the end.
    async fn fill(&mut self, what: &'static str, patience: Option<Duration>) -> Result<bool, Failure> {
        while self.chunk.is_empty() && !self.is_ended {
            let read = self.stream.read_chunk(usize::MAX, true);
            let read = match patience {
                None => read.await,
                Some(waited) => match tokio::time::timeout(waited, read).await {
                    Ok(read) => read,
                    Err(_) => return Err(LinkError::Stalled { what, waited }.into()),
                },
            };
            match read {
                Ok(Some(chunk)) => self.chunk = chunk.bytes,
                Ok(None) => self.is_ended = true,
                Err(ReadError::ConnectionLost(error)) => return Err(Failure::Lost(error)),
                Err(ReadError::Reset(code)) => return Err(LinkError::Abandoned { reason: GiveUp::reason(code) }.into()),
                Err(ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected) => {
                    return Err(LinkError::Framing { what, problem: "cannot be read" }.into());
                }
            }
        }
        Ok(!self.chunk.is_empty())
    }

    /// Reads `len` bytes, into memory that grows with what comes.
    async fn bytes(&mut self, len: usize, what: &'static str) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::with_capacity(len.min(TRUST_BYTES_MAX));
        while bytes.len() < len {
            if !self.fill(what, Some(self.patience)).await? {
                return Err(LinkError::Framing { what, problem: "ends early" }.into());
            }
            let missing = len - bytes.len();
            let part = self.chunk.len().min(missing);
            if bytes.capacity() - bytes.len() < part {
                // Twice as much each time, and never more than all of it.
                bytes.reserve_exact(missing.min(bytes.capacity().max(part)));
            }
            bytes.extend_from_slice(&self.chunk[..part]);
            self.chunk.advance(part);
        }
        Ok(bytes)
    }

    async fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Failure> {
        let bytes = self.bytes(N, what).await?;
        Ok(bytes.try_into().unwrap_or([0; N]))
    }

    /// Reads a frame.
    pub(crate) async fn frame<T: DeserializeOwned>(&mut self, what: &'static str, bytes_max: usize) -> Result<T, Failure> {
        let len = u32::from_le_bytes(self.array::<LENGTH_BYTES>(what).await?);
        body::check(what, u64::from(len), bytes_max as u64)?;
        let frame = self.bytes(len as usize, what).await?;
        codec::decode(&frame).map_err(|source| LinkError::Malformed { what, source }.into())
    }

    /// Reads the length of a body.
    pub(crate) async fn body_len(&mut self, what: &'static str, bytes_max: u64) -> Result<usize, Failure> {
        let len = u64::from_le_bytes(self.array(what).await?);
        body::check(what, len, bytes_max)?;
        usize::try_from(len).map_err(|_| LinkError::TooLarge { what, bytes: len, limit: usize::MAX as u64 }.into())
    }

    /// Reads a body and the end of the stream.
    pub(crate) async fn body(&mut self, what: &'static str, len: usize) -> Result<Bytes, Failure> {
        let bytes = self.bytes(len, what).await?;
        if self.fill(what, Some(self.patience)).await? {
            return Err(LinkError::Framing { what, problem: "goes on after its end" }.into());
        }
        Ok(bytes.into())
    }
}

/// Writes one direction of a request's stream. Dropped before it is finished, it tells the reader so.
#[derive(Debug)]
pub(crate) struct Writer {
    stream: SendStream,
    is_done: bool,
}

impl Writer {
    pub(crate) fn new(stream: SendStream) -> Writer {
        Writer { stream, is_done: false }
    }

    /// Writes a frame, a body with its length, and the end.
    pub(crate) async fn message<T: Serialize>(
        &mut self,
        what: &'static str,
        head: &T,
        head_bytes_max: usize,
        body: Bytes,
    ) -> Result<(), Failure> {
        let mut bytes = codec::encode(head, Vec::with_capacity(256)).map_err(|source| match source {
            CodecError::TooLong(bytes) => LinkError::TooLarge { what, bytes, limit: head_bytes_max as u64 },
            CodecError::Malformed(_) | CodecError::Trailing(_) => LinkError::Unencodable { what, source },
        })?;
        body::check(what, (bytes.len() - LENGTH_BYTES) as u64, head_bytes_max as u64)?;
        bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
        if body.len() <= JOINED_BODY_BYTES_MAX {
            bytes.extend_from_slice(&body);
            self.write(what, bytes.into()).await?;
        } else {
            self.write(what, bytes.into()).await?;
            self.write(what, body).await?;
        }
        // Fails only when the peer stopped the stream, and then waits for nothing.
        let _ = self.stream.finish();
        self.is_done = true;
        Ok(())
    }

    async fn write(&mut self, what: &'static str, mut bytes: Bytes) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(WRITE_BYTES));
            match tokio::time::timeout(WRITE_TIMEOUT, self.stream.write_chunk(part)).await {
                Ok(Ok(())) => {}
                Ok(Err(WriteError::ConnectionLost(error))) => return Err(Failure::Lost(error)),
                Ok(Err(WriteError::Stopped(code))) => return Err(LinkError::Abandoned { reason: GiveUp::reason(code) }.into()),
                Ok(Err(WriteError::ClosedStream | WriteError::ZeroRttRejected)) => {
                    return Err(LinkError::Abandoned { reason: "the stream is closed" }.into());
                }
                Err(_) => {
                    self.give_up(GiveUp::Stalled);
                    return Err(LinkError::Stalled { what, waited: WRITE_TIMEOUT }.into());
                }
            }
        }
        Ok(())
    }

    /// Tells the reader that the rest will not come.
    pub(crate) fn give_up(&mut self, why: GiveUp) {
        if !self.is_done {
            self.is_done = true;
            // It has been stopped already.
            let _ = self.stream.reset(why.code());
        }
    }

    /// Waits until the reader has everything or stops reading, or the connection is gone.
    pub(crate) async fn stopped(&mut self) {
        let _ = self.stream.stopped().await;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.give_up(GiveUp::Dropped);
    }
}
