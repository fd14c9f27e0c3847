//! The control stream of a QUIC link, both directions.

use super::codes::GiveUp;
use super::settings::{BUFFER_KEPT_BYTES, FINISH_TIMEOUT};
use crate::error::LinkError;
use crate::peer::{Peer, Wire};
use bytes::{Buf, Bytes};
use quinn::{ReadError, RecvStream, SendStream, WriteError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wasm_tasks_protocol::codec::{self, CodecError, LENGTH_BYTES};
use wasm_tasks_protocol::limits::MESSAGE_BYTES_MAX;

/// Why a receiver ends whose peer has finished.
pub(crate) const FINISHED: &str = "the peer has sent all it had to say";
const WHAT: &str = "control message";

/// Messages of one batch. A message of one byte may take a hundred in memory, and a frame may hold 64 million of them.
const BATCH_MESSAGES_MAX: usize = 1 << 16;

/// The first message each way: a batch of nothing.
pub(super) const HELLO: [u8; LENGTH_BYTES + 1] = [1, 0, 0, 0, 0];

#[derive(Debug)]
pub(crate) struct ControlSender {
    stream: SendStream,
    /// Frames, of which the first `written` bytes are sent. What a cancelled `send` leaves goes out with the next, so
    /// that no frame is ever cut.
    buffer: Vec<u8>,
    written: usize,
    peer: Peer,
}

impl ControlSender {
    pub(super) fn new(stream: SendStream, peer: Peer) -> ControlSender {
        ControlSender { stream, buffer: Vec::new(), written: 0, peer }
    }

    pub(crate) async fn send<S: Serialize>(&mut self, batch: &[S]) -> Result<(), LinkError> {
        if self.written == self.buffer.len() {
            self.buffer.clear();
            self.written = 0;
        }
        let buffer = std::mem::take(&mut self.buffer);
        self.buffer = if buffer.is_empty() {
            frames(batch, buffer)?
        } else {
            let mut buffer = buffer;
            match frames(batch, Vec::new()) {
                Ok(frames) => buffer.extend_from_slice(&frames),
                Err(error) => {
                    self.buffer = buffer;
                    return Err(error);
                }
            }
            buffer
        };
        self.write_out().await
    }

    async fn write_out(&mut self) -> Result<(), LinkError> {
        while self.written < self.buffer.len() {
            let sent = self.stream.write(&self.buffer[self.written..]).await;
            self.written += sent.map_err(|error| write_error(error, &self.peer))?;
        }
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT_BYTES);
        self.written = 0;
        Ok(())
    }

    pub(crate) async fn finish(mut self) -> Result<(), LinkError> {
        let done = async {
            self.write_out().await?;
            // Finishing fails only when the peer stopped the stream, which `stopped` tells.
            let _ = self.stream.finish();
            match self.stream.stopped().await {
                Ok(None) => Ok(()),
                Ok(Some(_)) => Err(LinkError::Closed { reason: "the peer receives no more messages".to_owned() }),
                Err(quinn::StoppedError::ConnectionLost(error)) => Err(closed_error(&self.peer, &error)),
                Err(quinn::StoppedError::ZeroRttRejected) => Err(LinkError::Closed { reason: "0-RTT".to_owned() }),
            }
        };
        tokio::time::timeout(FINISH_TIMEOUT, done).await.unwrap_or(Err(LinkError::Stalled { what: WHAT, waited: FINISH_TIMEOUT }))
    }
}

impl Drop for ControlSender {
    fn drop(&mut self) {
        if self.written < self.buffer.len() {
            // The end of a frame is missing, so this must not look like an end.
            let _ = self.stream.reset(GiveUp::Dropped.code());
        } else if self.stream.finish().is_ok()
            && let Wire::Quic(connection) = self.peer.wire()
        {
            let stopped = self.stream.stopped();
            connection.keep_flush(Box::pin(async move {
                // However it ended, there is nothing left to wait for.
                let _ = stopped.await;
            }));
        }
    }
}

/// Encodes a batch into an empty buffer as one frame, or as several when it is too long for one.
fn frames<S: Serialize>(batch: &[S], buffer: Vec<u8>) -> Result<Vec<u8>, LinkError> {
    if batch.len() > BATCH_MESSAGES_MAX {
        return halves(batch);
    }
    match codec::encode(&batch, buffer) {
        Ok(frame) => Ok(frame),
        Err(CodecError::TooLong(bytes)) if batch.len() < 2 => {
            Err(LinkError::TooLarge { what: WHAT, bytes, limit: MESSAGE_BYTES_MAX as u64 })
        }
        Err(CodecError::TooLong(_)) => halves(batch),
        Err(source @ (CodecError::Malformed(_) | CodecError::Trailing(_))) => Err(LinkError::Unencodable { what: WHAT, source }),
    }
}

fn halves<S: Serialize>(batch: &[S]) -> Result<Vec<u8>, LinkError> {
    let (first, second) = batch.split_at(batch.len() / 2);
    let mut all = frames(first, Vec::new())?;
    all.extend_from_slice(&frames(second, Vec::new())?);
    Ok(all)
}

#[derive(Debug)]
pub(crate) struct ControlReceiver {
    stream: RecvStream,
    /// What came and is not yet looked at.
    chunk: Bytes,
    /// The beginning of a frame that did not come in one piece. It grows with what comes, not with what was announced.
    partial: Vec<u8>,
    /// An error that `try_recv` met and `recv` has to tell.
    failed: Option<LinkError>,
    peer: Peer,
}

