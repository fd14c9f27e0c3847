//! Reads the `options` of the three levels.

use super::fields::{Field, Fields};
use super::tables::FieldTable;
use super::{GraphError, NAME_BYTES_MAX, Place, limited};
use crate::ErrorCode;
use crate::graph::{Alternative, Grant, LabelRule, Options, Resource};
use crate::limits::{
    ALTERNATIVES_MAX, GANG_MEMBERS_MAX, GRANTS_MAX, LABEL_RULES_MAX, RESOURCES_MAX, RESULT_BYTES_MAX, RETRIES_MAX,
    TASK_MEMORY_BYTES_MAX, TIMEOUT_MS_MAX,
};

/// Whose options are read: each level has some that the others have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum Level {
    /// The graph's own, which alone have a name and a deadline.
    Graph,
    /// A fragment's.
    Fragment,
    /// A function's.
    Function,
    /// A task's, which alone name a gang.
    Task,
}

pub(in crate::graph) fn read(field: &Field<'_>, level: Level) -> Result<Options, GraphError> {
    let fields = Fields::read(field, FieldTable::Options)?;
    let number = |name: &str, min: u64, max: u64| -> Result<Option<u64>, GraphError> {
        let Some(field) = fields.optional(name) else { return Ok(None) };
        let value = field.uint()?;
        if value < min {
            return Err(field.bad(format!("{value} is not within {min} to {max}")));
        }
        within(value, max, &field)?;
        Ok(Some(value))
    };
    let mut options = Options {
        backoff_ms: number("backoff-ms", 0, TIMEOUT_MS_MAX)?,
        deadline_ms: number("deadline-ms", 1, TIMEOUT_MS_MAX)?,
        expected_result_bytes: number("expected-result-bytes", 0, RESULT_BYTES_MAX)?,
        fuel: number("fuel", 1, u64::MAX)?,
        result_bytes_max: number("result-bytes-max", 0, RESULT_BYTES_MAX)?,
        retries: number("retries", 0, u64::from(RETRIES_MAX))?.map(|retries| retries as u32),
        seed: number("seed", 0, u64::MAX)?,
        time_request_ms: number("time-request-ms", 1, TIMEOUT_MS_MAX)?,
        timeout_ms: number("timeout-ms", 1, TIMEOUT_MS_MAX)?,
        ..Options::default()
    };
    options.cache = auto_or_never(&fields, "cache")?;
    options.speculate = auto_or_never(&fields, "speculate")?;
    if let Some(expected) = fields.optional("expected-ms") {
        let micros = expected.milli()?;
        if micros > TIMEOUT_MS_MAX * 1_000 {
            let message = format!("it is not within 0 to {TIMEOUT_MS_MAX}");
            return Err(GraphError::new(ErrorCode::LimitExceeded, expected.place(), message));
        }
        options.expected_us = Some(micros);
    }
    if let Some(gang) = fields.optional("gang") {
        if level != Level::Task {
            return Err(gang.bad("only a task's own options name a gang: each of its members does"));
        }
        let members = gang.uint()?;
        if members == 0 {
            return Err(gang.bad("a gang has at least one member"));
        }
        limited(usize::try_from(members).unwrap_or(usize::MAX), GANG_MEMBERS_MAX as usize, gang.place(), "members of a gang")?;
        options.gang = Some(members as u32);
    }
    if let Some(grants) = fields.optional("grants") {
        let grant = |field: &Field<'_>| {
            let name = field.name(NAME_BYTES_MAX)?;
            Grant::from_name(name)
                .ok_or_else(|| field.bad(format!("there is no grant `{name}`; known are `clock` and `entropy`")))
        };
        options.grants = Some(grants.list(GRANTS_MAX, "grants")?.map(|field| grant(&field?)).collect::<Result<_, _>>()?);
    }
    if let Some(any_of) = fields.optional("any-of") {
        let place = |at: usize| Place::named(format!("{}[{at}]", any_of.place()));
        let list = any_of.list(ALTERNATIVES_MAX, "alternatives")?.enumerate();
        let alternatives = list.map(|(at, entry)| alternative(&Field::new(entry?.reader(), place(at), "")));
        options.any_of = Some(alternatives.collect::<Result<_, _>>()?);
    }
    options.labels = fields.optional("labels").map(|labels| rules(&labels)).transpose()?;
    options.prefer = fields.optional("prefer").map(|labels| rules(&labels)).transpose()?;
    if let Some(name) = fields.optional("name") {
        if level != Level::Graph {
            return Err(name.bad("only the graph's own options have a name"));
        }
        options.name = Some(name.name(NAME_BYTES_MAX)?.to_owned());
    }
    if let Some(deadline) = fields.optional("deadline-ms").filter(|_| level != Level::Graph) {
        return Err(deadline.bad("only the graph's own options have a deadline; a task has `timeout-ms`"));
    }
    if let Some(priority) = fields.optional("priority") {
        let value = priority.int()?;
        if !(-1_000_000..=1_000_000).contains(&value) {
            return Err(priority.bad(format!("{value} is not within -1000000 to 1000000")));
        }
        options.priority = Some(value as i32);
    }
    if let Some(resources) = fields.optional("resources") {
        let amounts = amounts(&resources)?;
        (options.slots_milli, options.memory_bytes, options.pools) = (amounts.slots_milli, amounts.memory_bytes, amounts.pools);
    }
    Ok(options)
}

