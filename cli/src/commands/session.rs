//! `wasm-tasks session`: futures for SDKs of other languages, over standard input and output.
//!
//! Owns the frames of `docs/session.md`. What they say of graphs is the Rust client's.

use crate::Ended;
use crate::failure::{Exit, Failure};
use crate::output;
use crate::place::{Place, Size};
use bytes::Bytes;
use clap::Args;
use std::io::{self, Read as _, Write as _};
use std::sync::mpsc as blocking;
use tokio::sync::mpsc;
use wasm_tasks::{Client, ClientError, Growing, Grown, OutputResult, Refusal, TaskFailure};
use wasm_tasks_protocol::graph::{Extent, Options};
use wasm_tasks_protocol::limits::GRAPH_BYTES_MAX;
use wasm_tasks_protocol::msgpack::{ReadError, Reader, Writer};
use wasm_tasks_protocol::{ComponentDigest, ErrorCode, TaskIndex};

/// Frames that may wait to be worked on.
const FRAMES_MAX: usize = 64;
/// Version of the frames of `docs/session.md`.
const FRAMES_VERSION: u64 = 1;
/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// Serves futures to a program of another language, over standard input and output
#[derive(Args)]
#[command(after_help = "Programs start this and speak the frames of docs/session.md with it; people have no use for it.
It ends when standard input does, and lets go of everything that was not published.")]
pub(crate) struct Session {
    /// Name of the session's graph, for `status`
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    size: Size,
}

/// What the program wants.
enum Order {
    Component(Bytes),
    Append(Bytes),
    Release(Vec<u32>),
    Cancel(Vec<TaskIndex>),
    Replicate(Vec<TaskIndex>, Option<u32>),
    Broadcast(Vec<u32>),
    Fetch(u32),
    Publish(String),
}

impl Session {
    pub(crate) async fn run(self) -> Ended {
        let client = self.place.open(&self.size).await?;
        self.serve(&client).await.map_err(|failure| match failure.exit {
            Exit::NoConnection => failure.hint(Some("the scheduler lets go of what the session had and did not publish")),
            Exit::Done | Exit::TaskFailed | Exit::BadInput | Exit::Interrupted => failure,
        })
    }

    async fn serve(self, client: &Client) -> Ended {
        let options = Options { name: Some(self.name.unwrap_or_else(|| "session".to_owned())), ..Options::default() };
        let (growing, mut growth) = client.grow(options).await?;
        let (out, to_write) = blocking::channel::<Vec<u8>>();
        let writer = std::thread::spawn(move || write_frames(&to_write));
        let (orders, mut wanted) = mpsc::channel(FRAMES_MAX);
        // Never joined: it may wait for ever for a program that has nothing more to say.
        std::thread::spawn(move || read_frames(&orders));
        say(&out, |frame| {
            frame.array(3);
            frame.str("ready");
            frame.str(&growing.id().to_string());
            frame.uint(FRAMES_VERSION);
        });
        let ended = loop {
            tokio::select! {
                order = wanted.recv() => match order {
                    Some(Ok(order)) => obey(client, &growing, order, &out).await?,
                    Some(Err(failure)) => break Err(failure),
                    None => break Ok(Exit::Done),
                },
                grown = growth.next() => tell(&out, &grown?),
            }
        };
        client.release(growing.id()).await?;
        drop(out);
        // What it writes to may be gone, and then it has ended already.
        drop(writer.join());
        client.clone().close().await;
        ended
    }
}

/// Does what takes no time at once, and the rest beside everything else.
async fn obey(client: &Client, growing: &Growing, order: Order, out: &blocking::Sender<Vec<u8>>) -> Result<(), Failure> {
    match order {
        Order::Component(bytes) => {
            let digest = ComponentDigest::of(&bytes).to_string();
            answer(out, "component", growing.upload(bytes).await, |frame, _| frame.str(&digest))?;
        }
        Order::Append(tables) => answer(out, "appended", growing.append(&tables).await, write_extent)?,
        Order::Publish(name) => {
            let done = client.publish(growing.id(), &name).await;
            answer(out, "published", done, |frame, ()| frame.str(&name))?;
        }
        Order::Release(outputs) => growing.release(outputs).await?,
        Order::Cancel(tasks) => growing.cancel(tasks).await?,
        Order::Replicate(tasks, copies) => growing.replicate(tasks, copies).await?,
        Order::Broadcast(data) => growing.broadcast(data).await?,
        Order::Fetch(position) => {
            let (growing, out) = (growing.clone(), out.clone());
            tokio::spawn(async move {
                let fetched = growing.fetch(position).await;
                say(&out, |frame| {
                    frame.array(3);
                    frame.str("value");
                    frame.uint(u64::from(position));
                    match &fetched {
                        Ok(bytes) => frame.bin(bytes),
                        Err(error) => frame.str(&error.to_string()),
                    }
                });
            });
        }
    }
    Ok(())
}

