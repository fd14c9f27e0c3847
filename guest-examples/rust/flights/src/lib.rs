//! Every step of the flights demo in Rust: partial sums, their combination, the summary, the report.
//!
//! The demo takes `parse` from here and the other steps from other languages; where those are
//! missing, all of it runs from here, and the answers are the same.

mod columns;
mod plot;
mod sums;

wit_bindgen::generate!({ path: "../../../wit/examples", world: "flights-all" });

use exports::wasm_tasks::examples::{flights_combine, flights_parse, flights_report, flights_stats};
use wasm_tasks::examples::flights::{HourSum, Report, Summary};

struct Flights;

impl flights_parse::Guest for Flights {
    fn parse(header: String, csv: Vec<u8>) -> Result<Vec<HourSum>, String> {
        let columns = columns::Columns::of_header(&header)?;
        sums::of_lines(columns, &csv)
    }
}

impl flights_combine::Guest for Flights {
    fn combine(parts: Vec<Vec<HourSum>>) -> Vec<HourSum> {
        sums::combine(&parts)
    }
}

impl flights_stats::Guest for Flights {
    fn describe(sums: Vec<HourSum>) -> Result<Summary, String> {
        sums::describe(&sums)
    }
}

impl flights_report::Guest for Flights {
    fn make(sums: Vec<HourSum>, all: Summary) -> Report {
        Report { table: plot::table(&sums), svg: plot::svg(&sums, &all) }
    }
}

export!(Flights);
