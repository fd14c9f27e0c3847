//! Benchmarks of whole systems: what rsds measured (Böhm and Beránek, "Runtime vs scheduler: analyzing Dask's overheads", 2020), and
//! array workloads as clusters of climate scientists run them, as shapes.

use super::{Graph, Shape, add};

fn merge(count: u32) -> Graph {
    let mut graph = Graph::default();
    let sources = graph.sources(count);
    graph.task(&sources);
    graph
}

/// The chunk of a square array.
fn at(side: u32, row: u32, column: u32) -> usize {
    (row * side + column) as usize
}

/// `y = x + x.T`, half of it averaged by row, then summed.
fn numpy(side: u32) -> Graph {
    let mut graph = Graph::default();
    let x = graph.sources(side * side);
    let mut sums = Vec::new();
    for row in 0..side {
        let mut means = Vec::new();
        for column in 0..side {
            let turned = graph.task(&[x[at(side, column, row)]]);
            let sum = graph.task(&[x[at(side, row, column)], turned]);
            if column >= side / 2 {
                let slice = graph.task(&[sum]);
                means.push(graph.task(&[slice]));
            }
        }
        sums.push(graph.reduce(&means, 4));
    }
    graph.reduce(&sums, 8);
    graph
}

/// A bag's product with itself, filtered and summed.
fn bag(parts: u32) -> Graph {
    let mut graph = Graph::default();
    let made = graph.sources(parts);
    let kept = graph.map(&made);
    let mut lengths = Vec::new();
    for left in &kept {
        for right in &kept {
            let product = if left == right { graph.task(&[*left]) } else { graph.task(&[*left, *right]) };
            let filtered = graph.task(&[product]);
            lengths.push(graph.task(&[filtered]));
        }
    }
    graph.reduce(&lengths, 8);
    graph
}

/// Anomalies: every chunk less the mean of its group, then summed.
fn anomalies(groups: u32, chunks: u32, is_summed: bool) -> Graph {
    let mut graph = Graph::default();
    let source = graph.task(&[]);
    let mut ends = Vec::new();
    for _ in 0..groups {
        let x: Vec<u32> = (0..chunks).map(|_| graph.task(&[source])).collect();
        let parts = graph.map(&x);
        let mean = graph.reduce(&parts, 4);
        ends.extend(x.iter().map(|chunk| graph.task(&[*chunk, mean])).collect::<Vec<_>>());
    }
    if is_summed {
        let squares = graph.map(&ends);
        graph.reduce(&squares, 8);
    }
    graph
}

/// Chunks over time, each cut by group; a mean for each group over all chunks; each chunk less the means; their mean.
fn anom_mean(chunks: u32, groups: u32) -> Graph {
    let mut graph = Graph::default();
    let chunks = graph.sources(chunks);
    let cuts: Vec<Vec<u32>> = (0..groups).map(|_| graph.map(&chunks)).collect();
    let means: Vec<u32> = cuts
        .iter()
        .map(|cut| {
            let parts = graph.map(cut);
            graph.reduce(&parts, 4)
        })
        .collect();
    let mut rows = Vec::new();
    for at in 0..chunks.len() {
        let anomalies: Vec<u32> = cuts.iter().zip(&means).map(|(cut, mean)| graph.task(&[cut[at], *mean])).collect();
        rows.push(graph.task(&anomalies));
    }
    let parts = graph.map(&rows);
    graph.reduce(&parts, 4);
    graph
}

/// Means of `u²`, `uv` and `v²` over time, as three outputs.
fn quadratic_mean(chunks: u32) -> Graph {
    let mut graph = Graph::default();
    let (u, v) = (graph.sources(chunks), graph.sources(chunks));
    let products = [graph.map(&u), graph.zip(&u, &v), graph.map(&v)];
    for product in products {
        let parts = graph.map(&product);
        graph.reduce(&parts, 4);
    }
    graph
}

/// Differences of neighbouring chunks in both directions, and their difference.
fn vorticity(side: u32) -> Graph {
    let mut graph = Graph::default();
    let (u, v) = (graph.sources(side * side), graph.sources(side * side));
    for row in 0..side {
        for column in 0..side {
            let next_column = at(side, row, (column + 1) % side);
            let next_row = at(side, (row + 1) % side, column);
            let along = graph.task(&[v[at(side, row, column)], v[next_column]]);
            let across = graph.task(&[u[at(side, row, column)], u[next_row]]);
            graph.task(&[along, across]);
        }
    }
    graph
}

/// `a[1:] - a[:-1]` twice, rechunked by what slices leave over.
fn double_diff(side: u32) -> Graph {
    let mut graph = Graph::default();
    let x = graph.sources(side * side);
    let y = graph.sources(side * side);
    for row in 0..side - 1 {
        for column in 0..side - 1 {
            let corner = |of: &[u32], down: u32, right: u32| of[at(side, row + down, column + right)];
            let left: Vec<u32> = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(d, r)| graph.task(&[corner(&x, d, r)])).to_vec();
            let joined = graph.task(&left);
            let right = graph.task(&[corner(&y, 1, 1)]);
            graph.task(&[joined, right]);
        }
    }
    graph
}

/// `x @ x.T`, summed.
fn dot_product(side: u32) -> Graph {
    let mut graph = Graph::default();
    let x = graph.sources(side * side);
    let mut cells = Vec::new();
    for row in 0..side {
        for column in 0..side {
            let products: Vec<u32> = (0..side)
                .map(|k| {
                    let turned = graph.task(&[x[at(side, column, k)]]);
                    graph.task(&[x[at(side, row, k)], turned])
                })
                .collect();
            cells.push(graph.task(&products));
        }
    }
    graph.reduce(&cells, 4);
    graph
}

