//! Requests: each on a stream of its own, with a body either way.

use super::client::Refusal;
use crate::ids::{ComponentDigest, GraphId, TaskIndex};
use serde::{Deserialize, Serialize};

/// The head of a request. Where a body follows, the head says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// A client's graph; the body is the file. Answered when it is accepted or refused; the client then follows it.
    SubmitGraph {
        /// Its id, chosen by the client.
        graph: GraphId,
    },
    /// Which of these components the scheduler does not have: the body of the answer is an array of positions
    /// (MessagePack).
    MissingComponents {
        /// The components.
        digests: Vec<ComponentDigest>,
    },
    /// A client's component; the body is its bytes.
    UploadComponent {
        /// Its digest.
        digest: ComponentDigest,
    },
    /// A worker, or a client, asks its scheduler for a component.
    FetchComponent {
        /// Its digest.
        digest: ComponentDigest,
    },
    /// A worker asks its scheduler for a data entry.
    FetchData {
        /// The graph.
        graph: GraphId,
        /// The entry's position.
        position: u32,
    },
    /// A client asks for an output, its path followed.
    FetchOutput {
        /// The graph.
        graph: GraphId,
        /// Position in the graph's outputs.
        output: u32,
    },
    /// A worker, or the scheduler that relays, asks a worker for a result. A worker or a client may also ask the scheduler to
    /// relay.
    FetchResult {
        /// The graph.
        graph: GraphId,
        /// The task.
        task: TaskIndex,
        /// First byte.
        offset: u64,
        /// Number of bytes at most.
        len: u64,
    },
    /// The scheduler asks a worker for what a task wrote. The body of the answer is a MessagePack array of two bins,
    /// standard output and standard error.
    FetchLogs {
        /// The graph.
        graph: GraphId,
        /// The task.
        task: TaskIndex,
    },
    /// A client stops tasks by their keys. Refused, and nothing is stopped, when the graph does not have one of them.
    CancelTasks {
        /// The graph.
        graph: GraphId,
        /// The keys.
        keys: Vec<String>,
    },
    /// A client publishes a graph: it is kept, whoever leaves, until its name is withdrawn. Refused when the name is taken.
    Publish {
        /// The graph.
        graph: GraphId,
        /// Its name for everybody.
        name: String,
    },
    /// A client withdraws a name.
    Unpublish {
        /// The name.
        name: String,
    },
    /// A client asks for the file of a graph, as it was submitted.
    FetchGraph {
        /// The graph.
        graph: GraphId,
    },
    /// A client's fragment; the body is the file. Answered when it is accepted or refused. The body of the answer is how far
    /// the graph's tables go now ([`Extent`](crate::graph::Extent)): with the fragment when it was accepted, and without it when
    /// it was refused as `base-moved`, so that the client can write it anew.
    ExtendGraph {
        /// The graph that it continues.
        graph: GraphId,
    },
}

/// The head of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ReplyHead {
    /// The body follows.
    Ok {
        /// Bytes of the whole thing, of which the body may be a range.
        total: u64,
    },
    /// It is not here.
    NotFound,
    /// It will not be given.
    Refused(Refusal),
}
