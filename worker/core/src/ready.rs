//! Ready attempts in queues by the shape of what they need, and how much of the worker is taken.
//!
//! Knows nothing of lanes: see `dispatch`.

use crate::AttemptId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use wasm_tasks_protocol::graph::{Resource, Settings};
use wasm_tasks_protocol::message::Priority;

/// A position in the table of shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShapeId(u32);

impl ShapeId {
    /// One slot and nothing else: attempts of this shape travel in runs.
    pub(crate) const DEFAULT: ShapeId = ShapeId(0);

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What an attempt takes from the worker while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    pub(crate) slots_milli: u64,
    /// Declared memory; tasks that declare none are not counted.
    pub(crate) memory_bytes: u64,
    /// Positions of pools, and thousandths of them.
    pub(crate) pools: Vec<(u32, u64)>,
}

/// A set of resources: slots, memory, and each pool; pools beyond the 62nd share a bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceSet(u64);

impl ResourceSet {
    pub(crate) const NONE: ResourceSet = ResourceSet(0);
    pub(crate) const A_SLOT: ResourceSet = ResourceSet(ResourceSet::SLOTS);
    const SLOTS: u64 = 1;
    const MEMORY: u64 = 2;

    const fn pool(position: u32) -> u64 {
        4 << if position < 61 { position } else { 61 }
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn meets(self, other: ResourceSet) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn with(self, other: ResourceSet) -> ResourceSet {
        ResourceSet(self.0 | other.0)
    }
}

impl Shape {
    /// Everything that it takes some of.
    pub(crate) fn uses(&self) -> ResourceSet {
        let mut bits = if self.slots_milli > 0 { ResourceSet::SLOTS } else { 0 };
        bits |= if self.memory_bytes > 0 { ResourceSet::MEMORY } else { 0 };
        ResourceSet(self.pools.iter().fold(bits, |bits, (pool, _)| bits | ResourceSet::pool(*pool)))
    }
}

/// The worker's resources, and how much of them is taken.
#[derive(Debug)]
pub(crate) struct Resources {
    pools: Vec<Resource>,
    total: Shape,
    used: Shape,
}

impl Resources {
    pub(crate) fn new(slots: u32, memory_bytes: u64, pools: Vec<Resource>) -> Resources {
        let amounts = |of: fn(&Resource) -> u64| (0u32..).zip(&pools).map(|(at, pool)| (at, of(pool))).collect();
        let total = Shape { slots_milli: u64::from(slots) * 1_000, memory_bytes, pools: amounts(|pool| pool.milli) };
        let used = Shape { slots_milli: 0, memory_bytes: 0, pools: amounts(|_| 0) };
        Resources { total, used, pools }
    }

    /// The shape that settings ask for.
    ///
    /// # Errors
    /// What the worker does not have, for people.
    pub(crate) fn shape(&self, settings: &Settings) -> Result<Shape, String> {
        let memory_bytes = if settings.memory_declared { settings.memory_bytes } else { 0 };
        let mut shape = Shape { slots_milli: settings.slots_milli, memory_bytes, pools: Vec::new() };
        if shape.slots_milli > self.total.slots_milli {
            return Err(format!("{} slots; the worker has {}", milli(shape.slots_milli), milli(self.total.slots_milli)));
        }
        if memory_bytes > self.total.memory_bytes {
            return Err(format!("{memory_bytes} bytes of memory; the worker has {}", self.total.memory_bytes));
        }
        for wanted in settings.pools.iter().filter(|wanted| wanted.milli > 0) {
            let at = self.pools.iter().position(|pool| pool.name == wanted.name);
            let supply = at.map_or(0, |at| self.pools[at].milli);
            match at {
                Some(at) if wanted.milli <= supply => shape.pools.push((at as u32, wanted.milli)),
                _ => return Err(format!("{} of `{}`; the worker has {}", milli(wanted.milli), wanted.name, milli(supply))),
            }
        }
        Ok(shape)
    }