/// `[what, value]`, or `["refused", what, code, messages]`. A connection that broke ends the session.
fn answer<T>(
    out: &blocking::Sender<Vec<u8>>,
    what: &str,
    result: Result<T, ClientError>,
    write: impl FnOnce(&mut Writer, &T),
) -> Result<(), Failure> {
    match result {
        Ok(value) => say(out, |frame| {
            frame.array(2);
            frame.str(what);
            write(frame, &value);
        }),
        Err(ClientError::Refused(Refusal { code, messages })) => say(out, |frame| {
            frame.array(4);
            frame.str("refused");
            frame.str(what);
            frame.str(code.as_str());
            frame.str(&messages.join("\n"));
        }),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn write_extent(frame: &mut Writer, extent: &Extent) {
    extent.write(frame);
}

fn tell(out: &blocking::Sender<Vec<u8>>, grown: &Grown) {
    match grown {
        Grown::Output(position, result) => say(out, |frame| {
            frame.array(3);
            frame.str("output");
            frame.uint(u64::from(*position));
            match result {
                OutputResult::Inline(bytes) => frame.bin(bytes),
                OutputResult::Stored { size } => frame.uint(*size),
                OutputResult::Failed => frame.bool(false),
                OutputResult::Released => frame.nil(),
            }
        }),
        Grown::Failed(failure) => say(out, |frame| write_failure(frame, failure)),
        Grown::Quiet => say(out, |frame| {
            frame.array(1);
            frame.str("quiet");
        }),
    }
}

fn write_failure(frame: &mut Writer, failure: &TaskFailure) {
    let error = &failure.error;
    frame.array(2);
    frame.str("failed");
    frame.map(8);
    frame.str("task");
    frame.uint(u64::from(failure.task.0));
    frame.str("key");
    frame.str(&failure.key);
    frame.str("function");
    frame.str(&failure.function);
    frame.str("code");
    frame.str(error.code.as_str());
    frame.str("message");
    frame.str(&error.message);
    frame.str("value");
    frame.bin(error.value.as_deref().unwrap_or_default());
    frame.str("stderr");
    frame.str(&error.stderr_tail);
    frame.str("attempts");
    frame.uint(u64::from(failure.attempts));
}

/// Puts a frame into the queue of those to be written. The queue is not bounded: what is in it was asked for, and a
/// program that writes and does not read must not keep this from reading.
fn say(out: &blocking::Sender<Vec<u8>>, write: impl FnOnce(&mut Writer)) {
    let mut frame = Writer::after(vec![0; LENGTH_BYTES]);
    write(&mut frame);
    let mut bytes = frame.into_bytes();
    let len = (bytes.len() - LENGTH_BYTES) as u32;
    bytes[..LENGTH_BYTES].copy_from_slice(&len.to_le_bytes());
    // The writer ends with standard output; reading standard input tells so too.
    drop(out.send(bytes));
}

fn write_frames(frames: &blocking::Receiver<Vec<u8>>) {
    let mut out = output::frames();
    while let Ok(frame) = frames.recv() {
        let mut next = Some(frame);
        while let Some(frame) = next {
            if out.write_all(&frame).is_err() {
                return;
            }
            next = frames.try_recv().ok();
        }
        if out.flush().is_err() {
            return;
        }
    }
}

fn read_frames(orders: &mpsc::Sender<Result<Order, Failure>>) {
    let mut input = io::stdin().lock();
    loop {
        let mut length = [0; LENGTH_BYTES];
        if input.read_exact(&mut length).is_err() {
            return;
        }
        let length = u32::from_le_bytes(length) as usize;
        let order = if length > GRAPH_BYTES_MAX {
            Err(broken(format!("a frame of {length} bytes; at most {GRAPH_BYTES_MAX} are allowed")))
        } else {
            let mut frame = Vec::new();
            match (&mut input).take(length as u64).read_to_end(&mut frame) {
                Ok(read) if read == length => read_order(&frame.into()).map_err(|error| broken(error.to_string())),
                Ok(_) | Err(_) => return,
            }
        };
        let is_broken = order.is_err();
        if orders.blocking_send(order).is_err() || is_broken {
            return;
        }
    }
}

fn broken(what: String) -> Failure {
    Failure::bad_input(ErrorCode::ProtocolViolation, format!("standard input: {what}"))
}

/// Why a frame is no order.
#[derive(Debug, thiserror::Error)]
enum BadFrame {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a position beyond 32 bits")]
    Position,
    #[error("bytes after the frame's value")]
    Trailing,
    #[error("there is no order `{0}` with {1} values")]
    Unknown(String, usize),
}

fn read_order(frame: &Bytes) -> Result<Order, BadFrame> {
    let mut reader = Reader::new(frame);
    let values = reader.array()?.saturating_sub(1);
    let kind = reader.str()?;
    let order = match (kind, values) {
        ("component", 1) => Order::Component(frame.slice_ref(reader.bin()?)),
        ("append", 1) => Order::Append(frame.slice_ref(reader.bin()?)),
        ("release", 1) => Order::Release(read_positions(&mut reader)?),
        ("cancel", 1) => Order::Cancel(read_positions(&mut reader)?.into_iter().map(TaskIndex).collect()),
        ("replicate", 1 | 2) => {
            let tasks = read_positions(&mut reader)?.into_iter().map(TaskIndex).collect();
            Order::Replicate(tasks, if reader.is_empty() { None } else { Some(read_position(&mut reader)?) })
        }
        ("broadcast", 1) => Order::Broadcast(read_positions(&mut reader)?),
        ("fetch", 1) => Order::Fetch(read_position(&mut reader)?),
        ("publish", 1) => Order::Publish(reader.str()?.to_owned()),
        (kind, values) => return Err(BadFrame::Unknown(kind.chars().take(80).collect(), values)),
    };
    if reader.is_empty() { Ok(order) } else { Err(BadFrame::Trailing) }
}

fn read_position(reader: &mut Reader<'_>) -> Result<u32, BadFrame> {
    u32::try_from(reader.int()?).map_err(|_| BadFrame::Position)
}

fn read_positions(reader: &mut Reader<'_>) -> Result<Vec<u32>, BadFrame> {
    (0..reader.array()?).map(|_| read_position(reader)).collect()
}
