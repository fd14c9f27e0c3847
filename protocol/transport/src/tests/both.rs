//! What every link promises, whichever kind it is.

use super::cluster::{Pair, pairs};
use crate::{LinkError, Role};
use bytes::Bytes;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wasm_tasks_protocol::limits::LOG_BYTES_MAX;
use wasm_tasks_protocol::message::{FromWorker, FunctionSpec, Refusal, ReplyHead, Request, ToWorker};
use wasm_tasks_protocol::{Attempt, ComponentDigest, ErrorCode, GraphId, TaskIndex, TenantId};

fn started(attempt: u64) -> FromWorker {
    FromWorker::AttemptsStarted(vec![Attempt(attempt)])
}

fn cancel(attempt: u64) -> ToWorker {
    ToWorker::CancelAttempts(vec![Attempt(attempt)])
}

/// An order of a little more than this many bytes.
fn define(graph: u8, bytes: usize) -> ToWorker {
    let component = ComponentDigest([0; 32]);
    let function = FunctionSpec { component, export: "run".into(), bind: vec![graph; bytes].into(), dynamic: None };
    ToWorker::DefineGraph {
        graph: GraphId([graph; 16]),
        tenant: TenantId::DEFAULT,
        functions: vec![function],
        data: Vec::new(),
        settings: Vec::new(),
    }
}

fn fetch(len: u64) -> Request {
    Request::FetchResult { graph: GraphId([1; 16]), task: TaskIndex(2), offset: 0, len }
}

