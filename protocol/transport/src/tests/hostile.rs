//! Peers of the cluster that do not keep to the protocol: each gets a typed error, and nothing panics, waits for ever
//! or believes a length.

use super::cluster::{ANY, Cluster};
use super::raw::{ALPN, HELLO, RawWorker, connect, message, raw_scheduler, raw_worker};
use crate::quic::{Failure, Reader};
use crate::{LinkError, Role};
use bytes::Bytes;
use quinn::{ConnectionError, ReadError, VarInt, WriteError};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wasm_tasks_protocol::codec::{CodecError, encode};
use wasm_tasks_protocol::limits::{COMPONENT_BYTES_MAX, GRAPH_BYTES_MAX, MESSAGE_BYTES_MAX};
use wasm_tasks_protocol::message::{FromWorker, ReplyHead, Request};
use wasm_tasks_protocol::{Attempt, ComponentDigest, GraphId, TaskIndex};

const FRAMING: u32 = 1;
const TOO_LARGE: u32 = 2;

fn submit() -> Request {
    Request::SubmitGraph { graph: GraphId([9; 16]) }
}

fn fetch(len: u64) -> Request {
    Request::FetchResult { graph: GraphId([1; 16]), task: TaskIndex(2), offset: 0, len }
}

/// Sends bytes on the control stream and returns the scheduler's error, after checking that the worker was sent away with it.
async fn control_error(bytes: &[u8], is_finished: bool) -> LinkError {
    let RawWorker { connection, mut send, recv: _recv, mut scheduler, _cluster } = raw_worker().await;
    send.write_all(bytes).await.expect("writes");
    if is_finished {
        send.finish().expect("finishes");
    }
    let error = scheduler.receiver.recv().await.expect_err("not a message");
    let ConnectionError::ApplicationClosed(close) = connection.closed().await else { panic!("not sent away") };
    assert_eq!(close.error_code, VarInt::from_u32(1));
    assert_eq!(String::from_utf8_lossy(&close.reason), error.to_string());
    assert_eq!(scheduler.receiver.recv().await, Err(LinkError::Closed { reason: error.to_string() }));
    assert_eq!(scheduler.peer.close_reason(), Some(error.to_string()));
    error
}

#[tokio::test]
async fn oversized_control_frames_close_the_link_before_they_are_read() {
    let limit = MESSAGE_BYTES_MAX as u64;
    for len in [MESSAGE_BYTES_MAX as u32 + 1, u32::MAX] {
        let what = "control message";
        assert_eq!(control_error(&len.to_le_bytes(), false).await, LinkError::TooLarge { what, bytes: u64::from(len), limit });
    }
}

#[tokio::test]
async fn malformed_control_frames_close_the_link() {
    for frame in [&[0, 0, 0, 0][..], &[2, 0, 0, 0, 0x81, 0x80], &[2, 0, 0, 0, 1, 200]] {
        let error = control_error(frame, false).await;
        assert!(matches!(error, LinkError::Malformed { source: CodecError::Malformed(_), .. }), "{frame:?}: {error}");
        assert!(!error.is_retryable());
    }
    let error = control_error(&[2, 0, 0, 0, 0, 7], false).await;
    assert_eq!(error, LinkError::Malformed { what: "control message", source: CodecError::Trailing(1) });
}

