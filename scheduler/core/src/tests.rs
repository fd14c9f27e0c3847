//! Scripts of events against compact answers, and random runs against the invariants.

mod careful;
mod conservation;
mod delegations;
mod drains;
mod failures;
mod families;
mod fans;
mod fragments;
mod gangs;
mod hints;
mod hostile;
mod modules;
mod plain;
mod random;
mod reserve;
mod stops;
mod stragglers;
mod ways;
mod world;