async fn messages() -> [(&'static str, Pair<ToWorker, FromWorker>); 2] {
    pairs().await
}

fn closed(reason: &str) -> LinkError {
    LinkError::Closed { reason: reason.to_owned() }
}

#[tokio::test]
async fn batches_arrive_in_order_both_ways() {
    for (kind, mut pair) in messages().await {
        for round in 0..100 {
            pair.scheduler.sender.send(vec![cancel(round), cancel(round + 1)]).await.expect(kind);
            pair.worker.sender.send(vec![started(round)]).await.expect(kind);
        }
        let (mut orders, mut facts) = (Vec::new(), Vec::new());
        while orders.len() < 200 {
            orders.extend(pair.worker.receiver.recv().await.expect(kind));
        }
        while facts.len() < 100 {
            facts.extend(pair.scheduler.receiver.recv().await.expect(kind));
        }
        assert_eq!(orders, (0..100).flat_map(|round| [cancel(round), cancel(round + 1)]).collect::<Vec<_>>(), "{kind}");
        assert_eq!(facts, (0..100).map(started).collect::<Vec<_>>(), "{kind}");
        assert_eq!(pair.worker.receiver.try_recv(), None, "{kind}");
    }
}

#[tokio::test]
async fn each_side_knows_the_other() {
    for (kind, pair) in messages().await {
        assert_eq!(pair.scheduler.peer.identity().role, Role::Worker, "{kind}");
        assert_eq!(pair.worker.peer.identity().role, Role::Scheduler, "{kind}");
        assert_eq!(pair.worker.peer.identity().name, "scheduler", "{kind}");
        assert_eq!(pair.worker.peer.remote_address().is_some(), kind == "quic");
        assert_eq!(pair.scheduler.peer.remote_addresses(9).len(), usize::from(kind == "quic"));
        assert_eq!(pair.worker.peer.bytes_moved().0 > 0, kind == "quic");
    }
}

#[tokio::test]
async fn empty_batches_are_not_delivered() {
    for (kind, mut pair) in messages().await {
        pair.scheduler.sender.send(Vec::new()).await.expect(kind);
        pair.scheduler.sender.send(vec![cancel(1)]).await.expect(kind);
        assert_eq!(pair.worker.receiver.recv().await.expect(kind), [cancel(1)], "{kind}");
    }
}

#[tokio::test]
async fn batches_too_long_for_a_message_are_split() {
    for (kind, mut pair) in messages().await {
        // Too many messages; then too many bytes, of which one message may have 64 MiB.
        let many: Vec<_> = (0..150_000).map(cancel).collect();
        let large: Vec<_> = (0..3).map(|graph| define(graph, 40 << 20)).collect();
        let expected = [many.clone(), large.clone()].concat();
        let sender = &mut pair.scheduler.sender;
        let sending = async {
            sender.send(many).await.expect(kind);
            sender.send(large).await.expect(kind);
        };
        let receiving = async {
            let mut orders = Vec::new();
            while orders.len() < expected.len() {
                orders.extend(pair.worker.receiver.recv().await.expect(kind));
            }
            orders
        };
        let ((), orders) = tokio::join!(sending, receiving);
        assert!(orders == expected, "{kind}");
    }
}

#[tokio::test]
async fn a_message_too_long_to_send_is_refused_and_the_link_goes_on() {
    let mut pair = super::cluster::quic_pair::<ToWorker, FromWorker>().await;
    let refused = pair.scheduler.sender.send(vec![cancel(1), define(0, 65 << 20)]).await;
    assert!(matches!(refused, Err(LinkError::TooLarge { what: "control message", .. })), "{refused:?}");
    pair.scheduler.sender.send(vec![cancel(2)]).await.expect("goes on");
    assert_eq!(pair.worker.receiver.recv().await.expect("goes on"), [cancel(2)], "nothing of the refused batch");
}

#[tokio::test]
async fn requests_are_answered_with_their_bodies() {
    for (kind, pair) in messages().await {
        let mut incoming = pair.worker.incoming;
        let serving = tokio::spawn(async move {
            while let Some(asked) = incoming.next().await {
                assert_eq!(asked.body, Bytes::new());
                let Request::FetchResult { len, .. } = asked.request else { panic!("a fetch") };
                let body = vec![len as u8; len as usize];
                asked.reply.send(ReplyHead::Ok { total: len + 1 }, body.into()).await.expect("replies");
            }
        });
        // Below, at and above what travels in one piece, what one chunk holds, and what is trusted.
        for len in [0, 1, 16 << 10, (16 << 10) + 1, 1 << 20, (3 << 20) + 7, 70 << 20] {
            let (head, body) = pair.scheduler.peer.request(fetch(len), Bytes::new()).await.expect(kind);
            assert_eq!(head, ReplyHead::Ok { total: len + 1 }, "{kind}");
            assert_eq!(body.len() as u64, len, "{kind}");
            assert!(body.iter().all(|byte| *byte == len as u8), "{kind} {len}");
        }
        pair.scheduler.peer.close("enough");
        serving.await.expect("ends when the link does");
    }
}

#[tokio::test]
async fn whoever_sends_through_learns_what_went_over_a_network() {
    for (kind, mut pair) in messages().await {
        for len in [1, 3 << 20] {
            let asking = pair.scheduler.peer.request(fetch(len), Bytes::new());
            let answering = async {
                let reply = pair.worker.incoming.next().await.expect(kind).reply;
                reply.send_through(ReplyHead::Ok { total: len }, vec![0; len as usize].into()).await
            };
            let (asked, went) = tokio::join!(asking, answering);
            assert_eq!(asked.expect(kind).1.len() as u64, len, "{kind}");
            assert_eq!(went, Ok(if kind == "memory" { 0 } else { len }), "{kind}");
        }
        let asking = pair.scheduler.peer.request(fetch(10), Bytes::new());
        let answering = async {
            let reply = pair.worker.incoming.next().await.expect(kind).reply;
            reply.send_through(ReplyHead::Ok { total: 11 }, vec![0; 11].into()).await
        };
        let (asked, went) = tokio::join!(asking, answering);
        assert!(asked.is_err() && matches!(went, Err(LinkError::TooLarge { .. })), "{kind}: {asked:?}, {went:?}");
    }
}

#[tokio::test]
async fn bodies_go_with_requests_and_either_side_asks() {
    for (kind, pair) in messages().await {
        let component: Bytes = (0..5_000_000u32).map(|number| number as u8).collect();
        let digest = ComponentDigest::of(&component);
        let mut incoming = pair.scheduler.incoming;
        let asking = pair.worker.peer.request(Request::UploadComponent { digest }, component);
        let answering = async {
            let asked = incoming.next().await.expect(kind);
            assert_eq!(asked.request, Request::UploadComponent { digest }, "{kind}");
            assert_eq!(ComponentDigest::of(&asked.body), digest, "{kind}");
            asked.reply.send(ReplyHead::Ok { total: 0 }, Bytes::new()).await.expect(kind);
        };
        let (answer, ()) = tokio::join!(asking, answering);
        assert_eq!(answer.expect(kind), (ReplyHead::Ok { total: 0 }, Bytes::new()), "{kind}");
    }
}

#[tokio::test]
async fn many_requests_are_under_way_at_once() {
    for (kind, pair) in messages().await {
        let mut incoming = pair.worker.incoming;
        // More than may be open at once over QUIC, and answered in no order.
        let asking: Vec<_> = (0..600)
            .map(|len| {
                let peer = pair.scheduler.peer.clone();
                tokio::spawn(async move { peer.request(fetch(len), Bytes::new()).await })
            })
            .collect();
        let answering = tokio::spawn(async move {
            let mut held = Vec::new();
            for number in 0..600 {
                held.push(incoming.next().await.expect("asked"));
                if number % 50 == 49 {
                    for asked in held.drain(..).rev() {
                        let Request::FetchResult { len, .. } = asked.request else { panic!("a fetch") };
                        asked.reply.send(ReplyHead::Ok { total: len }, vec![0; len as usize].into()).await.expect("replies");
                    }
                }
            }
            incoming
        });
        for (len, asked) in asking.into_iter().enumerate() {
            let (head, body) = asked.await.expect(kind).expect(kind);
            assert_eq!((head, body.len()), (ReplyHead::Ok { total: len as u64 }, len), "{kind}");
        }
        answering.await.expect(kind);
    }
}

#[tokio::test]
async fn bodies_above_their_limit_are_refused_where_they_are_made() {
    for (kind, mut pair) in messages().await {
        let too_large = pair.scheduler.peer.request(fetch(10), Bytes::from_static(b"a fetch has no body")).await;
        assert_eq!(too_large, Err(LinkError::TooLarge { what: "request's body", bytes: 19, limit: 0 }), "{kind}");

        let asking = pair.scheduler.peer.request(fetch(10), Bytes::new());
        let answering = async {
            let reply = pair.worker.incoming.next().await.expect(kind).reply;
            assert_eq!(reply.body_bytes_max(), 10);
            reply.send(ReplyHead::Ok { total: 11 }, vec![0; 11].into()).await
        };
        let (asked, answered) = tokio::join!(asking, answering);
        assert_eq!(answered, Err(LinkError::TooLarge { what: "reply's body", bytes: 11, limit: 10 }), "{kind}");
        assert!(matches!(asked, Err(LinkError::Abandoned { .. })), "{kind}: {asked:?}");
        assert_eq!(pair.scheduler.peer.close_reason(), None, "{kind}: the link goes on");
    }
}

#[tokio::test]
async fn long_refusals_arrive_shortened() {
    for (kind, mut pair) in messages().await {
        let asking = pair.scheduler.peer.request(fetch(10), Bytes::new());
        let answering = async {
            let messages = vec!["a".repeat(1 << 20); 3];
            let refused = ReplyHead::Refused(Refusal { code: ErrorCode::TypeMismatch, messages });
            pair.worker.incoming.next().await.expect(kind).reply.send(refused, Bytes::new()).await.expect(kind);
        };
        let (asked, ()) = tokio::join!(asking, answering);
        assert_eq!(asked.expect(kind).0, ReplyHead::Refused(Refusal::new(ErrorCode::TypeMismatch, "… and 3 more")), "{kind}");
    }
}

#[tokio::test]
async fn dropped_replies_and_requests_are_noticed() {
    for (kind, mut pair) in messages().await {
        let peer = pair.scheduler.peer.clone();
        let asking = peer.request(fetch(1), Bytes::new());
        let (asked, ()) = tokio::join!(asking, async { drop(pair.worker.incoming.next().await.expect(kind).reply) });
        assert_eq!(asked, Err(LinkError::Abandoned { reason: "it did not answer" }), "{kind}");

        let asking = tokio::spawn(async move { peer.request(fetch(1), Bytes::new()).await });
        let mut asked = pair.worker.incoming.next().await.expect(kind);
        asking.abort();
        asked.reply.abandoned().await;
        let sent = asked.reply.send(ReplyHead::NotFound, Bytes::new()).await;
        assert!(matches!(sent, Err(LinkError::Abandoned { .. })), "{kind}: {sent:?}");

        drop(pair.worker.incoming);
        let asked = pair.scheduler.peer.request(fetch(1), Bytes::new()).await;
        assert_eq!(asked, Err(LinkError::Abandoned { reason: "it does not answer requests" }), "{kind}");
        assert_eq!(pair.scheduler.peer.close_reason(), None, "{kind}: the link goes on");
    }
}

#[tokio::test]
async fn closing_says_why_everywhere() {
    for (kind, mut pair) in messages().await {
        let peer = pair.scheduler.peer.clone();
        let asking = tokio::spawn(async move { peer.request(fetch(1), Bytes::new()).await });
        let _held = pair.worker.incoming.next().await.expect(kind);
        pair.worker.peer.close("the worker is tired");
        pair.worker.peer.close("a second reason");

        let why = closed("the worker is tired");
        assert_eq!(pair.scheduler.receiver.recv().await, Err(why.clone()), "{kind}");
        assert_eq!(pair.worker.receiver.recv().await, Err(why.clone()), "{kind}");
        assert_eq!(pair.scheduler.sender.send(vec![cancel(1)]).await, Err(why.clone()), "{kind}");
        assert_eq!(pair.worker.sender.send(vec![started(1)]).await, Err(why.clone()), "{kind}");
        assert_eq!(asking.await.expect(kind), Err(why.clone()), "{kind}");
        assert_eq!(pair.scheduler.peer.request(fetch(1), Bytes::new()).await, Err(why.clone()), "{kind}");
        assert!(pair.scheduler.incoming.next().await.is_none(), "{kind}");
        assert!(pair.worker.incoming.next().await.is_none(), "{kind}");
        assert_eq!(pair.scheduler.peer.closed().await, "the worker is tired", "{kind}");
        assert_eq!(pair.worker.peer.closed().await, "the worker is tired", "{kind}");
        assert_eq!(pair.scheduler.peer.close_reason().as_deref(), Some("the worker is tired"), "{kind}");
        assert!(why.is_closed() && why.is_retryable());
        assert_eq!(pair.worker.sender.finish().await, Err(why), "{kind}");
    }
}

#[tokio::test]
async fn what_was_finished_is_received_though_the_link_closes() {
    for (kind, pair) in messages().await {
        let mut sender = pair.scheduler.sender;
        let mut receiver = pair.worker.receiver;
        let receiving = tokio::spawn(async move {
            let mut count = 0;
            loop {
                match receiver.recv().await {
                    Ok(batch) => count += batch.len(),
                    Err(error) => return (count, error),
                }
            }
        });
        for attempt in 0..200 {
            sender.send(vec![cancel(attempt); 100]).await.expect(kind);
        }
        sender.finish().await.expect(kind);
        pair.scheduler.peer.close("done");
        let (count, error) = receiving.await.expect(kind);
        assert_eq!(count, 20_000, "{kind}");
        assert!(error.is_closed(), "{kind}: {error}");
        assert_eq!(pair.worker.peer.closed().await, "done", "{kind}");
    }
}

#[tokio::test]
async fn a_half_closed_peer_is_still_heard() {
    for (kind, mut pair) in messages().await {
        pair.scheduler.sender.finish().await.expect(kind);
        assert_eq!(pair.worker.receiver.recv().await, Err(closed(crate::quic::FINISHED)), "{kind}");
        assert_eq!(pair.worker.peer.close_reason(), None, "{kind}");
        pair.worker.sender.send(vec![started(5)]).await.expect(kind);
        assert_eq!(pair.scheduler.receiver.recv().await.expect(kind), [started(5)], "{kind}");
    }
}

#[tokio::test]
async fn a_dropped_link_closes_after_what_was_sent() {
    for (kind, mut pair) in messages().await {
        for attempt in 0..100 {
            pair.scheduler.sender.send(vec![cancel(attempt); 50]).await.expect(kind);
        }
        drop(pair.scheduler);
        let mut count = 0;
        while count < 5_000 {
            count += pair.worker.receiver.recv().await.expect(kind).len();
        }
        assert!(pair.worker.receiver.recv().await.expect_err(kind).is_closed(), "{kind}");
        assert_eq!(pair.worker.peer.closed().await, "the peer dropped the link", "{kind}");
    }
}

#[tokio::test]
async fn one_part_keeps_a_link_open() {
    for (kind, mut pair) in messages().await {
        let peer = pair.scheduler.peer;
        drop((pair.scheduler.sender, pair.scheduler.receiver, pair.scheduler.incoming));
        let (answer, ()) = tokio::join!(peer.request(fetch(1), Bytes::new()), async {
            let asked = pair.worker.incoming.next().await.expect(kind);
            asked.reply.send(ReplyHead::NotFound, Bytes::new()).await.expect(kind);
        });
        assert_eq!(answer.expect(kind).0, ReplyHead::NotFound, "{kind}");
        drop(peer);
        assert_eq!(pair.worker.peer.closed().await, "the peer dropped the link", "{kind}");
    }
}

#[tokio::test]
async fn receiving_can_be_cancelled_at_any_moment() {
    for (kind, pair) in messages().await {
        let (mut sender, mut receiver) = (pair.scheduler.sender, pair.worker.receiver);
        let sending = tokio::spawn(async move {
            for attempt in 0..300u64 {
                // Of all sizes, so that many are cut by packets.
                sender.send(vec![cancel(attempt); 1 + (attempt as usize * 37) % 2_000]).await.expect("sends");
            }
            sender.finish().await.expect("finishes");
        });
        let mut got = Vec::new();
        let mut cancelled = 0;
        let error = loop {
            // Each receive is polled once and dropped.
            let polled = pin!(receiver.recv()).poll(&mut Context::from_waker(Waker::noop()));
            match polled {
                Poll::Ready(Ok(batch)) => got.push(batch),
                Poll::Ready(Err(error)) => break error,
                Poll::Pending => {
                    cancelled += 1;
                    tokio::task::yield_now().await;
                    got.extend(receiver.try_recv());
                }
            }
        };
        assert!(error.is_closed(), "{kind}: {error}");
        sending.await.expect(kind);
        assert!(cancelled > 0, "{kind}");
        let expected: Vec<_> = (0..300u64).map(|attempt| vec![cancel(attempt); 1 + (attempt as usize * 37) % 2_000]).collect();
        assert!(got == expected, "{kind}: a batch was lost, cut or moved");
    }
}

#[tokio::test]
async fn a_full_link_makes_the_sender_wait() {
    for (kind, pair) in messages().await {
        let (mut sender, mut receiver) = (pair.scheduler.sender, pair.worker.receiver);
        let message = define(0, LOG_BYTES_MAX);
        // 256 batches in memory, 16 MiB of a stream over QUIC: far less than this.
        let sending = async move {
            for _ in 0..3_000 {
                sender.send(vec![message.clone()]).await.expect("sends");
            }
            sender.finish().await.expect("finishes");
        };
        let mut sending = pin!(sending);
        for _ in 0..1_000 {
            // However often it may go on: nobody receives.
            let polled = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending(), "{kind}");
            tokio::task::yield_now().await;
        }
        let receiving = async {
            let mut count = 0;
            while let Ok(batch) = receiver.recv().await {
                count += batch.len();
            }
            count
        };
        let ((), count) = tokio::join!(sending, receiving);
        assert_eq!(count, 3_000, "{kind}");
    }
}
