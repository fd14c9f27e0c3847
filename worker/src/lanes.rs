//! The threads that run tasks, one for each lane that the core uses.
//!
//! A lane gets runs of jobs and gives back what became of them. Thread and shell meet in one lock a job, which nobody else
//! wants at that moment, and wake each other as rarely as they can: the shell is woken when a lane has too little left,
//! or has said nothing for two milliseconds; the thread only when it had nothing to do. A job may follow others of its lane: the
//! thread gives it their results itself (see `links`).

use crate::job::{Completion, Job};
use crate::links::{Links, RunLinks};
use crate::runner::{Runner, STACK_BYTES};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use wasm_tasks_worker_core::{AttemptId, Ended, LaneId, Outcome};

/// A thread that has ended jobs says so at the latest when one of them ends this long after it last did.
const REPORT_EVERY: Duration = Duration::from_millis(2);

/// What the shell and a lane's thread share.
struct Shared<R: Runner> {
    state: Mutex<State<R>>,
    /// Wakes the thread.
    work: Condvar,
    /// Wakes the shell.
    shell: Arc<Notify>,
}

struct State<R: Runner> {
    queue: VecDeque<Job<R>>,
    done: Vec<Completion>,
    /// Results that jobs in the queue wait for.
    links: Links,
    current: Option<(AttemptId, Arc<R::Cancel>)>,
    /// Whether the current flag was raised, so that the next job needs another.
    is_flag_raised: bool,
    /// The shell wants to hear when no more than this many jobs are left.
    report_at: usize,
    has_reported: bool,
    /// The shell was told that what is done should be taken.
    is_due: bool,
    is_closing: bool,
}

impl<R: Runner> State<R> {
    /// Wakes the shell, which takes what is done.
    fn report(&mut self, shell: &Notify) {
        self.is_due = true;
        shell.notify_one();
    }
}

impl<R: Runner> Shared<R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lane<R: Runner> {
    shared: Arc<Shared<R>>,
    thread: JoinHandle<()>,
}

/// All lanes of a worker.
pub(crate) struct Lanes<R: Runner> {
    runner: Arc<R>,
    shell: Arc<Notify>,
    name: String,
    lanes: Vec<Option<Lane<R>>>,
}

impl<R: Runner> Lanes<R> {
    /// No threads yet: a lane's starts with its first job.
    pub(crate) fn new(runner: Arc<R>, shell: Arc<Notify>, name: String) -> Lanes<R> {
        Lanes { runner, shell, name, lanes: Vec::new() }
    }

    /// Hands a run to a lane.
    ///
    /// # Errors
    /// What the system says when the lane's thread cannot be started, with the jobs.
    pub(crate) fn execute(
        &mut self,
        lane: LaneId,
        run: Vec<Job<R>>,
        report_at: u32,
    ) -> Result<(), (std::io::Error, Vec<Job<R>>)> {
        let shared = match self.lane(lane) {
            Ok(shared) => shared,
            Err(error) => return Err((error, run)),
        };
        let run_links = RunLinks::of(&run);
        let mut state = shared.lock();
        let was_idle = state.queue.is_empty() && state.current.is_none();
        let State { done, links, .. } = &mut *state;
        links.extend(run_links, done);
        state.queue.extend(run);
        state.report_at = report_at as usize;
        state.has_reported = false;
        drop(state);
        if was_idle {
            shared.work.notify_one();
        }
        Ok(())
    }

    fn lane(&mut self, id: LaneId) -> std::io::Result<&Shared<R>> {
        let at = id.0 as usize;
        if self.lanes.len() <= at {
            self.lanes.resize_with(at + 1, || None);
        }
        if self.lanes[at].is_none() {
            let state = State {
                queue: VecDeque::new(),
                done: Vec::new(),
                links: Links::default(),
                current: None,
                is_flag_raised: false,
                report_at: 0,
                has_reported: false,
                is_due: false,
                is_closing: false,
            };
            let shared = Arc::new(Shared { state: Mutex::new(state), work: Condvar::new(), shell: Arc::clone(&self.shell) });
            let (runner, theirs) = (Arc::clone(&self.runner), Arc::clone(&shared));
            let thread = std::thread::Builder::new()
                .name(format!("{}-{at}", self.name))
                .stack_size(STACK_BYTES)
                .spawn(move || work(&*runner, &theirs))?;
            self.lanes[at] = Some(Lane { shared, thread });
        }
        Ok(&self.lanes[at].as_ref().expect("the lane was started right here").shared)
    }

