//! What was measured, as a table and as JSON.

use crate::error::BenchError;
use serde_json::{Value as Json, json};

/// One measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// The benchmark, and which of its numbers.
    pub(crate) name: String,
    /// Ours.
    pub(crate) value: f64,
    /// The unit of both values.
    pub(crate) unit: &'static str,
    /// What it is compared with.
    pub(crate) peer: Option<(&'static str, f64)>,
    /// How it compares: see [`Bar`].
    pub(crate) bar: Option<Bar>,
    /// One line for people.
    pub(crate) note: String,
}

/// What a number should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    /// Ours is at most so much, in its unit.
    AtMost(f64),
    /// Ours is at most so many times the peer's.
    RatioAtMost(f64),
    /// The peer's is at least so many times ours.
    TimesFaster(f64),
}

impl Row {
    /// Ours over the peer's; for [`Bar::TimesFaster`] the peer's over ours.
    fn ratio(&self) -> Option<f64> {
        let (_, peer) = self.peer?;
        Some(if let Some(Bar::TimesFaster(_)) = self.bar { peer / self.value } else { self.value / peer })
    }

    fn is_met(&self) -> Option<bool> {
        match self.bar? {
            Bar::AtMost(most) => Some(self.value <= most),
            Bar::RatioAtMost(most) => self.ratio().map(|ratio| ratio <= most),
            Bar::TimesFaster(least) => self.ratio().map(|ratio| ratio >= least),
        }
    }

    fn bar_text(&self) -> Option<String> {
        self.bar.map(|bar| match bar {
            Bar::AtMost(most) => format!("<= {most} {}", self.unit),
            Bar::RatioAtMost(most) => format!("<= {most}x"),
            Bar::TimesFaster(least) => format!(">= {least}x"),
        })
    }

    fn json(&self) -> Json {
        json!({
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "peer": self.peer.map(|(peer, _)| peer),
            "peer_value": self.peer.map(|(_, value)| value),
            "ratio": self.ratio(),
            "bar": self.bar_text(),
            "met": self.is_met(),
        })
    }
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    failures: Vec<(String, String)>,
}

impl Report {
    pub(crate) fn new() -> Report {
        Report::default()
    }

    /// Adds a measurement, and says it.
    pub(crate) fn add(&mut self, row: Row) {
        crate::say(&format!("   {}", line(&row)));
        self.rows.push(row);
    }

    /// Notes that a benchmark could not be run.
    pub(crate) fn failed(&mut self, name: &str, error: &BenchError) {
        crate::say(&format!("   not measured: {error}"));
        self.failures.push((name.to_owned(), error.to_string()));
    }

    /// Whether all that was asked for was measured.
    pub(crate) fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }

    /// The JSON of all results; what could not be measured has no value and an `error`.
    pub(crate) fn json(&self, machine: &Json) -> Json {
        let mut results: Vec<Json> = self.rows.iter().map(Row::json).collect();
        results.extend(self.failures.iter().map(|(name, error)| {
            json!({"name": name, "value": null, "unit": null, "peer": null, "peer_value": null, "ratio": null, "bar": null,
                   "met": null, "error": error})
        }));
        json!({"machine": machine, "results": results})
    }

    /// The table for people.
    pub(crate) fn table(&self, machine: &Json) -> String {
        let mut lines = vec![String::new()];
        for (key, value) in machine.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            lines.push(format!("{key:12} {text}"));
        }
        lines.push(String::new());
        lines.push(format!(
            "{:28} {:>12} {:10} {:>12} {:>9} {:>12} {:5} peer",
            "name", "value", "unit", "peer value", "ratio", "bar", "met"
        ));
        for row in &self.rows {
            let met = row.is_met().map_or("", |met| if met { "yes" } else { "NO" });
            lines.push(format!(
                "{:28} {:>12} {:10} {:>12} {:>9} {:>12} {met:5} {}",
                row.name,
                short(row.value),
                row.unit,
                row.peer.map_or(String::new(), |(_, value)| short(value)),
                row.ratio().map_or(String::new(), |ratio| format!("{ratio:.2}x")),
                row.bar_text().unwrap_or_default(),
                row.peer.map_or("", |(peer, _)| peer),
            ));
        }
        lines.extend(self.failures.iter().map(|(name, error)| format!("{name:28} not measured: {error}")));
        lines.join("\n")
    }
}

fn line(row: &Row) -> String {
    let peer = row.peer.map_or(String::new(), |(peer, value)| format!(", {peer} {}", short(value)));
    let ratio = row.ratio().map_or(String::new(), |ratio| format!(", {ratio:.2}x"));
    let bar = row.bar_text().map_or(String::new(), |bar| format!(" (bar {bar})"));
    let note = if row.note.is_empty() { String::new() } else { format!("; {}", row.note) };
    format!("{}: {} {}{peer}{ratio}{bar}{note}", row.name, short(row.value), row.unit)
}

/// Four significant digits.
fn short(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (3 - value.abs().log10().floor() as i32).max(0) };
    format!("{value:.*}", digits as usize)
}

#[cfg(test)]
mod tests {
    use super::{Bar, Row, short};

    #[test]
    fn ratios_and_bars() {
        let row = Row { value: 2.0, peer: Some(("peer", 50.0)), bar: Some(Bar::TimesFaster(20.0)), ..Row::default() };
        assert_eq!((row.ratio(), row.is_met()), (Some(25.0), Some(true)));
        let row = Row { value: 3.0, peer: Some(("peer", 2.0)), bar: Some(Bar::RatioAtMost(1.2)), ..Row::default() };
        assert_eq!((row.ratio(), row.is_met()), (Some(1.5), Some(false)));
        let row = Row { value: 3.0, bar: Some(Bar::AtMost(3.0)), unit: "µs", ..Row::default() };
        assert_eq!((row.ratio(), row.is_met(), row.bar_text().as_deref()), (None, Some(true), Some("<= 3 µs")));
    }

    #[test]
    fn four_digits() {
        assert_eq!([short(0.0), short(12.3456), short(123_456.0), short(0.012_345)], ["0", "12.35", "123456", "0.01235"]);
    }
}
