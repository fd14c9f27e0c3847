//! Checks that run at once: so many places, shared fairly between clients and between the sessions of one.
//!
//! A check of a graph may take seconds and a few times the graph's size in memory. Who checks holds a [`Permit`]; who waits for
//! something else (a component that is judged, a client) holds none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::oneshot;
use wasm_tasks_judge::Asker;
use wasm_tasks_judge::fair::FairQueue;

/// Places for checks. Clones are the same places.
#[derive(Clone, Debug)]
pub(crate) struct Checks(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    queue: FairQueue<u64>,
    waiting: HashMap<u64, oneshot::Sender<Permit>>,
    next: u64,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    checks: Checks,
    asker: Asker,
    began: Instant,
}

/// Somebody who waits. Dropping it takes the wish back.
struct Waiting {
    checks: Checks,
    asker: Asker,
    number: u64,
}

impl Checks {
    pub(crate) fn new(places: usize) -> Checks {
        Checks(Arc::new(Mutex::new(State { queue: FairQueue::new(places), waiting: HashMap::new(), next: 0 })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place.
    pub(crate) async fn acquire(&self, asker: &Asker) -> Permit {
        let (granted, wait) = oneshot::channel();
        let waiting = {
            let mut state = self.lock();
            state.next += 1;
            let number = state.next;
            state.waiting.insert(number, granted);
            state.queue.push(asker, number);
            Waiting { checks: self.clone(), asker: asker.clone(), number }
        };
        self.grant();
        let permit = wait.await.expect("who waits is granted a place or takes its wish back");
        drop(waiting);
        permit
    }

    /// Hands out the places that are free.
    fn grant(&self) {
        loop {
            let (granted, permit) = {
                let mut state = self.lock();
                let Some((asker, number)) = state.queue.next() else { return };
                let Some(granted) = state.waiting.remove(&number) else {
                    state.queue.ended(&asker, 0);
                    continue;
                };
                (granted, Permit { checks: self.clone(), asker, began: Instant::now() })
            };
            // Who went meanwhile gives the place back by dropping it.
            drop(granted.send(permit));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let used_us = self.began.elapsed().as_micros() as u64;
        self.checks.lock().queue.ended(&self.asker, used_us);
        self.checks.grant();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.checks.lock();
        state.waiting.remove(&self.number);
        state.queue.remove(&self.asker, &self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clients that flood hold all places but one; a third has it at once, and whoever goes while waiting leaves no trace.
    #[tokio::test]
    async fn floods_leave_a_place_and_leavers_no_trace() {
        let checks = Checks::new(3);
        let (a, b, c) = (Asker::new("a", 1), Asker::new("b", 2), Asker::new("c", 3));
        let (first, second) = (checks.acquire(&a).await, checks.acquire(&b).await);
        let flood: Vec<_> = (0..20)
            .map(|at| {
                let (checks, asker) = (checks.clone(), if at % 2 == 0 { a.clone() } else { b.clone() });
                tokio::spawn(async move { drop(checks.acquire(&asker).await) })
            })
            .collect();
        while checks.lock().queue.waiting() < 20 {
            tokio::task::yield_now().await;
        }
        let third = checks.acquire(&c).await;
        flood.iter().for_each(tokio::task::JoinHandle::abort);
        for one in flood {
            assert!(one.await.is_err_and(|error| error.is_cancelled()));
        }
        drop((first, second, third));
        let state = checks.lock();
        assert_eq!((state.queue.running(), state.queue.waiting(), state.waiting.len()), (0, 0, 0));
    }
}
