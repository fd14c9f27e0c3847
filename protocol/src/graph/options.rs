//! Options: what a graph, a function or a task may ask for, and how the three merge.

use crate::limits::{RESULT_BYTES_MAX_DEFAULT, TASK_MEMORY_BYTES_DEFAULT, TIMEOUT_MS_DEFAULT};
use crate::time::Duration;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A right beyond computing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Grant {
    /// The real clock.
    Clock,
    /// Real randomness.
    Entropy,
}

impl Grant {
    /// The grant as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Grant::Clock => "clock",
            Grant::Entropy => "entropy",
        }
    }

    /// The grant with a name.
    pub fn from_name(name: &str) -> Option<Grant> {
        [Grant::Clock, Grant::Entropy].into_iter().find(|grant| grant.as_str() == name)
    }
}

/// What a worker's labels must say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LabelRule {
    /// The label's key.
    pub key: String,
    /// The values that are meant.
    pub values: Vec<String>,
    /// Whether the label must have one of the values, or none of them.
    pub wanted: bool,
}

impl LabelRule {
    /// Reads `key=value`, `key!=value` or `key in (a, b)`.
    pub fn parse(text: &str) -> Option<LabelRule> {
        let word = |text: &str| {
            let text = text.trim();
            let fits = |c: char| c.is_alphanumeric() || "-_./:".contains(c);
            (!text.is_empty() && text.chars().all(fits)).then(|| text.to_owned())
        };
        if let Some((key, value)) = text.split_once("!=") {
            return Some(LabelRule { key: word(key)?, values: vec![word(value)?], wanted: false });
        }
        if let Some((key, value)) = text.split_once('=') {
            return Some(LabelRule { key: word(key)?, values: vec![word(value)?], wanted: true });
        }
        let (key, list) = text.split_once(" in ")?;
        let list = list.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(LabelRule { key: word(key)?, values: list.split(',').map(word).collect::<Option<_>>()?, wanted: true })
    }

    /// Whether a worker's labels satisfy it.
    pub fn is_satisfied(&self, labels: &[(String, String)]) -> bool {
        let found = labels.iter().any(|(key, value)| *key == self.key && self.values.contains(value));
        found == self.wanted
    }
}

impl fmt::Display for LabelRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.values[..], self.wanted) {
            ([value], true) => write!(f, "{}={value}", self.key),
            ([value], false) => write!(f, "{}!={value}", self.key),
            (values, _) => write!(f, "{} in ({})", self.key, values.join(", ")),
        }
    }
}

/// An amount of a worker's resource, in thousandths, so that amounts add up exactly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// The pool's name.
    pub name: String,
    /// Thousandths of a unit.
    pub milli: u64,
}

/// One of several ways in which a task may run, as `any-of` has it. What it leaves open is as the other options say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alternative {
    /// Rules for labels, beside those of the option `labels`.
    pub labels: Option<Vec<LabelRule>>,
    /// Slots, in thousandths.
    pub slots_milli: Option<u64>,
    /// Linear memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Named pools, beside those of the option `resources`.
    pub pools: Option<Vec<Resource>>,
}

/// Options as one of the three levels has them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Ways in which the task may run, the preferred first.
    pub any_of: Option<Vec<Alternative>>,
    /// Wait before the first retry, in milliseconds.
    pub backoff_ms: Option<u64>,
    /// Whether results may be reused.
    pub cache: Option<bool>,
    /// Milliseconds after its submission at which the graph is stopped; only a graph's own options have it.
    pub deadline_ms: Option<u64>,
    /// What one attempt is expected to run, in microseconds: a hint for placement, never a limit.
    pub expected_us: Option<u64>,
    /// What the result is expected to have, in bytes: a hint too.
    pub expected_result_bytes: Option<u64>,
    /// Units of fuel.
    pub fuel: Option<u64>,
    /// How many tasks, one after the other, run as one [gang](super::Gang); only a task's own options have it.
    pub gang: Option<u32>,
    /// Grants.
    pub grants: Option<Vec<Grant>>,
    /// Rules for labels.
    pub labels: Option<Vec<LabelRule>>,
    /// The graph's name.
    pub name: Option<String>,
    /// Rules that workers should satisfy, the most important first.
    pub prefer: Option<Vec<LabelRule>>,
    /// Higher runs first.
    pub priority: Option<i32>,
    /// Slots, in thousandths.
    pub slots_milli: Option<u64>,
    /// Linear memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Named pools.
    pub pools: Option<Vec<Resource>>,
    /// Bytes of the result.
    pub result_bytes_max: Option<u64>,
    /// How often a failed task is run again.
    pub retries: Option<u32>,
    /// Part of the seed.
    pub seed: Option<u64>,
    /// Whether a second attempt may be begun beside one that takes too long.
    pub speculate: Option<bool>,
    /// How long a worker must stay at least, in milliseconds.
    pub time_request_ms: Option<u64>,
    /// Wall time of one attempt, in milliseconds.
    pub timeout_ms: Option<u64>,
}

