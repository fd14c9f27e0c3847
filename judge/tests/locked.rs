//! What a process that locked itself down still can do. There is no way back for such a process, and it may not even write
//! its outcome to a file, so it is a process of its own, which speaks through pipes.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use wasm_tasks_judge::Budget;

/// Set for the process that locks itself down.
const LOCKED: &str = "WASM_TASKS_TEST_LOCKED";

#[test]
fn nothing_beyond_its_memory_is_left() {
    if std::env::var_os(LOCKED).is_some() {
        return locked();
    }
    let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
    command.args(["--exact", "nothing_beyond_its_memory_is_left", "--nocapture"]).env(LOCKED, "1");
    let ended = command.stdin(Stdio::null()).output().expect("it runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ended.status.success(), "{}: {}{}", ended.status, said(&ended.stdout), said(&ended.stderr));
    assert!(said(&ended.stdout).contains("1 passed"), "it ran: {}", said(&ended.stdout));
}

fn locked() {
    // In the target folder and under one name: nothing can be removed afterwards.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join("locked-secret");
    fs::write(&file, "a secret").expect("writable so far");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port so far");
    let address = listener.local_addr().expect("an address");
    let budget = Budget { memory_bytes: 256 << 20, cpu: Duration::from_secs(60), wall: Duration::from_secs(60), niceness: 1 };
    wasm_tasks_judge::lock_down(&budget).expect("this system can lock down");

    let denied = |what: &str, result: Result<(), std::io::Error>| {
        let error = result.expect_err(what);
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what}: {error}");
    };
    denied("reading", fs::read(&file).map(drop));
    denied("writing", fs::write(folder.join("new"), "x"));
    denied("removing", fs::remove_file(&file));
    denied("renaming", fs::rename(&file, folder.join("other")));
    denied("listing", fs::read_dir("/proc").map(drop));
    denied("connecting", TcpStream::connect(address).map(drop));
    denied("listening", TcpListener::bind("127.0.0.1:0").map(drop));
    denied("sending", UdpSocket::bind("127.0.0.1:0").map(drop));
    denied("a pair of sockets", UnixStream::pair().map(drop));
    denied("running", Command::new("/bin/true").spawn().map(drop));
    denied("accepting", listener.accept().map(drop));
    // Threads have the same lot, and can be had.
    let thread = std::thread::spawn(move || fs::read(&file).map(drop));
    denied("reading in a thread", thread.join().expect("a thread"));
    assert!(Vec::<u8>::new().try_reserve_exact(64 << 20).is_ok(), "memory within the budget");
    assert!(Vec::<u8>::new().try_reserve_exact(512 << 20).is_err(), "memory beyond the budget");
}
