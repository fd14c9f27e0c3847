//! Both kinds of link through the same tests, and what only QUIC can get wrong.

mod both;
mod cluster;
mod dialling;
mod hostile;
mod raw;
mod speed;