impl Options {
    /// The options on which it depends what a task gives, or how it fails, and its priority: those that tasks have from the
    /// task that wrote them. Of several levels the first that says something counts.
    pub fn inherited<'a>(levels: impl Iterator<Item = &'a Options>) -> Options {
        let mut inherited = Options::default();
        levels.for_each(|level| inherited.fill(level));
        inherited
    }

    /// Takes over what is inherited, where nothing is said.
    pub fn fill(&mut self, from: &Options) {
        self.fuel = self.fuel.or(from.fuel);
        self.grants = self.grants.take().or_else(|| from.grants.clone());
        self.memory_bytes = self.memory_bytes.or(from.memory_bytes);
        self.priority = self.priority.or(from.priority);
        self.result_bytes_max = self.result_bytes_max.or(from.result_bytes_max);
        self.seed = self.seed.or(from.seed);
        self.timeout_ms = self.timeout_ms.or(from.timeout_ms);
    }

    /// Takes over what a level below says, where neither these options nor those of the level between say anything: so the
    /// level below may be left out. What only tasks or graphs have is not taken over.
    pub fn fill_between(&mut self, above: &Options, below: &Options) {
        fn fill<T: Clone>(own: &mut Option<T>, above: &Option<T>, below: &Option<T>) {
            if own.is_none() && above.is_none() {
                own.clone_from(below);
            }
        }
        let Options {
            any_of,
            backoff_ms,
            cache,
            expected_us,
            expected_result_bytes,
            fuel,
            grants,
            labels,
            prefer,
            priority,
            slots_milli,
            memory_bytes,
            pools,
            result_bytes_max,
            retries,
            seed,
            speculate,
            time_request_ms,
            timeout_ms,
            deadline_ms: _,
            gang: _,
            name: _,
        } = below;
        fill(&mut self.any_of, &above.any_of, any_of);
        fill(&mut self.backoff_ms, &above.backoff_ms, backoff_ms);
        fill(&mut self.cache, &above.cache, cache);
        fill(&mut self.expected_us, &above.expected_us, expected_us);
        fill(&mut self.expected_result_bytes, &above.expected_result_bytes, expected_result_bytes);
        fill(&mut self.fuel, &above.fuel, fuel);
        fill(&mut self.grants, &above.grants, grants);
        fill(&mut self.labels, &above.labels, labels);
        fill(&mut self.prefer, &above.prefer, prefer);
        fill(&mut self.priority, &above.priority, priority);
        fill(&mut self.slots_milli, &above.slots_milli, slots_milli);
        fill(&mut self.memory_bytes, &above.memory_bytes, memory_bytes);
        fill(&mut self.pools, &above.pools, pools);
        fill(&mut self.result_bytes_max, &above.result_bytes_max, result_bytes_max);
        fill(&mut self.retries, &above.retries, retries);
        fill(&mut self.seed, &above.seed, seed);
        fill(&mut self.speculate, &above.speculate, speculate);
        fill(&mut self.time_request_ms, &above.time_request_ms, time_request_ms);
        fill(&mut self.timeout_ms, &above.timeout_ms, timeout_ms);
    }
}

/// What a task takes of a worker, and where it may run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Rules for labels.
    pub labels: Vec<LabelRule>,
    /// Slots, in thousandths.
    pub slots_milli: u64,
    /// Limit on linear memory, in bytes.
    pub memory_bytes: u64,
    /// Whether the task said itself how much memory it needs.
    pub memory_declared: bool,
    /// Named pools, sorted by name.
    pub pools: Vec<Resource>,
}

/// Options of a task after merging: nothing is open any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Settings {
    /// Wait before the first retry; doubles with each.
    pub backoff: Duration,
    /// Whether results may be reused.
    pub cache: bool,
    /// Units of fuel; none: not metered.
    pub fuel: Option<u64>,
    /// Members of the gang that the task is one of; 0: it is in none.
    pub gang: u32,
    /// Grants, sorted.
    pub grants: Vec<Grant>,
    /// Rules for labels.
    pub labels: Vec<LabelRule>,
    /// Rules that workers should satisfy, the most important first.
    pub prefer: Vec<LabelRule>,
    /// Higher runs first.
    pub priority: i32,
    /// Slots, in thousandths.
    pub slots_milli: u64,
    /// Limit on linear memory, in bytes.
    pub memory_bytes: u64,
    /// Whether the task said itself how much memory it needs.
    pub memory_declared: bool,
    /// Named pools, sorted by name.
    pub pools: Vec<Resource>,
    /// Limit on the result, in bytes.
    pub result_bytes_max: u64,
    /// How often a failed task is run again.
    pub retries: u32,
    /// Part of the seed.
    pub seed: u64,
    /// Whether a second attempt may be begun beside one that takes too long.
    pub speculate: bool,
    /// How long a worker must stay at least; zero: any time.
    pub time_request: Duration,
    /// Wall time of one attempt.
    pub timeout: Duration,
    /// Other ways in which the task may run, the preferred first; the first of all stands in the fields above.
    pub fallbacks: Vec<Request>,
}

