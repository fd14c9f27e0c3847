//! Limits of requests: the head, and the body either way, which depends on what is asked.

use crate::error::LinkError;
use wasm_tasks_protocol::limits::{COMPONENT_BYTES_MAX, GRAPH_BYTES_MAX, LOG_BYTES_MAX, RESULT_BYTES_MAX};
use wasm_tasks_protocol::message::{ReplyHead, Request};

/// Bytes of a request's head. The longest names 4,096 components of 32 bytes.
pub(crate) const REQUEST_HEAD_BYTES_MAX: usize = 256 << 10;
/// Bytes of a reply's head. The longest is a refusal, which [`shorten`] keeps below this.
pub(crate) const REPLY_HEAD_BYTES_MAX: usize = 1 << 20;
/// Bytes of text in a refusal; a graph can be wrong in millions of places, and nobody reads them all.
const REFUSAL_TEXT_BYTES_MAX: usize = 512 << 10;
/// Bytes of a reply that says little: positions of components, or nothing.
const SMALL_BODY_BYTES_MAX: u64 = 64 << 10;

/// The most bytes that may follow a request's head.
pub(crate) fn request_body_max(request: &Request) -> u64 {
    match request {
        Request::SubmitGraph { .. } | Request::ExtendGraph { .. } => GRAPH_BYTES_MAX as u64,
        Request::UploadComponent { .. } => COMPONENT_BYTES_MAX as u64,
        Request::MissingComponents { .. }
        | Request::FetchComponent { .. }
        | Request::FetchData { .. }
        | Request::FetchOutput { .. }
        | Request::FetchResult { .. }
        | Request::FetchLogs { .. }
        | Request::CancelTasks { .. }
        | Request::Publish { .. }
        | Request::Unpublish { .. }
        | Request::FetchGraph { .. } => 0,
    }
}

/// The most bytes that may follow the head of a request's reply.
pub(crate) fn reply_body_max(request: &Request) -> u64 {
    match request {
        Request::SubmitGraph { .. }
        | Request::ExtendGraph { .. }
        | Request::UploadComponent { .. }
        | Request::MissingComponents { .. }
        | Request::CancelTasks { .. }
        | Request::Publish { .. }
        | Request::Unpublish { .. } => SMALL_BODY_BYTES_MAX,
        Request::FetchComponent { .. } => COMPONENT_BYTES_MAX as u64,
        Request::FetchData { .. } | Request::FetchGraph { .. } => GRAPH_BYTES_MAX as u64,
        Request::FetchOutput { .. } => RESULT_BYTES_MAX,
        Request::FetchResult { len, .. } => RESULT_BYTES_MAX.min(*len),
        // Two bins in an array.
        Request::FetchLogs { .. } => 2 * LOG_BYTES_MAX as u64 + 16,
    }
}

/// Checks a size.
pub(crate) fn check(what: &'static str, bytes: u64, limit: u64) -> Result<(), LinkError> {
    if bytes > limit { Err(LinkError::TooLarge { what, bytes, limit }) } else { Ok(()) }
}

/// Leaves the first messages of a refusal that is too long, and says how many are missing.
pub(crate) fn shorten(head: ReplyHead) -> ReplyHead {
    let ReplyHead::Refused(mut refusal) = head else { return head };
    let mut bytes = 0;
    let keep = refusal.messages.iter().take_while(|message| {
        bytes += message.len();
        bytes <= REFUSAL_TEXT_BYTES_MAX
    });
    // Short messages cost their length prefixes too.
    let keep = keep.count().min(REFUSAL_TEXT_BYTES_MAX / 16);
    let missing = refusal.messages.len() - keep;
    if missing > 0 {
        refusal.messages.truncate(keep);
        refusal.messages.push(format!("… and {missing} more"));
    }
    ReplyHead::Refused(refusal)
}

#[cfg(test)]
mod tests {
    use super::{REPLY_HEAD_BYTES_MAX, reply_body_max, request_body_max, shorten};
    use wasm_tasks_protocol::codec::encode;
    use wasm_tasks_protocol::limits::RESULT_BYTES_MAX;
    use wasm_tasks_protocol::message::{Refusal, ReplyHead, Request};
    use wasm_tasks_protocol::{ErrorCode, GraphId, TaskIndex};

    #[test]
    fn a_range_is_never_longer_than_asked_or_than_a_result() {
        let fetch = |len| Request::FetchResult { graph: GraphId([0; 16]), task: TaskIndex(0), offset: 0, len };
        assert_eq!(reply_body_max(&fetch(10)), 10);
        assert_eq!(reply_body_max(&fetch(u64::MAX)), RESULT_BYTES_MAX);
        assert_eq!(request_body_max(&fetch(10)), 0);
    }

    #[test]
    fn long_refusals_are_shortened_and_say_so() {
        for message in ["", "task `a`: wrong", &"x".repeat(600 << 10)] {
            let messages = vec![message.to_owned(); 1_000_000 / (message.len() + 1) + 2];
            let count = messages.len();
            let head = shorten(ReplyHead::Refused(Refusal { code: ErrorCode::TypeMismatch, messages }));
            assert!(encode(&head, Vec::new()).expect("encodes").len() <= REPLY_HEAD_BYTES_MAX);
            let ReplyHead::Refused(refusal) = head else { panic!("still a refusal") };
            let missing = count - (refusal.messages.len() - 1);
            assert_eq!(refusal.messages.last(), Some(&format!("… and {missing} more")));
        }
        let short = ReplyHead::Refused(Refusal::new(ErrorCode::Cycle, "a → b → a"));
        assert_eq!(shorten(short.clone()), short);
    }
}
