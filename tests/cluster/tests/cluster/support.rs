//! What every test needs: the program, guests, folders, fleets, graphs, and waiting without sleeping.

mod answer;
mod fleet;
mod graphs;
mod guests;
mod home;
mod wait;

pub(crate) use answer::{Answer, Running, kill};
pub(crate) use fleet::{Fleet, is_running};
pub(crate) use graphs::{GraphFile, int, list, part, result, text};
pub(crate) use guests::{everything, guest, is_built, skip};
pub(crate) use home::Home;
pub(crate) use wait::until;
