//! Writes the options of the three levels in canonical form.

use super::MapWriter;
use crate::graph::{Alternative, LabelRule, Options, Resource};
use crate::msgpack::Writer;

/// A map sorted by key; nothing when there is no option.
pub(in crate::graph) fn write_options(options: &Options) -> Option<Vec<u8>> {
    let mut map = MapWriter::default();
    map.some("any-of", options.any_of.as_ref(), |out, alternatives| {
        out.array(alternatives.len());
        alternatives.iter().for_each(|alternative| out.raw(&write_alternative(alternative)));
    });
    map.some("backoff-ms", options.backoff_ms, Writer::uint);
    map.some("cache", options.cache, write_auto);
    map.some("deadline-ms", options.deadline_ms, Writer::uint);
    map.some("expected-ms", options.expected_us, write_milli);
    map.some("expected-result-bytes", options.expected_result_bytes, Writer::uint);
    map.some("fuel", options.fuel, Writer::uint);
    map.some("gang", options.gang, |out, members| out.uint(u64::from(members)));
    map.some("grants", options.grants.as_ref(), |out, grants| {
        out.array(grants.len());
        grants.iter().for_each(|grant| out.str(grant.as_str()));
    });
    map.some("labels", options.labels.as_deref(), write_rules);
    map.some("name", options.name.as_ref(), |out, name| out.str(name));
    map.some("prefer", options.prefer.as_deref(), write_rules);
    map.some("priority", options.priority, |out, priority| out.int(i64::from(priority)));
    let resources = resources(options.slots_milli, options.memory_bytes, options.pools.as_deref());
    map.some("resources", resources, |out, bytes| out.raw(&bytes));
    map.some("result-bytes-max", options.result_bytes_max, Writer::uint);
    map.some("retries", options.retries, |out, retries| out.uint(u64::from(retries)));
    map.some("seed", options.seed, Writer::uint);
    map.some("speculate", options.speculate, write_auto);
    map.some("time-request-ms", options.time_request_ms, Writer::uint);
    map.some("timeout-ms", options.timeout_ms, Writer::uint);
    (map.count > 0).then(|| map.finish())
}

fn write_auto(out: &mut Writer, is_auto: bool) {
    out.str(if is_auto { "auto" } else { "never" });
}

fn write_rules(out: &mut Writer, rules: &[LabelRule]) {
    out.array(rules.len());
    rules.iter().for_each(|rule| out.str(&rule.to_string()));
}

fn write_alternative(alternative: &Alternative) -> Vec<u8> {
    let mut map = MapWriter::default();
    map.some("labels", alternative.labels.as_deref(), write_rules);
    let resources = resources(alternative.slots_milli, alternative.memory_bytes, alternative.pools.as_deref());
    map.some("resources", resources, |out, bytes| out.raw(&bytes));
    map.finish()
}

/// A map sorted by key; nothing when it would be empty.
fn resources(slots_milli: Option<u64>, memory_bytes: Option<u64>, pools: Option<&[Resource]>) -> Option<Vec<u8>> {
    let mut amounts: Vec<(&str, Box<dyn Fn(&mut Writer)>)> = Vec::new();
    if let Some(bytes) = memory_bytes {
        amounts.push(("memory", Box::new(move |out| out.uint(bytes))));
    }
    if let Some(milli) = slots_milli {
        amounts.push(("slots", Box::new(move |out| write_milli(out, milli))));
    }
    for pool in pools.into_iter().flatten() {
        amounts.push((&pool.name, Box::new(|out| write_milli(out, pool.milli))));
    }
    amounts.sort_by_key(|(name, _)| *name);
    let mut map = MapWriter::default();
    amounts.iter().for_each(|(name, write)| map.field(name, write));
    (map.count > 0).then(|| map.finish())
}

/// Thousandths as the shortest number: an integer where it is one.
fn write_milli(out: &mut Writer, milli: u64) {
    if milli.is_multiple_of(1000) { out.uint(milli / 1000) } else { out.f64(milli as f64 / 1000.0) }
}
