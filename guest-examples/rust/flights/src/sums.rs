//! Sums by hour: from lines, from other sums, and over all hours.

use crate::columns::Columns;
use crate::{HourSum, Summary};

const HOURS: usize = 24;

/// Adds up whole lines; the last one may end without a line end.
pub(crate) fn of_lines(columns: Columns, csv: &[u8]) -> Result<Vec<HourSum>, String> {
    let mut hours = Hours::default();
    for (i, line) in csv.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let read = columns.read(line).map_err(|reason| format!("line {} of this part: {reason}", i + 1))?;
        if let Some((hour, delay)) = read {
            hours.add(hour, 1, delay);
        }
    }
    Ok(hours.into_sums())
}

pub(crate) fn combine(parts: &[Vec<HourSum>]) -> Vec<HourSum> {
    let mut hours = Hours::default();
    for sum in parts.iter().flatten() {
        hours.add(sum.hour, sum.flights, sum.delay);
    }
    hours.into_sums()
}

pub(crate) fn describe(sums: &[HourSum]) -> Result<Summary, String> {
    let flights: u64 = sums.iter().map(|sum| sum.flights).sum();
    if flights == 0 || sums.iter().any(|sum| sum.flights == 0) {
        return Err("there is an hour without flights, or no hour at all".to_owned());
    }
    let delay: i64 = sums.iter().map(|sum| sum.delay).sum();
    let mut best = &sums[0];
    let mut worst = &sums[0];
    for sum in sums {
        if mean(sum) < mean(best) {
            best = sum;
        }
        if mean(sum) > mean(worst) {
            worst = sum;
        }
    }
    Ok(Summary { flights, mean: delay as f64 / flights as f64, best_hour: best.hour, worst_hour: worst.hour })
}

pub(crate) fn mean(sum: &HourSum) -> f64 {
    sum.delay as f64 / sum.flights as f64
}

/// One sum for each hour of the day. Hours past 23 are kept out by the parser.
#[derive(Default)]
struct Hours([(u64, i64); HOURS]);

impl Hours {
    fn add(&mut self, hour: u32, flights: u64, delay: i64) {
        let (all_flights, all_delay) = &mut self.0[hour as usize];
        *all_flights += flights;
        *all_delay += delay;
    }

    fn into_sums(self) -> Vec<HourSum> {
        let hours = (0..).zip(self.0);
        hours.filter(|(_, sum)| sum.0 > 0).map(|(hour, (flights, delay))| HourSum { hour, flights, delay }).collect()
    }
}