/// A number against its limit of `docs/limits.md`.
fn within(value: u64, max: u64, field: &Field<'_>) -> Result<(), GraphError> {
    if value <= max {
        return Ok(());
    }
    let message = format!("{value}; at most {max} is allowed");
    Err(GraphError::new(ErrorCode::LimitExceeded, field.place(), message))
}

fn auto_or_never(fields: &Fields<'_>, name: &str) -> Result<Option<bool>, GraphError> {
    let Some(field) = fields.optional(name) else { return Ok(None) };
    match field.str()? {
        "auto" => Ok(Some(true)),
        "never" => Ok(Some(false)),
        _ => Err(field.bad(format!("`{name}` is `auto` or `never`"))),
    }
}

fn rules(field: &Field<'_>) -> Result<Vec<LabelRule>, GraphError> {
    let list = field.list(LABEL_RULES_MAX, "rules for labels")?;
    let rule = |field: &Field<'_>| {
        let text = field.name(NAME_BYTES_MAX)?;
        LabelRule::parse(text).ok_or_else(|| field.bad("a label rule is `key=value`, `key!=value` or `key in (a, b)`"))
    };
    list.map(|field| rule(&field?)).collect()
}

fn alternative(field: &Field<'_>) -> Result<Alternative, GraphError> {
    let fields = Fields::read(field, FieldTable::Alternative)?;
    let labels = fields.optional("labels").map(|labels| rules(&labels)).transpose()?;
    let amounts = fields.optional("resources").map(|resources| amounts(&resources)).transpose()?.unwrap_or_default();
    Ok(Alternative { labels, ..amounts })
}

/// The map `resources`; without labels.
fn amounts(field: &Field<'_>) -> Result<Alternative, GraphError> {
    let mut amounts = Alternative::default();
    let mut pools = Vec::new();
    for (name, amount) in field.map(RESOURCES_MAX, "resources")? {
        match name {
            "" => return Err(field.bad("a resource has no name")),
            "slots" => amounts.slots_milli = Some(amount.milli()?),
            "memory" => {
                let bytes = amount.uint()?;
                within(bytes, TASK_MEMORY_BYTES_MAX, &amount)?;
                amounts.memory_bytes = Some(bytes);
            }
            name => pools.push(Resource { name: name.to_owned(), milli: amount.milli()? }),
        }
    }
    amounts.pools = (!pools.is_empty()).then_some(pools);
    Ok(amounts)
}
