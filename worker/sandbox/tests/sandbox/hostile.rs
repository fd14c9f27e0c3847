//! Every function of the hostile guest (`guest-examples/hostile`), each with what must come of it.

use crate::support::{BUMP, Case, array, call, err, guest, guest_in, int, module_text, ok, string, text};
use bytes::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use wasm_tasks_protocol::limits::LOG_BYTES_MAX;
use wasm_tasks_protocol::value_type::Step;
use wasm_tasks_protocol::{ComponentDigest, ErrorCode, Value};
use wasm_tasks_sandbox::{
    CancelFlag, Component, Engine, EngineSettings, Function, Limits, Profile, Resolve, ResolveError, Resolved,
};

fn hostile() -> Arc<Component> {
    guest("hostile")
}

fn function(export: &str) -> Function {
    hostile().function(export).unwrap()
}

fn limits() -> Limits {
    Limits { wall: Duration::from_secs(60), ..Limits::default() }
}

fn timed_out(export: &str) -> wasm_tasks_sandbox::Outcome {
    let start = Instant::now();
    let outcome =
        Case { limits: Limits { wall: Duration::from_millis(50), ..limits() }, ..Case::default() }.run(&function(export));
    let error = outcome.result.as_ref().unwrap_err();
    assert_eq!(error.code, ErrorCode::Timeout, "{error}");
    assert!(error.message.contains("50 ms") && error.message.contains("timeout-ms"), "{error}");
    // Generous, for machines that are busy; a task that is not stopped never ends.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    outcome
}

#[test]
fn trap() {
    let error = err(call(&hostile(), "trap", &[]));
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(!error.backtrace.is_empty() && error.backtrace.len() <= 20, "{error:?}");
    assert!(error.memory_peak_bytes > 0);
}

#[test]
fn panic() {
    let error = err(call(&hostile(), "panic", &[string("so be it")]));
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(error.stderr_tail.contains("so be it"), "{error:?}");
    assert!(!error.backtrace.is_empty());
}

#[test]
fn out_of_bounds() {
    let error = err(call(&hostile(), "out-of-bounds", &[]));
    assert_eq!(error.code, ErrorCode::Trap);
    assert!(error.message.contains("out of bounds"), "{error}");
}

#[test]
fn spin() {
    timed_out("spin");
}

#[test]
fn spin_ends_when_it_is_cancelled() {
    // The guest asks for randomness, whose seed resolves the argument again; then it spins. The
    // flag is raised while that host call runs, so that only interruption can end the guest.
    let component = text(
        r#"(component
  (import "wasi:random/random@0.2.0" (instance $r (export "get-random-u64" (func (result u64)))))
  (core func $random (canon lower (func $r "get-random-u64")))
  (core module $m (import "h" "random" (func $random (result i64)))
    (func (export "f") (param i64) (drop (call $random)) (loop $again (br $again))))
  (core instance $i (instantiate $m (with "h" (instance (export "random" (func $random))))))
  (func (export "f") (param "n" u64) (canon lift (core func $i "f"))))"#,
    );
    let cancel = CancelFlag::new();
    let resolve = Raising { cancel: &cancel, at: 2, asked: AtomicUsize::new(0) };
    let case = Case { args: &references(1), resolve: &resolve, ..Case::default() };
    let outcome = case.run_cancellable(&component.function("f").unwrap(), &cancel);
    assert_eq!(err(outcome).code, ErrorCode::Cancelled);
    assert!(resolve.asked.into_inner() >= 2, "the guest never ran");
}

/// Answers each reference with 7, and cancels the call at one of them.
struct Raising<'a> {
    cancel: &'a CancelFlag,
    at: usize,
    asked: AtomicUsize,
}

impl Resolve for Raising<'_> {
    fn task(&self, _: u32, _: &[Step<'_>]) -> Result<Resolved<'_>, ResolveError> {
        if self.asked.fetch_add(1, Ordering::Relaxed) + 1 == self.at {
            self.cancel.cancel();
        }
        Ok(Resolved::Value(&[7]))
    }

    fn data(&self, _: u32) -> Result<Resolved<'_>, ResolveError> {
        unreachable!("the arguments name tasks only")
    }
}

