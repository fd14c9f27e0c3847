//! The maps of the format with known fields, as tables. The reader knows no others, so that tests can go through all of them.

/// A map with known fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldTable {
    /// A graph or a fragment.
    Graph,
    /// An entry of `components`.
    Component,
    /// An entry of `functions`.
    Function,
    /// The `dynamic` of a function.
    Dynamic,
    /// An entry of `data`.
    Data,
    /// Options of any level.
    Options,
    /// An entry of `any-of`.
    Alternative,
    /// The `base` of a fragment.
    Base,
    /// What a task ends in that delegates.
    Delegation,
    /// An entry of `components` of a delegation.
    DelegatedComponent,
}

impl FieldTable {
    /// All of them.
    pub const ALL: [FieldTable; 10] = [
        FieldTable::Graph,
        FieldTable::Component,
        FieldTable::Function,
        FieldTable::Dynamic,
        FieldTable::Data,
        FieldTable::Options,
        FieldTable::Alternative,
        FieldTable::Base,
        FieldTable::Delegation,
        FieldTable::DelegatedComponent,
    ];

    /// The fields that the map may have.
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            FieldTable::Graph => {
                &["wasm-tasks", "append-to", "base", "components", "functions", "data", "tasks", "outputs", "options"]
            }
            FieldTable::Component => &["digest", "name", "bytes", "source"],
            FieldTable::Function => &["component", "export", "bind", "dynamic", "group", "options"],
            FieldTable::Dynamic => &["params", "result"],
            FieldTable::Data => &["digest", "bytes", "source", "offset", "len", "encoding", "type"],
            FieldTable::Options => &[
                "any-of",
                "backoff-ms",
                "cache",
                "deadline-ms",
                "expected-ms",
                "expected-result-bytes",
                "fuel",
                "gang",
                "grants",
                "labels",
                "name",
                "prefer",
                "priority",
                "resources",
                "result-bytes-max",
                "retries",
                "seed",
                "speculate",
                "time-request-ms",
                "timeout-ms",
            ],
            FieldTable::Alternative => &["labels", "resources"],
            FieldTable::Base => &["components", "functions", "data", "tasks", "outputs"],
            FieldTable::Delegation => &["wasm-tasks", "components", "functions", "data", "tasks", "outputs", "options"],
            FieldTable::DelegatedComponent => &["digest", "name"],
        }
    }

    /// Fields whose meaning a later version gives.
    pub const fn reserved(self) -> &'static [&'static str] {
        match self {
            FieldTable::Component => &["links", "requires"],
            FieldTable::Graph
            | FieldTable::Function
            | FieldTable::Dynamic
            | FieldTable::Data
            | FieldTable::Options
            | FieldTable::Alternative
            | FieldTable::Base
            | FieldTable::Delegation
            | FieldTable::DelegatedComponent => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FieldTable;

    #[test]
    fn all_tables_are_listed() {
        // Each number stands once: a table that is added has the next one, which `ALL` must have too.
        let numbers: Vec<u8> = FieldTable::ALL.iter().map(|table| *table as u8).collect();
        assert_eq!(numbers, (0..=FieldTable::DelegatedComponent as u8).collect::<Vec<_>>());
    }
}
