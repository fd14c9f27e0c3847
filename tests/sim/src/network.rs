//! The network between workers: how long bytes take.
//!
//! Two models, named as in Estee (Beránek, Böhm, Cima, "Analysis of workflow schedulers in simulated distributed
//! environments", 2022): *simple*, each transfer has a link of its own; *max-min*, transfers share each worker's way
//! up and down fairly.

use std::collections::{BTreeMap, BTreeSet};
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::ids::WorkerId;

/// How transfers share the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetModel {
    /// Each has the bandwidth of its slower end, however many there are.
    Simple,
    /// They share each end's bandwidth, as fairly as can be.
    MaxMin,
}

/// Names a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowId(pub u64);

#[derive(Debug)]
struct Flow {
    from: WorkerId,
    to: WorkerId,
    left: f64,
    /// Bytes a microsecond.
    rate: f64,
}

/// Transfers that go on.
#[derive(Debug)]
pub struct Network {
    model: NetModel,
    /// Bytes a second, of ends that have no entry in `ends`.
    bandwidth: u64,
    ends: BTreeMap<WorkerId, u64>,
    flows: BTreeMap<FlowId, Flow>,
    next: u64,
    as_of: Time,
    is_changed: bool,
    /// Bytes that went from each end since that was last asked.
    given: BTreeMap<WorkerId, f64>,
    /// Ends from which a transfer began or ended since then.
    givers: BTreeSet<WorkerId>,
}

impl Network {
    /// A network whose every end has this bandwidth, in bytes a second, each way.
    pub fn new(model: NetModel, bandwidth: u64) -> Network {
        Network {
            model,
            bandwidth,
            ends: BTreeMap::new(),
            flows: BTreeMap::new(),
            next: 0,
            as_of: Time(0),
            is_changed: false,
            given: BTreeMap::new(),
            givers: BTreeSet::new(),
        }
    }

    /// Gives one end a bandwidth of its own.
    pub fn set_bandwidth(&mut self, end: WorkerId, bandwidth: u64) {
        self.ends.insert(end, bandwidth);
    }

    fn rate_of(&self, end: WorkerId) -> f64 {
        self.ends.get(&end).copied().unwrap_or(self.bandwidth).max(1) as f64 / 1e6
    }

    /// Starts a transfer.
    pub fn start(&mut self, now: Time, from: WorkerId, to: WorkerId, bytes: u64) -> FlowId {
        self.advance(now);
        let id = FlowId(self.next);
        self.next += 1;
        let rate = self.rate_of(from).min(self.rate_of(to));
        self.flows.insert(id, Flow { from, to, left: bytes as f64, rate });
        self.is_changed = true;
        self.givers.insert(from);
        id
    }

    /// Stops a transfer.
    pub fn stop(&mut self, now: Time, flow: FlowId) {
        self.advance(now);
        if let Some(stopped) = self.flows.remove(&flow) {
            self.is_changed = true;
            self.givers.insert(stopped.from);
        }
    }

    fn advance(&mut self, now: Time) {
        let passed = now.since(self.as_of).0 as f64;
        self.as_of = self.as_of.max(now);
        if passed > 0.0 {
            for flow in self.flows.values_mut() {
                flow.left -= flow.rate * passed;
                *self.given.entry(flow.from).or_default() += flow.rate * passed;
            }
        }
    }

    /// Transfers that have ended by now.
    pub fn ended(&mut self, now: Time) -> Vec<FlowId> {
        self.advance(now);
        // Time has whole microseconds; what a rounding leaves is less than a microsecond's bytes.
        let ended: Vec<FlowId> = self.flows.iter().filter(|(_, flow)| flow.left <= flow.rate * 1e-3).map(|(id, _)| *id).collect();
        self.givers.extend(ended.iter().filter_map(|flow| self.flows.remove(flow)).map(|flow| flow.from));
        self.is_changed |= !ended.is_empty();
        ended
    }

    /// Ends from which transfers began or ended since this was asked: bytes that went from them since then, and how many
    /// transfers go on.
    pub fn take_givers(&mut self) -> Vec<(WorkerId, u64, u32)> {
        let givers = std::mem::take(&mut self.givers);
        let of = |giver: WorkerId| {
            let going_on = self.flows.values().filter(|flow| flow.from == giver).count() as u32;
            (giver, self.given.remove(&giver).unwrap_or(0.0) as u64, going_on)
        };
        givers.into_iter().map(of).collect()
    }

    /// When the next transfer ends if no other starts.
    pub fn next_end(&mut self, now: Time) -> Option<Time> {
        self.advance(now);
        if std::mem::take(&mut self.is_changed) && self.model == NetModel::MaxMin {
            self.share();
        }
        let soonest = self.flows.values().map(|flow| (flow.left.max(0.0) / flow.rate).ceil() as u64).min()?;
        Some(Time(now.0.saturating_add(soonest.max(1))))
    }

    /// Progressive filling: the tightest end shares what it has among its flows; they are settled, and so on
    /// (Bertsekas, Gallager, "Data networks", 1992, section 6.5).
    fn share(&mut self) {
        // (end, is it the way up) → (bytes a microsecond left, flows not settled)
        let mut ways: BTreeMap<(WorkerId, bool), (f64, u32)> = BTreeMap::new();
        for flow in self.flows.values() {
            for way in [(flow.from, true), (flow.to, false)] {
                ways.entry(way).or_insert((self.rate_of(way.0), 0)).1 += 1;
            }
        }
        let mut open: Vec<FlowId> = self.flows.keys().copied().collect();
        while !open.is_empty() {
            let part = |(left, count): &(f64, u32)| left / f64::from(*count);
            let tightest = ways.iter().filter(|(_, way)| way.1 > 0).min_by(|a, b| part(a.1).total_cmp(&part(b.1)));
            let Some((way, share)) = tightest.map(|(way, values)| (*way, part(values).max(1e-9))) else { return };
            open.retain(|id| {
                let flow = self.flows.get_mut(id).expect("open flows go on");
                if way != (flow.from, true) && way != (flow.to, false) {
                    return true;
                }
                flow.rate = share;
                for side in [(flow.from, true), (flow.to, false)] {
                    let entry = ways.get_mut(&side).expect("every flow's ways were counted");
                    *entry = (entry.0 - share, entry.1 - 1);
                }
                false
            });
        }
    }
}
