//! What an order finds hard: shared inputs, outputs that want different ways through the same results, pipelines that block each other.

use super::{Graph, Shape, add};

pub(super) fn chains(count: u32, length: u32) -> Graph {
    let mut graph = Graph::default();
    for _ in 0..count {
        let mut at = graph.task(&[]);
        for _ in 1..length {
            at = graph.task(&[at]);
        }
    }
    graph
}

pub(super) fn grid(rows: u32, columns: u32) -> Graph {
    let mut graph = Graph::default();
    for row in 0..rows {
        for column in 0..columns {
            let here = row * columns + column;
            let inputs: Vec<u32> =
                [(row > 0).then(|| here - columns), (column > 0).then(|| here - 1)].into_iter().flatten().collect();
            graph.task(&inputs);
        }
    }
    graph
}

/// One source for many, each mapped, all of which meet again, several times.
fn broadcast(width: u32, times: u32) -> Graph {
    let mut graph = Graph::default();
    let mut at = graph.task(&[]);
    for _ in 0..times {
        let many: Vec<u32> = (0..width).map(|_| graph.task(&[at])).collect();
        let mapped = graph.map(&many);
        at = graph.task(&mapped);
    }
    graph
}

/// Reductions over pairs of a shared row and an own one.
fn shared_reduction(rows: u32, columns: u32) -> Graph {
    let mut graph = Graph::default();
    let shared = graph.sources(columns);
    for _ in 0..rows {
        let own = graph.sources(columns);
        let products = graph.zip(&shared, &own);
        graph.reduce(&products, 4);
    }
    graph
}

/// Blocks with halos: every block needs slices of its neighbours in two dimensions, is mapped and trimmed; some are summed.
fn map_overlap(side: u32, is_summed: bool) -> Graph {
    let mut graph = Graph::default();
    let x = graph.sources(side * side);
    let mut ends = Vec::new();
    for row in 0..side {
        for column in 0..side {
            let mut parts = Vec::new();
            for near_row in row.saturating_sub(1)..=(row + 1).min(side - 1) {
                for near in column.saturating_sub(1)..=(column + 1).min(side - 1) {
                    parts.push(graph.task(&[x[(near_row * side + near) as usize]]));
                }
            }
            let joined = graph.task(&parts);
            let mapped = graph.task(&[joined]);
            ends.push(graph.task(&[mapped]));
        }
    }
    if is_summed {
        graph.reduce(&ends, 4);
    }
    graph
}

/// Neighbours of neighbours: each of a row needs some before and after it, and each output some of these.
fn neighbours(width: u32, reach: u32) -> Graph {
    let mut graph = Graph::default();
    let sources = graph.sources(width);
    let near = |graph: &mut Graph, of: &[u32]| -> Vec<u32> {
        (0..width)
            .map(|at| {
                let (first, last) = (at.saturating_sub(reach) as usize, (at + reach).min(width - 1) as usize);
                graph.task(&of[first..=last])
            })
            .collect()
    };
    let middle = near(&mut graph, &sources);
    near(&mut graph, &middle);
    graph
}

/// A long arm and short ones from one result, which meet again: the long arm must not be left for last.
fn branches(count: u32, length: u32) -> Graph {
    let mut graph = Graph::default();
    for _ in 0..count {
        let source = graph.task(&[]);
        let short = graph.task(&[source]);
        let mut long = graph.task(&[source]);
        for _ in 0..length {
            let beside = graph.task(&[]);
            long = graph.task(&[long, beside]);
        }
        graph.task(&[short]);
        graph.task(&[short, long]);
    }
    graph
}

/// Results that nothing but two far reducers need: doing all dependents of one too early keeps the others alive.
fn late_reducers(width: u32) -> Graph {
    let mut graph = Graph::default();
    let sources = graph.sources(width);
    let left = graph.map(&sources);
    let right = graph.map(&sources);
    let more = graph.map(&right);
    let (a, b) = (graph.reduce(&left, 2), graph.reduce(&more, 8));
    let ends: Vec<u32> = sources.chunks(4).map(|some| graph.task(&[some[0], a, b])).collect();
    graph.task(&ends);
    graph
}

/// Stores: every block is loaded, mapped and written, and one task waits for all.
fn store(blocks: u32, arrays: u32) -> Graph {
    let mut graph = Graph::default();
    let mut written = Vec::new();
    for _ in 0..arrays {
        let target = graph.task(&[]);
        for _ in 0..blocks {
            let loaded = graph.task(&[]);
            let mapped = graph.task(&[loaded]);
            written.push(graph.task(&[mapped, target]));
        }
    }
    graph.task(&written);
    graph
}

/// Tiled Cholesky factorisation (Buttari et al., "A class of parallel tiled linear algebra algorithms", 2009).
fn cholesky(tiles: usize) -> Graph {
    let mut graph = Graph::default();
    let mut a: Vec<Vec<u32>> = (0..tiles).map(|row| graph.sources(row as u32 + 1)).collect();
    for k in 0..tiles {
        a[k][k] = graph.task(&[a[k][k]]);
        for i in k + 1..tiles {
            a[i][k] = graph.task(&[a[i][k], a[k][k]]);
        }
        for i in k + 1..tiles {
            for j in k + 1..=i {
                let mut inputs = vec![a[i][j], a[i][k], a[j][k]];
                inputs.dedup();
                a[i][j] = graph.task(&inputs);
            }
        }
    }
    graph
}

