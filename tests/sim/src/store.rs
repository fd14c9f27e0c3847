//! A worker's results in the simulation: in memory, and the oldest on a virtual disk when there are too many, as
//! `worker/src/store.rs` and `worker/src/spiller.rs` have it. A disk may be full, and one that failed once is not used again.

use crate::work::VALUE_BYTES;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_worker_core::ResultId;

/// Smaller results stay in memory.
const SPILL_BYTES_MIN: u64 = 64 << 10;

/// How much room there is.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Results go to disk when more bytes of them are in memory.
    pub spill_above: u64,
    /// With more bytes of results in memory the machine ends the process.
    pub memory_max: u64,
    /// Bytes a second that the disk gives and takes.
    pub disk_rate: u64,
}

impl Room {
    /// Everything fits.
    pub const ENDLESS: Room = Room { spill_above: u64::MAX, memory_max: u64::MAX, disk_rate: u64::MAX };
}

/// A result.
#[derive(Debug)]
pub struct Stored {
    /// What stands for it.
    pub value: Bytes,
    /// Its graph.
    pub graph: GraphId,
    /// Its task.
    pub task: TaskIndex,
    /// The bytes of it that are here.
    pub bytes: u64,
    /// Whether all its parts are here.
    pub is_whole: bool,
    /// It can be neither read nor given away any more.
    pub is_lost: bool,
    /// It is on disk.
    pub is_spilled: bool,
}

/// The results of a worker.
#[derive(Debug)]
pub struct Store {
    values: BTreeMap<ResultId, Stored>,
    room: Room,
    memory_bytes: u64,
    /// The oldest first; may name what is gone.
    spillable: VecDeque<ResultId>,
    is_disk_full: bool,
    has_disk_failed: bool,
    /// Bytes that are here, and the most that ever were.
    pub live_bytes: (u64, u64),
    /// Results that were written to disk, and how long each took, since the last look.
    pub newly_spilled: Vec<(ResultId, Duration)>,
}

impl Store {
    /// An empty store.
    pub fn new(room: Room) -> Store {
        Store {
            values: BTreeMap::new(),
            room,
            memory_bytes: 0,
            spillable: VecDeque::new(),
            is_disk_full: false,
            has_disk_failed: false,
            live_bytes: (0, 0),
            newly_spilled: Vec::new(),
        }
    }

    /// A result.
    pub fn get(&self, id: ResultId) -> Option<&Stored> {
        self.values.get(&id)
    }

    /// Keeps a result.
    pub fn insert(&mut self, id: ResultId, stored: Stored) {
        if stored.bytes >= SPILL_BYTES_MIN {
            self.spillable.push_back(id);
        }
        let bytes = stored.bytes;
        self.values.insert(id, stored);
        self.add(bytes);
    }

    /// More of a result came.
    pub fn grow(&mut self, id: ResultId, bytes: u64) {
        let Some(stored) = self.values.get_mut(&id) else { return };
        stored.bytes += bytes;
        if stored.is_spilled {
            self.count(bytes);
        } else {
            self.add(bytes);
        }
    }

    fn count(&mut self, bytes: u64) {
        self.live_bytes.0 += bytes;
        self.live_bytes.1 = self.live_bytes.1.max(self.live_bytes.0);
    }

    fn add(&mut self, bytes: u64) {
        self.count(bytes);
        self.memory_bytes += bytes;
        while self.memory_bytes > self.room.spill_above && !self.has_disk_failed {
            let Some(oldest) = self.spillable.pop_front() else { return };
            let Some(stored) = self.values.get_mut(&oldest).filter(|stored| !stored.is_spilled) else { continue };
            if self.is_disk_full {
                self.has_disk_failed = true;
                return;
            }
            stored.is_spilled = true;
            self.memory_bytes -= stored.bytes;
            self.newly_spilled.push((oldest, Duration(disk_micros(stored.bytes, &self.room))));
        }
    }

    /// Lets a result go.
    pub fn remove(&mut self, id: ResultId) -> Option<Stored> {
        let stored = self.values.remove(&id)?;
        self.live_bytes.0 -= stored.bytes;
        if !stored.is_spilled {
            self.memory_bytes -= stored.bytes;
        }
        Some(stored)
    }

    /// Microseconds until a result can be read.
    pub fn read_micros(&self, id: ResultId) -> u64 {
        let spilled = self.values.get(&id).filter(|stored| stored.is_spilled);
        spilled.map_or(0, |stored| disk_micros(stored.bytes, &self.room))
    }

    /// From now on nothing can be written, or it can again. What failed once is not tried again.
    pub fn set_disk_full(&mut self, is_full: bool) {
        self.is_disk_full = is_full;
    }

    /// Bytes in memory.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Whether the machine has no memory left for the process.
    pub fn is_out_of_memory(&self) -> bool {
        self.memory_bytes > self.room.memory_max
    }

    /// All results.
    pub fn iter(&self) -> impl Iterator<Item = &Stored> {
        self.values.values()
    }

    /// Makes one of the results unreadable.
    pub fn lose_one(&mut self, at: u64) -> bool {
        let count = self.values.len().max(1);
        match self.values.values_mut().nth(at as usize % count) {
            Some(stored) => !std::mem::replace(&mut stored.is_lost, true),
            None => false,
        }
    }
}

impl Stored {
    /// What a peer that asks for it gets.
    pub fn serve(&self) -> Option<Bytes> {
        (!self.is_lost).then(|| self.value.slice(..VALUE_BYTES))
    }
}

/// How long so many bytes take to disk or from there.
fn disk_micros(bytes: u64, room: &Room) -> u64 {
    (bytes as f64 * 1e6 / room.disk_rate as f64) as u64
}
