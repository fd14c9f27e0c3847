use super::Components;
use bytes::Bytes;
use wasm_tasks_judge::{Asker, Judge};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::ids::ComponentDigest;

/// A component of about so many bytes that no other is like.
fn component(number: usize, bytes: usize) -> (ComponentDigest, Bytes) {
    let text = format!(r#"(component (core module (memory 1) (data (i32.const 0) "{number:08}{}")))"#, "x".repeat(bytes));
    let bytes = Bytes::from(wat::parse_str(text).expect("text"));
    (ComponentDigest::of(&bytes), bytes)
}

/// Whatever was stored before, another component finds room as long as graphs leave it: the least recently used go.
#[tokio::test]
async fn what_no_graph_needs_makes_room() {
    let (components, asker) = (Components::new(10_000, Judge::in_process()), Asker::new("client", 1));
    let (first, bytes) = component(0, 1_000);
    let kept = components.add(&asker, first, bytes).await.expect("room");
    for number in 1..100 {
        let (digest, bytes) = component(number, 1_000);
        let len = bytes.len();
        components.add(&asker, digest, bytes).await.expect("room is made");
        let inner = components.lock();
        let stored: usize = inner.by_digest.values().map(|stored| stored.component.bytes.len()).sum();
        assert_eq!(inner.bytes, stored);
        assert!(inner.bytes <= 10_000 && (number < 20 || inner.bytes + len > 10_000), "full, and no more");
    }
    assert!(components.find(&first).is_some(), "a graph needs it");
    assert_eq!(components.missing(&[first, component(1, 1_000).0, component(99, 1_000).0]), [1]);
    drop(kept);
    for number in 100..120 {
        let (digest, bytes) = component(number, 1_000);
        components.add(&asker, digest, bytes).await.expect("room is made");
    }
    assert!(components.find(&first).is_none(), "no graph needs it any more");
}

#[tokio::test]
async fn what_graphs_need_is_not_let_go() {
    let (components, asker) = (Components::new(5_000, Judge::in_process()), Asker::new("client", 1));
    let mut needed = Vec::new();
    let refusal = loop {
        let (digest, bytes) = component(needed.len(), 1_000);
        match components.add(&asker, digest, bytes).await {
            Ok(component) => needed.push(component),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!((needed.len(), refusal.code), (4, ErrorCode::LimitExceeded));
}