impl ControlReceiver {
    pub(super) fn new(stream: RecvStream, peer: Peer) -> ControlReceiver {
        ControlReceiver { stream, chunk: Bytes::new(), partial: Vec::new(), failed: None, peer }
    }

    pub(crate) async fn recv<R: DeserializeOwned>(&mut self) -> Result<Vec<R>, LinkError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        loop {
            match self.next_batch() {
                Ok(Some(batch)) => return Ok(batch),
                Ok(None) => {}
                Err(error) => return Err(self.violated(error)),
            }
            // Cancel-safe: a chunk is either still in the stream or here.
            match self.stream.read_chunk(usize::MAX, true).await {
                Ok(Some(chunk)) => self.chunk = chunk.bytes,
                Ok(None) if self.partial.is_empty() => return Err(self.finished()),
                Ok(None) => return Err(self.violated(LinkError::Framing { what: WHAT, problem: "ends early" })),
                Err(ReadError::ConnectionLost(error)) => return Err(closed_error(&self.peer, &error)),
                Err(ReadError::Reset(code)) => {
                    return Err(LinkError::Closed { reason: format!("the peer gave up its messages: {}", GiveUp::reason(code)) });
                }
                Err(ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected) => {
                    return Err(self.finished());
                }
            }
        }
    }

    pub(crate) fn try_recv<R: DeserializeOwned>(&mut self) -> Option<Vec<R>> {
        if self.failed.is_some() {
            return None;
        }
        let polled = pin!(self.recv()).poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Ready(Ok(batch)) => Some(batch),
            Poll::Ready(Err(error)) => {
                self.failed = Some(error);
                None
            }
            Poll::Pending => None,
        }
    }

    /// Takes the next batch that is not empty out of what came, when all of it came.
    fn next_batch<R: DeserializeOwned>(&mut self) -> Result<Option<Vec<R>>, LinkError> {
        loop {
            let batch: Vec<R> = if self.partial.is_empty()
                && let Some(head) = self.chunk.first_chunk()
                && self.chunk.len() - LENGTH_BYTES >= frame_len(*head)?
            {
                let end = LENGTH_BYTES + frame_len(*head)?;
                let batch = decode(&self.chunk[LENGTH_BYTES..end])?;
                self.chunk.advance(end);
                batch
            } else {
                let (end, is_length_known) = match self.partial.first_chunk() {
                    Some(head) => (LENGTH_BYTES + frame_len(*head)?, true),
                    None => (LENGTH_BYTES, false),
                };
                if self.partial.len() < end || !is_length_known {
                    let part = self.chunk.split_to(self.chunk.len().min(end - self.partial.len()));
                    if part.is_empty() {
                        return Ok(None);
                    }
                    self.partial.extend_from_slice(&part);
                    continue;
                }
                let batch = decode(&self.partial[LENGTH_BYTES..])?;
                self.partial.clear();
                self.partial.shrink_to(BUFFER_KEPT_BYTES);
                batch
            };
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
    }

    /// Closes the link because of what the peer sent.
    fn violated(&mut self, error: LinkError) -> LinkError {
        self.chunk = Bytes::new();
        self.partial = Vec::new();
        if let Wire::Quic(connection) = self.peer.wire() {
            tracing::warn!(peer = %self.peer.identity(), address = %connection.remote_address(), %error, "protocol violation");
            connection.close_violation(&error);
            // Nothing that still comes is looked at.
            let _ = self.stream.stop(GiveUp::Malformed.code());
        }
        error
    }

    fn finished(&self) -> LinkError {
        LinkError::Closed { reason: self.peer.close_reason().unwrap_or_else(|| FINISHED.to_owned()) }
    }
}

fn frame_len(head: [u8; LENGTH_BYTES]) -> Result<usize, LinkError> {
    codec::frame_len(head).map_err(|_| LinkError::TooLarge {
        what: WHAT,
        bytes: u64::from(u32::from_le_bytes(head)),
        limit: MESSAGE_BYTES_MAX as u64,
    })
}

fn decode<R: DeserializeOwned>(frame: &[u8]) -> Result<Vec<R>, LinkError> {
    let messages = announced(frame);
    if messages > BATCH_MESSAGES_MAX as u64 {
        return Err(LinkError::Framing { what: WHAT, problem: "has more than 65536 messages in a batch" });
    }
    codec::decode(frame).map_err(|source| LinkError::Malformed { what: WHAT, source })
}

/// The number of messages that a frame says it has: a varint of postcard, low 7 bits first. What is no number is found by
/// decoding it.
fn announced(frame: &[u8]) -> u64 {
    let mut count = 0;
    for (position, byte) in frame.iter().take(10).enumerate() {
        count |= u64::from(byte & 0x7f) << (7 * position).min(63);
        if byte & 0x80 == 0 {
            break;
        }
    }
    count
}

fn closed_error(peer: &Peer, error: &quinn::ConnectionError) -> LinkError {
    match peer.wire() {
        Wire::Quic(connection) => connection.closed_error(error),
        Wire::Memory(_) => LinkError::Closed { reason: error.to_string() },
    }
}

fn write_error(error: WriteError, peer: &Peer) -> LinkError {
    match error {
        WriteError::ConnectionLost(error) => closed_error(peer, &error),
        WriteError::Stopped(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected => {
            LinkError::Closed { reason: peer.close_reason().unwrap_or_else(|| "the peer receives no more messages".to_owned()) }
        }
    }
}
