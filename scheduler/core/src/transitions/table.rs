//! The one table of what may follow what; `docs/states.md` is generated from it.

use crate::task::StateName::{self, Assigned, Delegated, Done, Failed, Idle, Queued, Resting, Waiting};

/// One arrow of the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Before.
    pub from: StateName,
    /// After.
    pub to: StateName,
    /// When.
    pub why: &'static str,
}

const fn row(from: StateName, to: StateName, why: &'static str) -> Transition {
    Transition { from, to, why }
}

/// Every transition that a task may make.
pub const TRANSITIONS: &[Transition] = &[
    row(Idle, Waiting, "an output needs it, or its result is needed again"),
    row(Waiting, Queued, "its last input came into being"),
    row(Waiting, Assigned, "sent ahead: its last inputs are being made at that worker"),
    row(Queued, Assigned, "a worker had room"),
    row(Queued, Waiting, "an input was lost"),
    row(Assigned, Assigned, "it takes much longer than was expected, and a second attempt was begun elsewhere"),
    row(Assigned, Done, "an attempt finished"),
    row(Assigned, Delegated, "an attempt ended in tasks that it wrote, and one of them takes its place"),
    row(Assigned, Waiting, "given back, its worker died, an input was lost, or its gang begins again"),
    row(Assigned, Resting, "an attempt failed and may be repeated, its own or of its gang"),
    row(Resting, Waiting, "the pause is over"),
    row(Done, Idle, "the result is no longer needed, or was lost and not needed"),
    row(Waiting, Idle, "no longer needed"),
    row(Queued, Idle, "no longer needed"),
    row(Assigned, Idle, "no longer needed"),
    row(Resting, Idle, "no longer needed"),
    row(Assigned, Failed, "an attempt failed for good, or what it needs did"),
    row(Waiting, Failed, "what it needs failed, or too many workers died of it"),
    row(Queued, Failed, "cancelled"),
    row(Resting, Failed, "what it needs failed"),
];

/// Where a step stands in the table; none when it is not allowed.
pub(crate) fn position(from: StateName, to: StateName) -> Option<usize> {
    TRANSITIONS.iter().position(|transition| transition.from == from && transition.to == to)
}