/// Tiled LU factorisation by sums of products, both factors kept.
fn lu(tiles: usize) -> Graph {
    let mut graph = Graph::default();
    let a: Vec<Vec<u32>> = (0..tiles).map(|_| graph.sources(tiles as u32)).collect();
    let mut l = vec![vec![0; tiles]; tiles];
    let mut u = l.clone();
    for i in 0..tiles {
        for j in 0..tiles {
            let mut inputs = vec![a[i][j]];
            for k in 0..i.min(j) {
                inputs.push(graph.task(&[l[i][k], u[k][j]]));
            }
            if i <= j {
                let part = graph.task(&inputs);
                u[i][j] = if i == j { part } else { graph.task(&[part, l[i][i]]) };
                if i == j {
                    l[i][i] = graph.task(&[part]);
                }
            } else {
                let part = graph.task(&inputs);
                l[i][j] = graph.task(&[part, u[j][j]]);
            }
        }
    }
    graph
}

/// Tall and skinny QR: blocks are factored, their factors meet in a tree, and both halves go back down.
fn tsqr(blocks: u32) -> Graph {
    let mut graph = Graph::default();
    let a = graph.sources(blocks);
    let qr = graph.map(&a);
    let (q, r) = (graph.map(&qr), graph.map(&qr));
    let stacked = graph.task(&r);
    let (inner_q, inner_r) = (graph.task(&[stacked]), graph.task(&[stacked]));
    for block in q {
        let slice = graph.task(&[inner_q]);
        graph.task(&[block, slice]);
    }
    graph.task(&[inner_r]);
    graph
}

/// A running sum over blocks: each is reduced, totals go from block to block, every block adds the total before it.
fn scan(blocks: u32) -> Graph {
    let mut graph = Graph::default();
    let x = graph.sources(blocks);
    let local = graph.map(&x);
    let last = graph.map(&local);
    let mut total = last[0];
    for at in 1..blocks as usize {
        graph.task(&[local[at], total]);
        total = graph.task(&[total, last[at]]);
    }
    graph
}

/// Mean and variance of every column, for rows that come one by one; then rows are normalised.
fn normalise(rows: u32, columns: u32) -> Graph {
    let mut graph = Graph::default();
    let x: Vec<Vec<u32>> = (0..rows).map(|_| graph.sources(columns)).collect();
    for column in 0..columns as usize {
        let of: Vec<u32> = x.iter().map(|row| row[column]).collect();
        let (sums, squares) = (graph.map(&of), graph.map(&of));
        let (sum, square) = (graph.reduce(&sums, 4), graph.reduce(&squares, 4));
        let scale = graph.task(&[sum, square]);
        for cell in of {
            graph.task(&[cell, scale]);
        }
    }
    graph
}

/// Cohorts of a grouped reduction: blocks belong to several overlapping groups.
fn cohorts(blocks: u32, groups: u32) -> Graph {
    let mut graph = Graph::default();
    let x = graph.sources(blocks);
    let parts = graph.map(&x);
    for group in 0..groups {
        let of: Vec<u32> =
            (0..blocks).filter(|at| (at + group) % groups < 2).map(|at| graph.task(&[parts[at as usize]])).collect();
        let reduced = graph.reduce(&of, 4);
        graph.task(&[reduced]);
    }
    graph
}

/// Images that are registered by pairs and stacked by time, over shared metadata.
fn stack(times: u32, bands: u32) -> Graph {
    let mut graph = Graph::default();
    let shared = graph.sources(2);
    let mut composites = Vec::new();
    for _ in 0..times {
        let of: Vec<u32> = (0..bands)
            .map(|_| {
                let read = graph.task(&shared);
                let warped = graph.task(&[read, shared[0]]);
                graph.task(&[warped])
            })
            .collect();
        let mask = graph.task(&of[..1]);
        let masked: Vec<u32> = of.iter().map(|band| graph.task(&[*band, mask])).collect();
        composites.push(graph.task(&masked));
    }
    for band in 0..bands {
        let slices = graph.map(&composites);
        let median = graph.reduce(&slices, 3 + band as usize % 2);
        graph.task(&[median]);
    }
    graph
}

pub(super) fn add_to(shapes: &mut Vec<Shape>) {
    for (count, length) in [(1, 1_000), (50, 20), (500, 3)] {
        add(shapes, format!("chains-{count}x{length}"), chains(count, length));
    }
    for (rows, columns) in [(5, 5), (20, 20), (10, 100), (100, 10)] {
        add(shapes, format!("grid-{rows}x{columns}"), grid(rows, columns));
        add(shapes, format!("broadcast-{rows}x{columns}"), broadcast(rows, columns));
        add(shapes, format!("shared-reduction-{rows}x{columns}"), shared_reduction(rows, columns));
        add(shapes, format!("normalise-{rows}x{columns}"), normalise(rows, columns));
        add(shapes, format!("branches-{rows}x{columns}"), branches(rows, columns));
        add(shapes, format!("store-{rows}x{columns}"), store(rows, columns));
        add(shapes, format!("stack-{rows}x{columns}"), stack(rows, columns));
        add(shapes, format!("cohorts-{}x{}", rows * columns, rows), cohorts(rows * columns, rows));
    }
    for size in [4, 10, 20] {
        add(shapes, format!("map-overlap-{size}"), map_overlap(size, false));
        add(shapes, format!("map-overlap-sum-{size}"), map_overlap(size, true));
        add(shapes, format!("neighbours-{size}"), neighbours(size * 10, size / 3));
        add(shapes, format!("late-reducers-{size}"), late_reducers(size * 8));
        add(shapes, format!("cholesky-{size}"), cholesky(size as usize));
        add(shapes, format!("lu-{size}"), lu(size as usize));
        add(shapes, format!("tsqr-{size}"), tsqr(size * 5));
        add(shapes, format!("scan-{size}"), scan(size * 10));
    }
}