    /// What there is too little of right now.
    pub(crate) fn lacking(&self, shape: &Shape) -> ResourceSet {
        let mut bits = 0;
        if self.used.slots_milli + shape.slots_milli > self.total.slots_milli {
            bits |= ResourceSet::SLOTS;
        }
        if self.used.memory_bytes + shape.memory_bytes > self.total.memory_bytes {
            bits |= ResourceSet::MEMORY;
        }
        for (pool, amount) in &shape.pools {
            let at = *pool as usize;
            if self.used.pools[at].1 + amount > self.total.pools[at].1 {
                bits |= ResourceSet::pool(*pool);
            }
        }
        ResourceSet(bits)
    }

    /// What there is too little of for a shape, for people; empty when it fits.
    pub(crate) fn describe_lacking(&self, shape: &Shape) -> String {
        let mut lacking = Vec::new();
        let mut compare = |wanted: u64, used: u64, total: u64, write: &dyn Fn(u64) -> String, what: &str| {
            if used + wanted > total {
                lacking.push(format!("needs {} {what}, and {} of {} are taken", write(wanted), write(used), write(total)));
            }
        };
        compare(shape.slots_milli, self.used.slots_milli, self.total.slots_milli, &milli, "slots");
        compare(
            shape.memory_bytes,
            self.used.memory_bytes,
            self.total.memory_bytes,
            &|bytes| bytes.to_string(),
            "bytes of memory",
        );
        for (pool, wanted) in &shape.pools {
            let at = *pool as usize;
            compare(*wanted, self.used.pools[at].1, self.total.pools[at].1, &milli, &format!("of `{}`", self.pools[at].name));
        }
        lacking.join("; ")
    }

    pub(crate) fn take(&mut self, shape: &Shape) {
        assert!(self.lacking(shape).is_empty(), "resources were checked before they are taken");
        self.used.slots_milli += shape.slots_milli;
        self.used.memory_bytes += shape.memory_bytes;
        shape.pools.iter().for_each(|(pool, amount)| self.used.pools[*pool as usize].1 += amount);
    }

    pub(crate) fn give_back(&mut self, shape: &Shape) {
        self.used.slots_milli -= shape.slots_milli;
        self.used.memory_bytes -= shape.memory_bytes;
        shape.pools.iter().for_each(|(pool, amount)| self.used.pools[*pool as usize].1 -= amount);
    }

    pub(crate) const fn used(&self) -> &Shape {
        &self.used
    }
}

fn milli(amount: u64) -> String {
    (amount as f64 / 1_000.0).to_string()
}

struct Queue {
    shape: Shape,
    /// May name attempts that are not ready any more.
    heap: BinaryHeap<Reverse<(Priority, AttemptId)>>,
    /// Attempts in it that are ready.
    ready: u32,
    /// Settings of graphs and busy lanes that name it; when there are none its place is vacant.
    uses: u32,
}

impl Queue {
    fn new(shape: Shape, uses: u32) -> Queue {
        Queue { shape, heap: BinaryHeap::new(), ready: 0, uses }
    }
}

/// Ready attempts by shape.
pub(crate) struct ReadyQueues {
    queues: Vec<Queue>,
    by_shape: BTreeMap<Shape, ShapeId>,
    vacant: Vec<ShapeId>,
    /// Shapes with ready attempts, in no order.
    open: Vec<ShapeId>,
    ready: u32,
}

impl ReadyQueues {
    pub(crate) fn new() -> ReadyQueues {
        let shape = Shape { slots_milli: 1_000, ..Shape::default() };
        let by_shape = BTreeMap::from([(shape.clone(), ShapeId::DEFAULT)]);
        // The default shape is always there.
        ReadyQueues { queues: vec![Queue::new(shape, 1)], by_shape, vacant: Vec::new(), open: Vec::new(), ready: 0 }
    }

    /// The id of a shape, made when it is new, for one more use: see [`ReadyQueues::let_go`].
    pub(crate) fn intern(&mut self, shape: Shape) -> ShapeId {
        if let Some(known) = self.by_shape.get(&shape).copied() {
            self.hold(known);
            return known;
        }
        let queue = Queue::new(shape.clone(), 1);
        let id = match self.vacant.pop() {
            Some(vacant) => {
                self.queues[vacant.index()] = queue;
                vacant
            }
            None => {
                self.queues.push(queue);
                ShapeId(self.queues.len() as u32 - 1)
            }
        };
        self.by_shape.insert(shape, id);
        id
    }

