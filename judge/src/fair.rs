//! Who is next: a queue that shares a number of places fairly between identities, and between the sessions of one.
//!
//! Pure: knows neither threads, processes nor clocks. Time that a job took comes with [`FairQueue::ended`]. It is start-time
//! fair queuing with the time that was really used as the charge: a client that was idle begins at the least of those who are
//! not, so it has neither credit nor debt.
//!
//! A session may take a second place only while another one stays free, so that whoever comes new begins at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Idle identities and sessions whose use is remembered.
const REMEMBERED_MAX: usize = 4_096;

/// Who asks: what a peer proved to be, and its connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asker {
    /// The identity of its certificate.
    pub identity: Arc<str>,
    /// Its connection, or whatever tells two of its parts from each other.
    pub session: u64,
}

impl Asker {
    /// A part of somebody.
    pub fn new(identity: impl Into<Arc<str>>, session: u64) -> Asker {
        Asker { identity: identity.into(), session }
    }
}

/// What an identity or a session has running and has used.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    running: usize,
    waiting: usize,
    /// Microseconds, counted from where it began.
    used_us: u64,
}

/// Jobs of several clients that wait for a place. `J` names a job.
#[derive(Debug)]
pub struct FairQueue<J> {
    places: usize,
    running: usize,
    identities: BTreeMap<Arc<str>, Account>,
    sessions: BTreeMap<Asker, (Account, VecDeque<J>)>,
    /// The least use of an identity, and of a session, when one was last chosen.
    floors: (u64, u64),
}

impl<J: PartialEq> FairQueue<J> {
    /// A queue for so many places.
    ///
    /// # Panics
    /// When there are none.
    pub fn new(places: usize) -> FairQueue<J> {
        assert!(places > 0, "a queue has a place");
        FairQueue { places, running: 0, identities: BTreeMap::new(), sessions: BTreeMap::new(), floors: (0, 0) }
    }

    /// Lets a job wait.
    pub fn push(&mut self, asker: &Asker, job: J) {
        let identity = self.identities.entry(Arc::clone(&asker.identity)).or_default();
        begin(identity, self.floors.0);
        identity.waiting += 1;
        let (session, jobs) = self.sessions.entry(asker.clone()).or_default();
        begin(session, self.floors.1);
        session.waiting += 1;
        jobs.push_back(job);
    }

    /// Takes the next job that may begin now.
    pub fn next(&mut self) -> Option<(Asker, J)> {
        if self.running >= self.places {
            return None;
        }
        let leaves_one_free = self.running + 1 < self.places;
        let waiting = self.sessions.iter().filter(|(_, (session, _))| session.waiting > 0);
        let may_begin = waiting.filter(|(_, (session, _))| session.running == 0 || leaves_one_free);
        let of = |asker: &Asker| self.identities.get(&asker.identity).copied().unwrap_or_default();
        let best = may_begin.min_by_key(|(asker, (session, _))| {
            let identity = of(asker);
            (identity.running, identity.used_us, session.running, session.used_us, *asker)
        });
        let asker = best?.0.clone();
        self.floors.0 = self.floors.0.max(of(&asker).used_us);
        let (session, jobs) = self.sessions.get_mut(&asker)?;
        self.floors.1 = self.floors.1.max(session.used_us);
        let job = jobs.pop_front()?;
        (session.waiting, session.running) = (session.waiting - 1, session.running + 1);
        if let Some(identity) = self.identities.get_mut(&asker.identity) {
            (identity.waiting, identity.running) = (identity.waiting - 1, identity.running + 1);
        }
        self.running += 1;
        Some((asker, job))
    }

    /// A job that was taken has ended.
    ///
    /// # Panics
    /// When none of that client's was taken.
    pub fn ended(&mut self, asker: &Asker, used_us: u64) {
        assert!(self.running > 0, "what ends was taken");
        self.running -= 1;
        let session = self.sessions.get_mut(asker).map(|(session, _)| session);
        for account in [self.identities.get_mut(&asker.identity), session] {
            let account = account.expect("who has a job running is remembered");
            account.running -= 1;
            account.used_us = account.used_us.saturating_add(used_us);
        }
        self.forget();
    }

    /// Takes a waiting job out; whether it was there.
    pub fn remove(&mut self, asker: &Asker, job: &J) -> bool {
        let Some((session, jobs)) = self.sessions.get_mut(asker) else { return false };
        let Some(at) = jobs.iter().position(|waiting| waiting == job) else { return false };
        jobs.remove(at);
        session.waiting -= 1;
        if let Some(identity) = self.identities.get_mut(&asker.identity) {
            identity.waiting -= 1;
        }
        self.forget();
        true
    }

    /// Jobs that were taken and have not ended.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Jobs that wait.
    pub fn waiting(&self) -> usize {
        self.identities.values().map(|identity| identity.waiting).sum()
    }

    /// Forgets those who are idle and owe nothing; of those who do, the least, while there are too many.
    fn forget(&mut self) {
        let (identity_floor, session_floor) = self.floors;
        let is_idle = |account: &Account| account.running == 0 && account.waiting == 0;
        self.identities.retain(|_, identity| !is_idle(identity) || identity.used_us > identity_floor);
        self.sessions.retain(|_, (session, _)| !is_idle(session) || session.used_us > session_floor);
        while self.sessions.len() > REMEMBERED_MAX {
            let idle = self.sessions.iter().filter(|(_, (session, _))| is_idle(session));
            let Some(least) = idle.min_by_key(|(_, (session, _))| session.used_us).map(|(asker, _)| asker.clone()) else { break };
            self.sessions.remove(&least);
        }
        while self.identities.len() > REMEMBERED_MAX {
            let idle = self.identities.iter().filter(|(_, identity)| is_idle(identity));
            let Some(least) = idle.min_by_key(|(_, identity)| identity.used_us).map(|(name, _)| Arc::clone(name)) else { break };
            self.identities.remove(&least);
        }
    }
}

/// Whoever was idle begins where the others are.
fn begin(account: &mut Account, floor: u64) {
    if account.running == 0 && account.waiting == 0 {
        account.used_us = account.used_us.max(floor);
    }
}

#[cfg(test)]
mod tests;