/// Tiles become rows: each row needs all tiles of a stripe, cut in as many pieces as there are tiles.
fn tiles_to_rows(stripes: u32, tiles: u32) -> Graph {
    let mut graph = Graph::default();
    for _ in 0..stripes {
        let stripe = graph.sources(tiles);
        let pieces: Vec<Vec<u32>> = (0..tiles).map(|_| graph.map(&stripe)).collect();
        for row in &pieces {
            graph.task(row);
        }
    }
    graph
}

/// Rows become columns: every column needs a piece of every row; summed.
fn swap_axes(side: u32) -> Graph {
    let mut graph = Graph::default();
    let rows = graph.sources(side);
    let mut columns = Vec::new();
    for _ in 0..side {
        let pieces = graph.map(&rows);
        columns.push(graph.task(&pieces));
    }
    let parts = graph.map(&columns);
    graph.reduce(&parts, 4);
    graph
}

/// Chunks of four become chunks of three.
fn adjacent_groups(chunks: u32) -> Graph {
    let mut graph = Graph::default();
    let old = graph.sources(chunks);
    for new in 0..chunks * 4 / 3 {
        let (begin, end) = (new * 3, new * 3 + 3);
        let pieces: Vec<u32> =
            (begin / 4..=(end - 1) / 4).filter(|chunk| *chunk < chunks).map(|chunk| graph.task(&[old[chunk as usize]])).collect();
        graph.task(&pieces);
    }
    graph
}

/// A shuffle by tasks in stages: in each, groups of `radix` partitions exchange pieces.
fn shuffle(radix: u32, stages: u32) -> Graph {
    let mut graph = Graph::default();
    let count = radix.pow(stages);
    let mut parts = graph.sources(count);
    for stage in 0..stages {
        let splits = graph.map(&parts);
        let step = radix.pow(stage);
        parts = (0..count)
            .map(|part| {
                let first = part - part / step % radix * step;
                let pieces: Vec<u32> = (0..radix).map(|i| graph.task(&[splits[(first + i * step) as usize]])).collect();
                graph.task(&pieces)
            })
            .collect();
    }
    graph.map(&parts);
    graph
}

/// Two shuffled tables, merged by partition and summed.
fn join(parts: u32) -> Graph {
    let mut graph = Graph::default();
    let side = |graph: &mut Graph| -> Vec<u32> {
        let read = graph.sources(parts);
        let splits = graph.map(&read);
        (0..parts)
            .map(|_| {
                let pieces = graph.map(&splits);
                graph.task(&pieces)
            })
            .collect()
    };
    let (left, right) = (side(&mut graph), side(&mut graph));
    let merged = graph.zip(&left, &right);
    let sums = graph.map(&merged);
    graph.reduce(&sums, 8);
    graph
}

/// `df.groupby(…).mean().sum() + df[…].resample(…).mean().sum()`.
fn groupby(parts: u32) -> Graph {
    let mut graph = Graph::default();
    let read = graph.sources(parts);
    let chunks = graph.map(&read);
    let (sums, counts) = (graph.map(&chunks), graph.map(&chunks));
    let (sum, count) = (graph.reduce(&sums, 8), graph.reduce(&counts, 8));
    let mean = graph.task(&[sum, count]);
    let filtered = graph.map(&read);
    let resampled: Vec<u32> = (0..filtered.len())
        .map(|at| if at == 0 { graph.task(&[filtered[0]]) } else { graph.task(&[filtered[at - 1], filtered[at]]) })
        .collect();
    let sums = graph.map(&resampled);
    let other = graph.reduce(&sums, 8);
    graph.task(&[mean, other]);
    graph
}

/// Loaded, mapped twice and summed by fours.
fn basic_sum(chunks: u32) -> Graph {
    let mut graph = Graph::default();
    let loaded = graph.sources(chunks);
    let added = graph.map(&loaded);
    let parts = graph.map(&added);
    graph.reduce(&parts, 4);
    graph
}

pub(super) fn add_to(shapes: &mut Vec<Shape>) {
    for size in [100, 2_000] {
        add(shapes, format!("merge-{size}"), merge(size));
        add(shapes, format!("basic-sum-{size}"), basic_sum(size));
        add(shapes, format!("groupby-{size}"), groupby(size));
        add(shapes, format!("adjacent-groups-{size}"), adjacent_groups(size));
        add(shapes, format!("quadratic-mean-{size}"), quadratic_mean(size));
    }
    for side in [4, 10, 25] {
        add(shapes, format!("numpy-{side}"), numpy(side));
        add(shapes, format!("bag-{side}"), bag(side));
        add(shapes, format!("vorticity-{side}"), vorticity(side));
        add(shapes, format!("double-diff-{side}"), double_diff(side));
        add(shapes, format!("dot-product-{side}"), dot_product(side.min(16)));
        add(shapes, format!("tiles-to-rows-{side}"), tiles_to_rows(side, side));
        add(shapes, format!("swap-axes-{side}"), swap_axes(side));
        add(shapes, format!("join-{side}"), join(side));
        add(shapes, format!("xarray-groupby-{side}"), anomalies(side, 12, true));
        add(shapes, format!("anomalies-{side}"), anomalies(side, 12, false));
    }
    for (chunks, groups) in [(10, 4), (40, 10), (100, 5)] {
        add(shapes, format!("anom-mean-{chunks}x{groups}"), anom_mean(chunks, groups));
    }
    for (radix, stages) in [(3, 2), (10, 1), (4, 3), (10, 2), (5, 4), (20, 2)] {
        add(shapes, format!("shuffle-{radix}^{stages}"), shuffle(radix, stages));
    }
}