#[tokio::test]
async fn a_batch_of_very_many_messages_of_a_byte_is_refused() {
    let leaving = vec![FromWorker::Leaving; 1 << 16];
    let allowed = encode(&leaving, Vec::new()).expect("encodes");
    assert!(allowed.len() < 70_000, "a message of a byte each");
    let mut raw = raw_worker().await;
    raw.send.write_all(&allowed).await.expect("writes");
    assert_eq!(raw.scheduler.receiver.recv().await.expect("as many as may be"), leaving);

    let too_many = encode(&vec![FromWorker::Leaving; (1 << 16) + 1], Vec::new()).expect("encodes");
    let error = control_error(&too_many, false).await;
    assert_eq!(error, LinkError::Framing { what: "control message", problem: "has more than 65536 messages in a batch" });
    // Numbers that are none.
    for frame in [[11, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
        assert!(!control_error(&frame, false).await.is_retryable());
    }
}

#[tokio::test]
async fn control_streams_that_end_inside_a_frame_close_the_link() {
    for part in [&[5, 0][..], &[5, 0, 0, 0], &[5, 0, 0, 0, 1]] {
        let error = control_error(part, true).await;
        assert_eq!(error, LinkError::Framing { what: "control message", problem: "ends early" });
    }
}

#[tokio::test]
async fn good_messages_before_a_bad_one_are_received() {
    let mut raw = raw_worker().await;
    let good = vec![FromWorker::AttemptsStarted(vec![Attempt(3)])];
    let mut bytes = encode(&good, Vec::new()).expect("encodes");
    bytes.extend_from_slice(&[0xff; 4]);
    raw.send.write_all(&bytes).await.expect("writes");
    assert_eq!(raw.scheduler.receiver.recv().await.expect("good"), good);
    // The error is met here, and told below.
    assert_eq!(raw.scheduler.receiver.try_recv(), None);
    assert!(matches!(raw.scheduler.receiver.recv().await, Err(LinkError::TooLarge { .. })));
}

#[tokio::test]
async fn a_message_may_come_a_byte_at_a_time() {
    let mut raw = raw_worker().await;
    let good = vec![FromWorker::AttemptsStarted(vec![Attempt(3), Attempt(4)])];
    for byte in encode(&good, Vec::new()).expect("encodes") {
        assert_eq!(raw.scheduler.receiver.try_recv(), None);
        raw.send.write_all(&[byte]).await.expect("writes");
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.scheduler.receiver.recv().await.expect("good"), good);
}

#[tokio::test]
async fn an_announced_length_costs_nothing() {
    let mut raw = raw_worker().await;
    // 64 MiB on each of many streams, and no byte of it: were it believed, this would need 16 GiB.
    raw.send.write_all(&(MESSAGE_BYTES_MAX as u32).to_le_bytes()).await.expect("writes");
    let mut streams = Vec::new();
    for _ in 0..64 {
        let (mut send, recv) = raw.connection.open_bi().await.expect("opens");
        let digest = ComponentDigest([0; 32]);
        let head = message(&Request::UploadComponent { digest }, COMPONENT_BYTES_MAX as u64, &[]);
        send.write_all(&head).await.expect("writes");
        streams.push((send, recv));
    }
    // A request without a body overtakes them all, and when it is here they were looked at.
    let (mut send, _recv) = raw.connection.open_bi().await.expect("opens");
    send.write_all(&message(&submit(), 0, &[])).await.expect("writes");
    send.finish().expect("finishes");
    assert_eq!(raw.scheduler.incoming.next().await.expect("asked").request, submit());
    let resident = resident_bytes();
    assert!(resident < 1 << 30, "{resident} bytes are resident");
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Sends bytes as a request and returns the code that the stream is given up with.
async fn request_code(bytes: &[u8], is_finished: bool) -> u32 {
    let mut raw = raw_worker().await;
    let (mut send, mut recv) = raw.connection.open_bi().await.expect("opens");
    match send.write_all(bytes).await {
        Ok(()) | Err(WriteError::Stopped(_)) => {}
        Err(error) => panic!("{error}"),
    }
    if is_finished {
        let _ = send.finish();
    }
    let code = match recv.read_to_end(100).await {
        Err(quinn::ReadToEndError::Read(ReadError::Reset(code))) => code,
        other => panic!("not given up: {other:?}"),
    };
    // The link goes on, and the request was not handed over.
    let good = vec![FromWorker::Leaving];
    raw.send.write_all(&encode(&good, Vec::new()).expect("encodes")).await.expect("writes");
    assert_eq!(raw.scheduler.receiver.recv().await.expect("goes on"), good);
    let polled = pin!(raw.scheduler.incoming.next()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    u32::try_from(code.into_inner()).expect("small")
}

#[tokio::test]
async fn bad_requests_are_given_up_with_a_code_and_the_link_goes_on() {
    let head = encode(&submit(), Vec::new()).expect("encodes");
    let cases = [
        ("a head that is too long", TOO_LARGE, (300u32 << 10).to_le_bytes().to_vec(), false),
        ("a head that is no request", FRAMING, vec![1, 0, 0, 0, 99], false),
        ("half a head", FRAMING, head[..7].to_vec(), true),
        ("nothing", FRAMING, Vec::new(), true),
        ("no length", FRAMING, head.clone(), true),
        ("a body that is too long", TOO_LARGE, message(&submit(), GRAPH_BYTES_MAX as u64 + 1, &[]), false),
        ("a body of all bytes that there are", TOO_LARGE, message(&submit(), u64::MAX, &[]), false),
        ("a body where none may be", TOO_LARGE, message(&fetch(1), 1, &[0]), false),
        ("less than announced", FRAMING, message(&submit(), 10, &[0; 9]), true),
        ("more than announced", FRAMING, message(&submit(), 10, &[0; 11]), true),
        ("more than announced, in the middle", FRAMING, message(&submit(), 10, &[0; 11]), false),
    ];
    for (case, code, bytes, is_finished) in cases {
        assert_eq!(request_code(&bytes, is_finished).await, code, "{case}");
    }
}

/// Answers a request of 10 bytes with raw bytes, or resets it.
async fn reply_error(bytes: Option<&[u8]>) -> LinkError {
    let raw = raw_scheduler().await;
    let answering = async {
        let (mut send, mut recv) = raw.connection.accept_bi().await.expect("asked");
        assert_eq!(recv.read_to_end(1_000).await.expect("asked"), message(&fetch(10), 0, &[]));
        match bytes {
            Some(bytes) => {
                send.write_all(bytes).await.expect("writes");
                send.finish().expect("finishes");
            }
            None => send.reset(VarInt::from_u32(77)).expect("resets"),
        }
    };
    let (asked, ()) = tokio::join!(raw.worker.peer.request(fetch(10), Bytes::new()), answering);
    assert_eq!(raw.worker.peer.close_reason(), None, "the link goes on");
    asked.expect_err("a bad answer")
}

#[tokio::test]
async fn bad_answers_fail_their_request_and_the_link_goes_on() {
    let ok = ReplyHead::Ok { total: 10 };
    let head = encode(&ok, Vec::new()).expect("encodes");
    let framing = |what, problem| LinkError::Framing { what, problem };
    let (reply, body) = ("reply", "reply's body");
    let cases: [(Option<&[u8]>, LinkError); 7] = [
        (Some(&[0xff; 4]), LinkError::TooLarge { what: reply, bytes: u64::from(u32::MAX), limit: 1 << 20 }),
        (Some(&message(&ok, 11, &[0; 11])), LinkError::TooLarge { what: body, bytes: 11, limit: 10 }),
        (Some(&message(&ok, 10, &[0; 9])), framing(body, "ends early")),
        (Some(&message(&ok, 9, &[0; 10])), framing(body, "goes on after its end")),
        (Some(&head), framing(body, "ends early")),
        (Some(&[]), framing(reply, "ends early")),
        (None, LinkError::Abandoned { reason: "for a reason that this version does not know" }),
    ];
    for (bytes, error) in cases {
        assert_eq!(reply_error(bytes).await, error, "{bytes:?}");
    }
    let malformed = reply_error(Some(&[1, 0, 0, 0, 99])).await;
    assert!(matches!(malformed, LinkError::Malformed { what: "reply", .. }), "{malformed}");
}

#[tokio::test]
async fn a_stream_on_which_nothing_moves_is_given_up() {
    let raw = raw_worker().await;
    let raw_peer = connect(&raw._cluster.credentials, Role::Worker, &[ALPN], raw._cluster.address(), Role::Scheduler).await;
    let connection = raw_peer.expect("connects");
    let (mut send, mut recv) = connection.open_bi().await.expect("opens");
    send.write_all(HELLO).await.expect("writes");
    recv.read_exact(&mut [0; 5]).await.expect("answers");
    // The other side never sends on this stream again.
    let waited = Duration::from_millis(20);
    let mut reader = Reader::with_patience(recv, waited);
    match reader.frame::<Request>("request", 100).await {
        Err(Failure::Link(error)) => assert_eq!(error, LinkError::Stalled { what: "request", waited }),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn streams_under_way_are_bounded() {
    let raw = raw_worker().await;
    let mut streams = Vec::new();
    loop {
        match pin!(raw.connection.open_bi()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(stream) => streams.push(stream.expect("opens")),
            Poll::Pending => break,
        }
        assert!(streams.len() < 10_000, "streams have no bound");
    }
    assert_eq!(streams.len(), 255);
    let uni = pin!(raw.connection.open_uni()).poll(&mut Context::from_waker(Waker::noop())).is_pending();
    assert!(uni, "there are no unidirectional streams in the protocol");
}

#[tokio::test]
async fn a_wrong_first_message_is_sent_away() {
    let cluster = Cluster::new();
    let connection =
        connect(&cluster.credentials, Role::Worker, &[ALPN], cluster.address(), Role::Scheduler).await.expect("connects");
    let (mut send, _recv) = connection.open_bi().await.expect("opens");
    send.write_all(&[1, 0, 0, 0, 1]).await.expect("writes");
    let ConnectionError::ApplicationClosed(close) = connection.closed().await else { panic!("not sent away") };
    assert_eq!(close.error_code, VarInt::from_u32(1));
}

#[tokio::test]
async fn peers_that_connect_and_say_nothing_hold_up_nobody() {
    let cluster = Cluster::new();
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(
            connect(&cluster.credentials, Role::Worker, &[ALPN], cluster.address(), Role::Scheduler).await.expect("connects"),
        );
    }
    // Nor does one that sends no QUIC at all.
    let noise = std::net::UdpSocket::bind(ANY).expect("binds");
    for len in [0, 1, 20, 1_200, 1_472] {
        noise.send_to(&vec![0xc3; len], cluster.address()).expect("sends");
    }
    let dialer = cluster.dialer(Role::Client);
    let (dialled, accepted) = tokio::join!(dialer.dial::<(), ()>(cluster.address(), Role::Scheduler), cluster.listener.accept());
    assert_eq!(accepted.expect("listens").identity().role, Role::Client);
    assert_eq!(dialled.expect("dials").peer.identity().role, Role::Scheduler);
}
