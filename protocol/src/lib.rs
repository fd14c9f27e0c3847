//! The words of wasm-tasks: ids, values, types, the graph format, messages and limits. Pure.