    fn started(&self, id: LaneId) -> Option<&Shared<R>> {
        self.lanes.get(id.0 as usize)?.as_ref().map(|lane| &*lane.shared)
    }

    /// Stops a job: the running one by its flag, a waiting one by taking it out of the queue.
    pub(crate) fn interrupt(&self, lane: LaneId, id: AttemptId) {
        let Some(shared) = self.started(lane) else { return };
        let mut state = shared.lock();
        if let Some((_, cancel)) = state.current.as_ref().filter(|(current, _)| *current == id) {
            R::cancel(cancel);
            state.is_flag_raised = true;
        } else if let Some(at) = state.queue.iter().position(|job| job.id == id) {
            let job = state.queue.remove(at);
            job.iter().flat_map(|job| &job.follows).for_each(|(_, maker)| drop(state.links.take(*maker)));
            state.done.push(not_run(id));
            state.report(&shared.shell);
        }
    }

    /// Takes back what a lane has not begun.
    pub(crate) fn recall(&self, lane: LaneId) {
        let Some(shared) = self.started(lane) else { return };
        let mut state = shared.lock();
        let State { queue, done, links, .. } = &mut *state;
        *links = Links::default();
        done.extend(queue.drain(..).map(|job| not_run(job.id)));
        state.report(&shared.shell);
    }

    /// Takes what lanes have ended, of those that said it is time, or of all. Whatever else woke the shell would otherwise make
    /// it report two or three tasks at a time, and a report costs as much as ten of them.
    pub(crate) fn drain(&self, of_all: bool, mut each: impl FnMut(LaneId, Vec<Completion>)) {
        for (id, lane) in (0u32..).map(LaneId).zip(&self.lanes) {
            let Some(lane) = lane else { continue };
            let mut state = lane.shared.lock();
            let is_due = std::mem::take(&mut state.is_due);
            let done = if is_due || of_all { std::mem::take(&mut state.done) } else { Vec::new() };
            drop(state);
            if !done.is_empty() {
                each(id, done);
            }
        }
    }

    /// Stops everything and waits for the threads. Blocks until the running calls have ended.
    pub(crate) fn close(mut self) {
        self.stop();
        for lane in std::mem::take(&mut self.lanes).into_iter().flatten() {
            if lane.thread.join().is_err() {
                tracing::error!("a thread that runs tasks ended with a panic");
            }
        }
    }

    /// Tells every thread to end, and running calls to stop.
    fn stop(&self) {
        for lane in self.lanes.iter().flatten() {
            let mut state = lane.shared.lock();
            state.is_closing = true;
            state.queue.clear();
            state.links = Links::default();
            if let Some((_, cancel)) = &state.current {
                R::cancel(cancel);
            }
            lane.shared.work.notify_one();
        }
    }
}

/// A worker whose runtime is dropped leaves no threads behind.
impl<R: Runner> Drop for Lanes<R> {
    fn drop(&mut self) {
        self.stop();
    }
}

fn not_run(id: AttemptId) -> Completion {
    Completion { ended: Ended { id, outcome: Outcome::NotRun }, logs: None }
}

/// A lane's thread.
fn work<R: Runner>(runner: &R, shared: &Shared<R>) {
    let mut cancel = Arc::new(R::Cancel::default());
    let mut last_report = Instant::now();
    let mut ended: Option<Completion> = None;
    loop {
        let job = {
            let mut state = shared.lock();
            if let Some(ended) = ended.take() {
                state.links.made(&ended);
                state.done.push(ended);
            }
            state.current = None;
            if state.is_closing {
                return;
            }
            let left = state.queue.len();
            let is_due = left == 0 || (left <= state.report_at && !state.has_reported) || last_report.elapsed() >= REPORT_EVERY;
            if is_due && !state.done.is_empty() {
                state.has_reported |= left <= state.report_at;
                last_report = Instant::now();
                state.report(&shared.shell);
            }
            loop {
                if let Some(mut job) = state.queue.pop_front() {
                    if !state.links.fill(&mut job) {
                        state.done.push(not_run(job.id));
                        state.report(&shared.shell);
                        continue;
                    }
                    if std::mem::take(&mut state.is_flag_raised) {
                        cancel = Arc::new(R::Cancel::default());
                    }
                    state.current = Some((job.id, Arc::clone(&cancel)));
                    break job;
                }
                state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                if state.is_closing {
                    return;
                }
            }
        };
        ended = Some(job.run(runner, &cancel));
    }
}
