//! Benchmarks beside the bare engine and dask.

fn main() {}
