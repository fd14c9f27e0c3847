//! Results that a lane's thread hands from one job to the next, before anybody else has them.
//!
//! Knows nothing of threads: a lane keeps it under its lock. Empty, and free of cost, where nothing follows anything.

use crate::job::{Completion, Job};
use crate::runner::Runner;
use crate::store::Value;
use bytes::Bytes;
use std::collections::VecDeque;
use wasm_tasks_worker_core::AttemptId;

/// The result of an attempt that jobs in the queue use.
#[derive(Debug)]
struct Link {
    maker: AttemptId,
    /// Inputs of jobs in the queue that it will be.
    uses: u32,
    value: Option<Bytes>,
}

/// In the order in which they are made and used, so that what is looked for is found near the front.
#[derive(Default)]
pub(crate) struct Links {
    list: VecDeque<Link>,
}

/// The links of a run that is about to come to the queue, found before the lane's lock is taken.
#[derive(Debug, Default)]
pub(crate) struct RunLinks {
    /// To results that the run itself makes.
    inside: Vec<Link>,
    /// What makes the others, one entry a use.
    outside: Vec<AttemptId>,
}

impl RunLinks {
    pub(crate) fn of<R: Runner>(run: &[Job<R>]) -> RunLinks {
        let mut links = RunLinks::default();
        // How many links inside there were when each job had its own: those to its result are behind.
        let mut links_at = Vec::with_capacity(run.len());
        for (at, job) in run.iter().enumerate() {
            for (_, maker) in &job.follows {
                // Most jobs follow the one right before.
                let Some(position) = run[..at].iter().rposition(|job| job.id == *maker) else {
                    links.outside.push(*maker);
                    continue;
                };
                match links.inside[links_at[position]..].iter_mut().find(|link| link.maker == *maker) {
                    Some(link) => link.uses += 1,
                    None => links.inside.push(Link { maker: *maker, uses: 1, value: None }),
                }
            }
            links_at.push(links.inside.len());
        }
        links
    }
}

impl Links {
    /// A run comes to the queue. What is made outside of it is made by attempts before it: those that are still to end, or one of `done`.
    pub(crate) fn extend(&mut self, run: RunLinks, done: &[Completion]) {
        run.outside.into_iter().for_each(|maker| self.want(maker, done));
        self.list.extend(run.inside);
    }

    fn want(&mut self, maker: AttemptId, done: &[Completion]) {
        if let Some(link) = self.list.iter_mut().rev().find(|link| link.maker == maker) {
            link.uses += 1;
            return;
        }
        let value = done.iter().rev().find(|ended| ended.ended.id == maker).and_then(Completion::value).cloned();
        self.list.push_back(Link { maker, uses: 1, value });
    }

    /// An attempt of the lane ended.
    pub(crate) fn made(&mut self, completion: &Completion) {
        if let Some(link) = self.list.iter_mut().find(|link| link.maker == completion.ended.id) {
            link.value = completion.value().cloned();
        }
    }

    /// A use ends. Returns the result, if there is one.
    pub(crate) fn take(&mut self, maker: AttemptId) -> Option<Bytes> {
        let at = self.list.iter().position(|link| link.maker == maker)?;
        let link = &mut self.list[at];
        link.uses -= 1;
        let value = link.value.clone();
        if link.uses == 0 {
            self.list.remove(at);
        }
        value
    }

    /// Gives a job the inputs that it follows. Returns whether all of them were made.
    pub(crate) fn fill<R: Runner>(&mut self, job: &mut Job<R>) -> bool {
        let mut is_complete = true;
        for (at, maker) in std::mem::take(&mut job.follows) {
            match self.take(maker) {
                Some(bytes) => job.inputs[at].1 = Value::Memory(bytes),
                None => is_complete = false,
            }
        }
        is_complete
    }
}