    /// One more use of a shape that is known.
    pub(crate) fn hold(&mut self, shape: ShapeId) {
        self.queues[shape.index()].uses += 1;
    }

    /// Ends one use of a shape. Nothing is ready of it after the last.
    pub(crate) fn let_go(&mut self, shape: ShapeId) {
        let queue = &mut self.queues[shape.index()];
        queue.uses -= 1;
        if queue.uses == 0 {
            assert!(queue.ready == 0, "attempts go before their graph's settings do");
            queue.heap = BinaryHeap::new();
            self.by_shape.remove(&queue.shape);
            self.vacant.push(shape);
        }
    }

    pub(crate) fn shape(&self, shape: ShapeId) -> &Shape {
        &self.queues[shape.index()].shape
    }

    /// Ready attempts of a shape.
    pub(crate) fn len(&self, shape: ShapeId) -> u32 {
        self.queues[shape.index()].ready
    }

    /// Ready attempts of all shapes.
    pub(crate) const fn total(&self) -> u32 {
        self.ready
    }

    /// Shapes with ready attempts, in no order.
    pub(crate) fn open(&self) -> &[ShapeId] {
        &self.open
    }

    /// What must hold after every event: `used` has an entry for each use, `ready` one for each ready attempt.
    ///
    /// # Panics
    /// When it does not hold.
    pub(crate) fn check(&self, used: impl Iterator<Item = ShapeId>, ready: impl Iterator<Item = ShapeId>) {
        let (mut uses, mut counts) = (vec![0; self.queues.len()], vec![0; self.queues.len()]);
        std::iter::once(ShapeId::DEFAULT).chain(used).for_each(|shape| uses[shape.index()] += 1);
        ready.for_each(|shape| counts[shape.index()] += 1);
        assert_eq!(self.ready, counts.iter().sum::<u32>(), "ready attempts are counted");
        for (at, queue) in (0..).map(ShapeId).zip(&self.queues) {
            assert_eq!(queue.uses, uses[at.index()], "uses of a shape are counted");
            assert_eq!(queue.ready, counts[at.index()], "ready attempts of a shape are counted");
            assert_eq!(self.open.contains(&at), queue.ready > 0, "shapes with ready attempts are listed");
            assert_eq!(self.by_shape.get(&queue.shape) == Some(&at), queue.uses > 0, "shapes in use are found");
            assert_eq!(self.vacant.contains(&at), queue.uses == 0, "the others' places are vacant");
        }
    }

    pub(crate) fn push(&mut self, shape: ShapeId, priority: Priority, id: AttemptId) {
        let queue = &mut self.queues[shape.index()];
        queue.heap.push(Reverse((priority, id)));
        queue.ready += 1;
        self.ready += 1;
        if queue.ready == 1 {
            self.open.push(shape);
        }
    }

    /// One of the queue's attempts is not ready any more; its place in the queue is found stale later.
    pub(crate) fn withdraw(&mut self, shape: ShapeId) {
        let queue = &mut self.queues[shape.index()];
        queue.ready -= 1;
        self.ready -= 1;
        if queue.ready == 0 {
            queue.heap.clear();
            let at = self.open.iter().position(|open| *open == shape).expect("it had a ready attempt");
            self.open.swap_remove(at);
        }
    }

    /// The best attempt of a shape; `is_ready` tells stale places from live ones.
    pub(crate) fn peek(&mut self, shape: ShapeId, is_ready: impl Fn(AttemptId) -> bool) -> Option<(Priority, AttemptId)> {
        let queue = &mut self.queues[shape.index()];
        if queue.ready == 0 {
            return None;
        }
        while let Some(Reverse((priority, id))) = queue.heap.peek().copied() {
            if is_ready(id) {
                return Some((priority, id));
            }
            queue.heap.pop();
        }
        None
    }

    /// Takes what `peek` returned.
    pub(crate) fn pop(&mut self, shape: ShapeId) {
        self.queues[shape.index()].heap.pop();
        self.withdraw(shape);
    }
}