/// An array of references to the first task.
fn references(len: usize) -> Vec<u8> {
    Value::Array(vec![Value::Ext(1, vec![0]); len]).to_msgpack()
}

#[test]
fn lowering_ends_when_it_is_cancelled() {
    const LATE_MAX: usize = 1_024;
    let core = format!("{BUMP} (func (export \"f\") (param i32 i32))");
    let component = text(&module_text("", "(param \"n\" (list u64))", 2, &core, "utf8"));
    for at in [1, 700, 1_500, 2_999] {
        let cancel = CancelFlag::new();
        let resolve = Raising { cancel: &cancel, at, asked: AtomicUsize::new(0) };
        let list = references(5_000);
        let args = [&[0x91][..], &list].concat();
        let case = Case { args: &args, resolve: &resolve, ..Case::default() };
        let error = err(case.run_cancellable(&component.function("f").unwrap(), &cancel));
        assert_eq!(error.code, ErrorCode::Cancelled, "{error}");
        let asked = resolve.asked.into_inner();
        assert!((at..=at + LATE_MAX).contains(&asked), "cancelled at {at}, went on to {asked}");
    }
}

#[test]
fn idle_slots_keep_a_share_of_the_memory() {
    for slots in [1, 2, 8, 64, 4_096] {
        for memory_bytes in [0, 1 << 20, 1 << 30, 2 << 30, 64 << 30, 1 << 40] {
            let settings = EngineSettings { slots, memory_bytes, ..EngineSettings::default() };
            assert!(settings.kept_bytes_max() <= memory_bytes / 4, "{slots} slots, {memory_bytes} bytes");
        }
    }
    let roomy = EngineSettings { slots: 16, ..EngineSettings::default() };
    assert!(roomy.kept_bytes_max() > 1 << 30, "what is kept makes the next task quick");
}

/// A task with every memory that a component may have does not keep others from running.
#[test]
fn memories_of_a_task_leave_room_for_a_neighbour() {
    const SLOTS: usize = 4;
    let memories: String =
        (0..7).map(|at| format!("(core module $n{at} (memory 1)) (core instance (instantiate $n{at}))")).collect();
    let core = format!("{BUMP} (func (export \"f\") (param i64))");
    let settings = EngineSettings { slots: SLOTS, ..EngineSettings::default() };
    let engine = Engine::new(settings).unwrap();
    let bytes = Bytes::from(wat::parse_str(module_text(&memories, "(param \"n\" u64)", 1, &core, "utf8")).unwrap());
    let many = engine.load(ComponentDigest::of(&bytes), || Some(bytes.clone()), Profile::Plain).unwrap();
    let function = many.function("f").unwrap();
    // Each call waits, with its instance made, until all of them have theirs.
    let meeting = Meeting(Barrier::new(SLOTS));
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..SLOTS)
            .map(|_| scope.spawn(|| Case { args: &references(1), resolve: &meeting, ..Case::default() }.run(&function)))
            .collect();
        for call in calls {
            ok(call.join().unwrap());
        }
    });
}

/// Answers a reference when all calls have asked.
struct Meeting(Barrier);

