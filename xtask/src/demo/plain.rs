//! The demo's table by a plain loop: what the answer is checked against where Python is missing.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use crate::failure::Failure;

/// One line an hour: hour, flights, mean delay with four decimals.
pub(crate) fn table(files: &[PathBuf]) -> Result<String, Failure> {
    let mut hours: BTreeMap<u32, (u64, i64)> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|error| Failure::file("read", file, &error))?;
        add(&text, &mut hours).map_err(|what| Failure::step(format!("`{}`: {what}", file.display())))?;
    }
    let mut table = String::new();
    for (hour, (flights, delay)) in hours {
        let mean = delay as f64 / flights as f64;
        writeln!(table, "{hour:02} {flights:6} {mean:8.4}").expect("a string takes all that is written");
    }
    Ok(table)
}

fn add(text: &str, hours: &mut BTreeMap<u32, (u64, i64)>) -> Result<(), String> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name| header.iter().position(|found| *found == name).ok_or(format!("no column `{name}`"));
    let (hour_at, delay_at) = (column("hour")?, column("dep_delay")?);
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |at: usize| fields.get(at).copied().ok_or_else(|| format!("too few fields: {line}"));
        let delay = field(delay_at)?;
        if !delay.is_empty() && delay != "NA" {
            let bad = |error| format!("{error}: {line}");
            let sum = hours.entry(field(hour_at)?.parse().map_err(bad)?).or_default();
            sum.0 += 1;
            sum.1 += delay.parse::<i64>().map_err(bad)?;
        }
    }
    Ok(())
}
