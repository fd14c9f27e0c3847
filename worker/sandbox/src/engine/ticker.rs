//! The thread that makes time pass for running guests: one tick a millisecond while any runs, asleep otherwise.

use super::EngineError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::Duration;
use wasmtime::EngineWeak;

const TICK: Duration = Duration::from_millis(1);
/// Ticks without a running task before the thread goes to sleep, so that a stream of short tasks does not wake it each time.
const IDLE_TICKS: u32 = 50;

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
    stop: AtomicBool,
    engines: Mutex<Vec<EngineWeak>>,
}

/// A task that runs; ticks go on until it is dropped.
pub(crate) struct Running<'t>(&'t Ticker);

impl Ticker {
    pub(super) fn start() -> Result<Ticker, EngineError> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let handle = std::thread::Builder::new()
            .name("wasm-ticker".to_owned())
            .spawn(move || run(&theirs))
            .map_err(|error| EngineError::Ticker(error.to_string()))?;
        Ok(Ticker { shared, thread: handle.thread().clone() })
    }

    pub(super) fn add(&self, engine: EngineWeak) {
        self.shared.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine);
    }

    pub(super) fn enter(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        // The thread looks at `running` after it says that it sleeps, so one of both sees the other.
        if self.shared.asleep.load(Ordering::SeqCst) && self.shared.asleep.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(self)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn run(shared: &Shared) {
    let mut idle = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        if shared.running.load(Ordering::SeqCst) > 0 {
            idle = 0;
        } else {
            idle += 1;
            if idle > IDLE_TICKS {
                shared.asleep.store(true, Ordering::SeqCst);
                if shared.running.load(Ordering::SeqCst) == 0 && !shared.stop.load(Ordering::SeqCst) {
                    std::thread::park();
                }
                shared.asleep.store(false, Ordering::SeqCst);
                idle = 0;
                continue;
            }
        }
        std::thread::sleep(TICK);
        let mut engines = shared.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.retain(|engine| engine.upgrade().map(|engine| engine.increment_epoch()).is_some());
    }
}