impl Request {
    /// This request, with what an alternative says.
    fn with(&self, alternative: &Alternative) -> Request {
        let mut request = self.clone();
        for rule in alternative.labels.iter().flatten() {
            if !request.labels.contains(rule) {
                request.labels.push(rule.clone());
            }
        }
        if let Some(bytes) = alternative.memory_bytes {
            (request.memory_bytes, request.memory_declared) = (bytes, true);
        }
        request.slots_milli = alternative.slots_milli.unwrap_or(request.slots_milli);
        for pool in alternative.pools.iter().flatten() {
            request.pools.retain(|known| known.name != pool.name);
            request.pools.push(pool.clone());
        }
        request.pools.sort_unstable();
        request
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::merge([None, None, None])
    }
}

impl Settings {
    /// Merges levels, the most specific first.
    pub fn merge<const LEVELS: usize>(levels: [Option<&Options>; LEVELS]) -> Settings {
        fn first<T: Clone>(levels: &[Option<&Options>], field: impl Fn(&Options) -> &Option<T>) -> Option<T> {
            levels.iter().flatten().find_map(|options| field(options).clone())
        }
        let memory = first(&levels, |options| &options.memory_bytes);
        let mut grants = first(&levels, |options| &options.grants).unwrap_or_default();
        grants.sort_unstable();
        let mut pools = first(&levels, |options| &options.pools).unwrap_or_default();
        pools.sort_unstable();
        let base = Request {
            labels: first(&levels, |options| &options.labels).unwrap_or_default(),
            slots_milli: first(&levels, |options| &options.slots_milli).unwrap_or(1_000),
            memory_bytes: memory.unwrap_or(TASK_MEMORY_BYTES_DEFAULT),
            memory_declared: memory.is_some(),
            pools,
        };
        let any_of = first(&levels, |options| &options.any_of).unwrap_or_default();
        let mut requests = any_of.iter().map(|alternative| base.with(alternative));
        let first_request = requests.next().unwrap_or_else(|| base.clone());
        Settings {
            backoff: Duration::from_millis(first(&levels, |options| &options.backoff_ms).unwrap_or(100)),
            cache: first(&levels, |options| &options.cache).unwrap_or(true),
            fuel: first(&levels, |options| &options.fuel),
            gang: first(&levels, |options| &options.gang).unwrap_or(0),
            grants,
            labels: first_request.labels,
            prefer: first(&levels, |options| &options.prefer).unwrap_or_default(),
            priority: first(&levels, |options| &options.priority).unwrap_or(0),
            slots_milli: first_request.slots_milli,
            memory_bytes: first_request.memory_bytes,
            memory_declared: first_request.memory_declared,
            pools: first_request.pools,
            result_bytes_max: first(&levels, |options| &options.result_bytes_max).unwrap_or(RESULT_BYTES_MAX_DEFAULT),
            retries: first(&levels, |options| &options.retries).unwrap_or(0),
            seed: first(&levels, |options| &options.seed).unwrap_or(0),
            speculate: first(&levels, |options| &options.speculate).unwrap_or(true),
            time_request: Duration::from_millis(first(&levels, |options| &options.time_request_ms).unwrap_or(0)),
            timeout: Duration::from_millis(first(&levels, |options| &options.timeout_ms).unwrap_or(TIMEOUT_MS_DEFAULT)),
            fallbacks: requests.collect(),
        }
    }

    /// Whether a second attempt may run beside one that takes too long: the author did not forbid it, and the task is pure, or
    /// may be repeated by the author's own word. Members of gangs are where they are for the others' sake.
    pub fn may_speculate(&self) -> bool {
        self.speculate && self.gang == 0 && (self.grants.is_empty() || self.retries > 0)
    }

    /// These settings for each way in which the task may run, the preferred first: each has those after it as fallbacks.
    pub fn ways(&self) -> impl Iterator<Item = Settings> + '_ {
        let others = self.fallbacks.iter().enumerate().map(|(at, request)| Settings {
            labels: request.labels.clone(),
            slots_milli: request.slots_milli,
            memory_bytes: request.memory_bytes,
            memory_declared: request.memory_declared,
            pools: request.pools.clone(),
            fallbacks: self.fallbacks[at + 1..].to_vec(),
            ..self.clone()
        });
        std::iter::once(self.clone()).chain(others)
    }
}
