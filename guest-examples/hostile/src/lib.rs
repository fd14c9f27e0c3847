//! What a task must not be able to do, each as an exported function. The sandbox's tests name every one.
//!
//! Nothing here is a bug: traps, endless loops and reads outside memory are meant.

mod memory;
mod reach;
mod surroundings;

wit_bindgen::generate!({ path: "../../wit/examples", world: "hostile" });

use std::io::Write;
use std::time::{Duration, Instant};

struct Hostile;

impl Guest for Hostile {
    fn trap() {
        core::arch::wasm32::unreachable()
    }

    fn panic(message: String) {
        panic!("{message}");
    }

    fn out_of_bounds() -> u8 {
        memory::read_outside()
    }

    fn spin() {
        loop {
            std::hint::black_box(0);
        }
    }

    fn memory_bomb() {
        memory::allocate_without_end()
    }

    fn allocate(mib: u32) -> u64 {
        memory::allocate(mib)
    }

    fn stack_overflow() -> u64 {
        memory::recurse(std::hint::black_box(0))
    }

    fn giant_result(len: u32) -> Vec<u8> {
        vec![b'g'; len as usize]
    }

    fn lying_result() -> Vec<u8> {
        memory::list_outside()
    }

    fn sleep_ms(ms: u64) -> u64 {
        let start = Instant::now();
        std::thread::sleep(Duration::from_millis(ms));
        start.elapsed().as_millis() as u64
    }

    fn sleep_forever() {
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    }

    fn print_forever() {
        let mut out = std::io::stdout();
        loop {
            // Refused output does not stop it.
            let _ = out.write_all(b"still here\n");
        }
    }

    fn complain_forever() {
        let mut err = std::io::stderr();
        loop {
            let _ = err.write_all(b"still unhappy\n");
        }
    }

    fn print(len: u32) {
        let mut out = std::io::stdout();
        let chunk = [b'x'; 4096];
        let mut left = len as usize;
        while left > 0 {
            let take = left.min(chunk.len());
            let _ = out.write_all(&chunk[..take]);
            left -= take;
        }
        let _ = out.flush();
    }

    fn fail(message: String) -> Result<u32, String> {
        Err(message)
    }

    fn exit_with(code: u8) {
        std::process::exit(i32::from(code))
    }

    fn read_stdin() -> Vec<u8> {
        surroundings::stdin()
    }

    fn wall_clock() -> u64 {
        surroundings::wall_clock_ns()
    }

    fn monotonic_clock() -> u64 {
        surroundings::monotonic_clock_ns()
    }

    fn random_bytes(len: u32) -> Vec<u8> {
        surroundings::random(len)
    }

    fn insecure_random_bytes(len: u32) -> Vec<u8> {
        surroundings::insecure_random(len)
    }

    fn environment() -> Vec<(String, String)> {
        std::env::vars().collect()
    }

    fn arguments() -> Vec<String> {
        std::env::args().collect()
    }

    fn read_file(path: String) -> Result<Vec<u8>, String> {
        reach::read_file(&path)
    }

    fn write_file(path: String) -> Result<(), String> {
        reach::write_file(&path)
    }

    fn list_folder(path: String) -> Result<Vec<String>, String> {
        reach::list_folder(&path)
    }

    fn connect_tcp(address: String) -> Result<(), String> {
        reach::connect(&address)
    }

    fn listen_tcp(address: String) -> Result<(), String> {
        reach::listen(&address)
    }

    fn send_datagram(address: String) -> Result<(), String> {
        reach::send_datagram(&address)
    }

    fn look_up(host: String) -> Result<Vec<String>, String> {
        reach::look_up(&host)
    }

    fn count() -> u32 {
        surroundings::count()
    }

    fn hoard_handles(n: u32) {
        surroundings::hoard_handles(n)
    }
}

export!(Hostile);
