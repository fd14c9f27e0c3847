//! Calls that are made because of what others returned: squares are added up in the order in which they come, and what goes
//! wrong is said by the future that it concerns.
//!
//! ```text
//! futures calc.wasm    # on all cores of this process, or on the fleet of WASM_TASKS_SCHEDULER
//! ```

use std::error::Error;

use wasm_tasks::blocking::{Client, Session, TaskFuture};
use wasm_tasks::{EmbeddedSettings, Function, Home, args};

const SQUARES: i64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let calc = std::env::args().nth(1).ok_or("usage: futures calc.wasm")?;
    let client = match std::env::var("WASM_TASKS_SCHEDULER") {
        Ok(address) => Client::connect(&address, &Home::from_env()?.credentials())?,
        Err(_) => Client::embedded(EmbeddedSettings::default())?,
    };
    let session = client.session("futures")?;
    let calc = session.component_file(calc)?;
    let function = |export| session.function(&calc, export);
    let (add, mul, div) = (function("add"), function("mul"), function("div"));

    let squares = session.map(&mul, (1..=SQUARES).map(|n| args![n, n]));
    let total = sum_as_they_come(&session, &add, squares)?;
    println!("the first {SQUARES} squares are {} together", total.result::<i64>()?);

    // What is wrong with one call of many concerns those that need it, and nobody else.
    let quotients = session.map(&div, (0..5).map(|n| args![60, n]));
    let next = session.submit(&add, args![&quotients[0], 1]);
    let misfit = session.submit(&add, args!["one", 1]);
    println!("60 by 1 to 4 is {:?}", session.gather::<i64>(&quotients[1..])?);
    for future in [&quotients[0], &next, &misfit] {
        match future.bytes() {
            Ok(value) => return Err(format!("{} has the value {value:?}", future.key()).into()),
            Err(error) => println!("{}: {}", future.key(), error.to_string().replace('\n', "; ")),
        }
    }
    drop((quotients, next, misfit, total, session));
    client.close();
    Ok(())
}

/// Adds two results whenever there are two, until one is left.
fn sum_as_they_come(session: &Session, add: &Function, futures: Vec<TaskFuture>) -> Result<TaskFuture, Box<dyn Error>> {
    let mut completed = session.as_completed(futures);
    loop {
        let first = completed.next().ok_or("there is nothing to add up")?;
        let Some(second) = completed.next() else { return Ok(first) };
        completed.push(session.submit(add, args![first, second]));
    }
}
