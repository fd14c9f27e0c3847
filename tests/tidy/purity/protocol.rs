//! The protocol's readers and writers.

use wasm_tasks_protocol::graph::{Graph, GraphError};
use wasm_tasks_protocol::message::{FromClient, FromWorker, ToClient, ToWorker};
use wasm_tasks_protocol::{ComponentDigest, ContentDigest, Value, codec};

/// Reads a graph.
#[unsafe(no_mangle)]
pub extern "C" fn read_graph(file: &bytes::Bytes, out: &mut Option<Result<Graph, GraphError>>) {
    *out = Some(Graph::read(file.clone()));
}

/// Reads and writes messages of every direction, and digests them.
#[unsafe(no_mangle)]
pub extern "C" fn messages(frame: &bytes::Bytes, out: &mut Vec<u8>) {
    fn both<T: serde::Serialize + serde::de::DeserializeOwned>(frame: &[u8], out: &mut Vec<u8>) {
        if let Ok(messages) = codec::decode::<Vec<T>>(frame) {
            *out = codec::encode(&messages, std::mem::take(out)).unwrap_or_default();
        }
    }
    both::<ToWorker>(frame, out);
    both::<FromWorker>(frame, out);
    both::<ToClient>(frame, out);
    both::<FromClient>(frame, out);
    out.extend(ComponentDigest::of(frame).0);
    out.extend(ContentDigest::of(frame).0);
    out.extend(Value::from_msgpack(frame).map(|value| value.to_msgpack()).unwrap_or_default());
}