impl Resolve for Meeting {
    fn task(&self, _: u32, _: &[Step<'_>]) -> Result<Resolved<'_>, ResolveError> {
        self.0.wait();
        Ok(Resolved::Value(&[7]))
    }

    fn data(&self, _: u32) -> Result<Resolved<'_>, ResolveError> {
        unreachable!("the arguments name tasks only")
    }
}

#[test]
fn spin_ends_when_its_fuel_is_used_up() {
    let metered = guest_in("hostile", Profile::Metered).function("spin").unwrap();
    let case = Case { limits: Limits { fuel: Some(100_000), ..limits() }, ..Case::default() };
    let outcome = case.run(&metered);
    let error = err(outcome.clone());
    assert_eq!((error.code, error.fuel_used), (ErrorCode::OutOfFuel, Some(100_000)));
    assert_eq!(outcome.fuel_used, Some(100_000));
    // A fuel limit in the engine that does not count is refused, not ignored.
    assert_eq!(err(case.run(&function("spin"))).code, ErrorCode::WorkerFault);
}

#[test]
fn fuel_is_the_same_each_time() {
    let print = guest_in("hostile", Profile::Metered).function("print").unwrap();
    let case = Case { args: &array(&[int(5000)]), limits: Limits { fuel: Some(u64::MAX), ..limits() }, ..Case::default() };
    let used: Vec<_> = (0..3).map(|_| case.run(&print).fuel_used.unwrap()).collect();
    assert!(used[0] > 0 && used.iter().all(|fuel| *fuel == used[0]), "{used:?}");
}

#[test]
fn memory_bomb() {
    let case = Case { limits: Limits { memory_bytes: 32 << 20, ..limits() }, ..Case::default() };
    let error = err(case.run(&function("memory-bomb")));
    assert_eq!(error.code, ErrorCode::OutOfMemory, "{error}");
    assert!(error.message.contains("32 MiB"), "{error}");
    assert!((20 << 20..=32 << 20).contains(&error.memory_peak_bytes), "{error:?}");
}

#[test]
fn allocate() {
    let args = array(&[int(8)]);
    let case = Case { args: &args, limits: Limits { memory_bytes: 16 << 20, ..limits() }, ..Case::default() };
    let outcome = case.run(&function("allocate"));
    assert!(outcome.memory_peak_bytes >= 8 << 20);
    assert_eq!(ok(outcome), int(8 << 20));
    let tight = Case { limits: Limits { memory_bytes: 4 << 20, ..limits() }, ..case };
    assert_eq!(err(tight.run(&function("allocate"))).code, ErrorCode::OutOfMemory);
    // Less than the memory that the component starts with.
    let tiny = Case { limits: Limits { memory_bytes: 1 << 16, ..limits() }, ..case };
    assert_eq!(err(tiny.run(&function("allocate"))).code, ErrorCode::OutOfMemory);
}

#[test]
fn stack_overflow() {
    let error = err(call(&hostile(), "stack-overflow", &[]));
    assert_eq!(error.code, ErrorCode::StackOverflow);
    assert!(error.backtrace.len() <= 20);
}

#[test]
fn giant_result() {
    let args = array(&[int(1 << 20)]);
    let small = Case { args: &args, limits: Limits { result_bytes_max: 1 << 16, ..limits() }, ..Case::default() };
    let error = err(small.run(&function("giant-result")));
    assert_eq!(error.code, ErrorCode::ResultTooLarge);
    assert!(error.message.contains("65536"), "{error}");
    assert_eq!(ok(Case { args: &args, ..Case::default() }.run(&function("giant-result"))), Value::Bin(vec![b'g'; 1 << 20]));
}

#[test]
fn lying_result() {
    let error = err(call(&hostile(), "lying-result", &[]));
    assert_eq!(error.code, ErrorCode::BadResult);
    assert!(error.message.contains("outside the memory"), "{error}");
}

#[test]
fn sleep_ms() {
    let start = Instant::now();
    // An hour and a half of virtual time takes no time.
    let slept = ok(call(&hostile(), "sleep-ms", &[int(5_400_000)]));
    assert!(matches!(slept, Value::Uint(ms) if (5_400_000..5_400_010).contains(&ms)), "{slept:?}");
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn sleep_forever() {
    timed_out("sleep-forever");
}

#[test]
fn print_forever() {
    let outcome = timed_out("print-forever");
    assert!(outcome.logs_truncated);
    assert!(outcome.stdout.starts_with(b"[") && outcome.stdout.len() <= LOG_BYTES_MAX + 64, "{}", outcome.stdout.len());
    assert!(outcome.stderr.is_empty());
}

#[test]
fn complain_forever() {
    let outcome = timed_out("complain-forever");
    assert!(outcome.stderr.ends_with(b"still unhappy\n") || outcome.stderr.len() > 100);
    assert!(outcome.result.unwrap_err().stderr_tail.contains("still unhappy"));
}

#[test]
fn print() {
    let outcome = call(&hostile(), "print", &[int(1_000)]);
    assert_eq!((outcome.stdout, outcome.logs_truncated), (vec![b'x'; 1_000], false));
    let outcome = call(&hostile(), "print", &[int(100_000)]);
    let note = format!("[{} earlier bytes were dropped]\n", 100_000 - LOG_BYTES_MAX);
    let expected = [note.as_bytes(), &vec![b'x'; LOG_BYTES_MAX]].concat();
    assert!(outcome.logs_truncated && outcome.stdout == expected, "{:?}", String::from_utf8_lossy(&outcome.stdout[..60]));
}

#[test]
fn fail() {
    let error = err(call(&hostile(), "fail", &[string("no")]));
    assert_eq!((error.code, error.message.as_str()), (ErrorCode::GuestError, "no"));
    assert_eq!(error.value, Some(string("no").to_msgpack()));
}

#[test]
fn exit_with() {
    for code in [0, 3] {
        let error = err(call(&hostile(), "exit-with", &[int(code)]));
        assert_eq!(error.code, ErrorCode::Exit, "{error}");
        assert!(error.message.contains("instead of returning"), "{error}");
    }
}

#[test]
fn read_stdin() {
    assert_eq!(ok(call(&hostile(), "read-stdin", &[])), Value::Bin(vec![]));
}

#[test]
fn environment() {
    assert_eq!(ok(call(&hostile(), "environment", &[])), Value::Array(vec![]));
}

#[test]
fn arguments() {
    let Value::Array(arguments) = ok(call(&hostile(), "arguments", &[])) else { panic!("no list") };
    assert!(arguments.is_empty(), "{arguments:?}");
}

/// The guest is told no, as by any host without the right; its own error fails the task.
fn denied(export: &str, argument: &str) {
    let error = err(call(&hostile(), export, &[string(argument)]));
    assert!(matches!(error.code, ErrorCode::GuestError | ErrorCode::GrantDenied), "{error}");
    println!("{export}: {error}");
}

#[test]
fn read_file() {
    denied("read-file", "/etc/passwd");
}

#[test]
fn write_file() {
    let path = std::env::temp_dir().join("written-by-a-task");
    denied("write-file", path.to_str().unwrap());
    assert!(!path.exists());
}

#[test]
fn list_folder() {
    denied("list-folder", "/");
}

#[test]
fn connect_tcp() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    denied("connect-tcp", &listener.local_addr().unwrap().to_string());
    assert!(listener.accept().is_err(), "a task reached the network");
}

#[test]
fn listen_tcp() {
    denied("listen-tcp", "127.0.0.1:0");
}

#[test]
fn send_datagram() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    denied("send-datagram", &socket.local_addr().unwrap().to_string());
    assert!(socket.recv(&mut [0; 9]).is_err(), "a task reached the network");
}

#[test]
fn look_up() {
    denied("look-up", "localhost");
}

#[test]
fn count() {
    for _ in 0..3 {
        assert_eq!(ok(call(&hostile(), "count", &[])), int(1), "every task has a fresh instance");
    }
}

#[test]
fn hoard_handles() {
    assert_eq!(ok(call(&hostile(), "hoard-handles", &[int(100)])), Value::Nil);
    let error = err(call(&hostile(), "hoard-handles", &[int(100_000)]));
    assert_eq!(error.code, ErrorCode::LimitExceeded, "{error}");
    assert!(error.message.contains("handles"), "{error}");
}

/// The clocks and random numbers of the guest are tested in `surroundings.rs`; every other export here, by its name.
#[test]
fn every_hostile_function_has_a_test() {
    let here = include_str!("hostile.rs");
    let surroundings = include_str!("surroundings.rs");
    for export in hostile().exports() {
        let test = format!("fn {}()", export.replace('-', "_"));
        assert!(here.contains(&test) || surroundings.contains(&test), "no test `{test}` for the export `{export}`");
    }
}
