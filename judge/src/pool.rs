//! The judging processes that run, the jobs that wait, and the failures that are remembered.
//!
//! A job is known by its work and its component's digest: whoever asks for one that waits or runs waits for the same. A job
//! that nobody waits for any more is taken out of the queue, or its process is killed.

use crate::budget::{Budgets, Work};
use crate::failure::Failure;
use crate::fair::{Asker, FairQueue};
use crate::process::{self, Note, Program};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Instant;
use tokio::sync::oneshot;
use wasm_tasks_protocol::ComponentDigest;

/// Failures that are remembered; the oldest go first.
const FAILURES_MAX: usize = 4_096;

type Key = (Work, ComponentDigest);
type Outcome = Result<Bytes, Failure>;

/// Judging processes. Clones are the same pool.
#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: Program,
    budgets: Budgets,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: FairQueue<u64>,
    jobs: BTreeMap<u64, Job>,
    by_key: BTreeMap<Key, u64>,
    failures: Failures,
    /// Numbers of jobs and of those who wait.
    next: u64,
}

#[derive(Debug)]
struct Job {
    key: Key,
    asker: Asker,
    component: Bytes,
    waiters: Vec<(u64, oneshot::Sender<Outcome>)>,
    /// Leads to the thread that runs it.
    stop: Option<mpsc::Sender<Note>>,
}

/// The last failures that would be the same again.
#[derive(Debug, Default)]
struct Failures {
    by_key: BTreeMap<Key, Failure>,
    order: VecDeque<Key>,
}

impl Failures {
    fn remember(&mut self, key: Key, failure: Failure) {
        if self.by_key.insert(key, failure).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > FAILURES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_key.remove(&oldest);
        }
    }
}

/// Waits for an outcome. Dropping it says that it is not wanted.
#[derive(Debug)]
pub(crate) struct Ticket {
    pool: Pool,
    job: u64,
    waiter: u64,
    outcome: oneshot::Receiver<Outcome>,
}

impl Pool {
    pub(crate) fn new(program: Program, budgets: Budgets, places: usize) -> Pool {
        // What this process inherited without being told so must not be inherited further.
        #[cfg(target_os = "linux")]
        close_fds::set_fds_cloexec_threadsafe(3, &[]);
        let state = State {
            queue: FairQueue::new(places),
            jobs: BTreeMap::new(),
            by_key: BTreeMap::new(),
            failures: Failures::default(),
            next: 0,
        };
        Pool(Arc::new(Shared { program, budgets, state: Mutex::new(state) }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The failure that is remembered of a component.
    pub(crate) fn failure(&self, work: Work, digest: ComponentDigest) -> Option<Failure> {
        self.lock().failures.by_key.get(&(work, digest)).cloned()
    }

    /// Asks for a component to be judged.
    pub(crate) fn ask(&self, asker: &Asker, work: Work, digest: ComponentDigest, component: Bytes) -> Ticket {
        let (sender, outcome) = oneshot::channel();
        let mut state = self.lock();
        let key = (work, digest);
        state.next += 2;
        let (waiter, new) = (state.next, state.next + 1);
        if let Some(failure) = state.failures.by_key.get(&key) {
            // The receiver is right here.
            let _ = sender.send(Err(failure.clone()));
            return Ticket { pool: self.clone(), job: new, waiter, outcome };
        }
        let job = *state.by_key.entry(key).or_insert(new);
        if let Some(known) = state.jobs.get_mut(&job) {
            known.waiters.push((waiter, sender));
        } else {
            let waiters = vec![(waiter, sender)];
            state.jobs.insert(job, Job { key, asker: asker.clone(), component, waiters, stop: None });
            state.queue.push(asker, job);
        }
        self.start(&mut state);
        drop(state);
        Ticket { pool: self.clone(), job, waiter, outcome }
    }

    /// Begins what has a place.
    fn start(&self, state: &mut State) {
        while let Some((asker, number)) = state.queue.next() {
            let (note, notes) = mpsc::channel();
            let Some(job) = state.jobs.get_mut(&number) else {
                state.queue.ended(&asker, 0);
                continue;
            };
            job.stop = Some(note.clone());
            let (pool, key, component) = (self.clone(), job.key, job.component.clone());
            let running = std::thread::Builder::new().name("judge".to_owned()).stack_size(256 << 10).spawn(move || {
                let began = Instant::now();
                let budget = pool.0.budgets.of(key.0, component.len());
                let ended = process::run(&pool.0.program, key.0, budget, &component, &note, &notes);
                pool.end(number, &asker, began, ended.map(Bytes::from));
            });
            if let Err(error) = running {
                let failure = Failure::Host(format!("no thread can be started: {error}"));
                let Some(job) = state.jobs.remove(&number) else { continue };
                state.by_key.remove(&job.key);
                state.queue.ended(&job.asker, 0);
                tell(job, &Err(failure));
            }
        }
    }

    fn end(&self, number: u64, asker: &Asker, began: Instant, ended: Result<Bytes, Option<Failure>>) {
        let mut state = self.lock();
        state.queue.ended(asker, began.elapsed().as_micros() as u64);
        if let Some(job) = state.jobs.remove(&number) {
            if state.by_key.get(&job.key) == Some(&number) {
                state.by_key.remove(&job.key);
            }
            let stopped = || Failure::Host("it was stopped".to_owned());
            let outcome = ended.map_err(|failure| failure.unwrap_or_else(stopped));
            if let Err(failure) = &outcome
                && failure.is_lasting()
            {
                tracing::warn!(digest = %job.key.1, %failure, code = failure.code().as_str(), "a component was refused");
                state.failures.remember(job.key, failure.clone());
            }
            tell(job, &outcome);
        }
        self.start(&mut state);
    }

    /// Somebody does not wait any more.
    fn withdraw(&self, number: u64, waiter: u64) {
        let mut state = self.lock();
        let Some(job) = state.jobs.get_mut(&number) else { return };
        job.waiters.retain(|(other, _)| *other != waiter);
        if !job.waiters.is_empty() {
            return;
        }
        let (key, asker, stop) = (job.key, job.asker.clone(), job.stop.clone());
        // Whoever asks from now on begins anew.
        if state.by_key.get(&key) == Some(&number) {
            state.by_key.remove(&key);
        }
        match stop {
            // Its thread may just have ended.
            Some(stop) => drop(stop.send(Note::Stop)),
            None => {
                state.queue.remove(&asker, &number);
                state.jobs.remove(&number);
            }
        }
    }
}

fn tell(job: Job, outcome: &Outcome) {
    for (_, waiter) in job.waiters {
        // Whoever is gone wants nothing.
        let _ = waiter.send(outcome.clone());
    }
}

fn ended() -> Failure {
    Failure::Host("the judge ended".to_owned())
}

impl Ticket {
    /// Waits.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        (&mut self.outcome).await.unwrap_or_else(|_| Err(ended()))
    }

    /// Waits on this thread.
    pub(crate) fn outcome_blocking(&mut self) -> Outcome {
        // Taken out, because waiting takes the receiver: what stays behind says that it is not wanted when it is dropped.
        let outcome = std::mem::replace(&mut self.outcome, oneshot::channel().1);
        outcome.blocking_recv().unwrap_or_else(|_| Err(ended()))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pool.withdraw(self.job, self.waiter);
    }
}
