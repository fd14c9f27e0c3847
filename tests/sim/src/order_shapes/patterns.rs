//! The dependence patterns of Task Bench (Slaughter et al., "Task Bench: a parameterized benchmark for evaluating parallel runtime
//! performance", 2020): rounds of points, each of which needs some of the round before.

use super::{Graph, Shape, add};

/// Rounds of `width` points; `needs` says which points of the round before one needs.
pub(super) fn layers(width: u32, rounds: u32, needs: impl Fn(u32, u32) -> Vec<u32>) -> Graph {
    rounds_of(width, rounds, |point, _| needs(point, width))
}

fn rounds_of(width: u32, rounds: u32, needs: impl Fn(u32, u32) -> Vec<u32>) -> Graph {
    let mut graph = Graph::default();
    let mut last = graph.sources(width);
    for round in 1..rounds {
        last = (0..width)
            .map(|point| {
                let inputs: Vec<u32> = needs(point, round).iter().map(|need| last[*need as usize]).collect();
                graph.task(&inputs)
            })
            .collect();
    }
    graph
}

/// The points near one, some to the left and some to the right.
pub(super) fn around(point: u32, left: u32, right: u32, width: u32) -> Vec<u32> {
    (point.saturating_sub(left)..=(point + right).min(width - 1)).collect()
}

/// Leaves that are added pairwise.
pub(super) fn pairs(levels: u32) -> Graph {
    let mut graph = Graph::default();
    let leaves = graph.sources(1 << levels);
    graph.reduce(&leaves, 2);
    graph
}

/// Every point splits into two in the next round.
fn splitting(levels: u32) -> Graph {
    let mut graph = Graph::default();
    let mut last = graph.sources(1);
    for _ in 0..levels {
        last = last.iter().flat_map(|task| [*task, *task]).collect::<Vec<_>>().iter().map(|task| graph.task(&[*task])).collect();
    }
    graph
}

/// A diamond of rounds that grow to a width and shrink again.
fn dom(width: u32) -> Graph {
    let mut graph = Graph::default();
    let mut last: Vec<u32> = Vec::new();
    let mut first = 0i64;
    for round in 0..2 * i64::from(width) - 1 {
        let begin = (round + 1 - i64::from(width)).max(0);
        let now: Vec<u32> = (begin..=round.min(i64::from(width) - 1))
            .map(|point| {
                let near = (point - 1..=point).filter_map(|at| usize::try_from(at - first).ok());
                let inputs: Vec<u32> = near.filter_map(|at| last.get(at)).copied().collect();
                graph.task(&inputs)
            })
            .collect();
        (last, first) = (now, begin);
    }
    graph
}

fn fft(width: u32) -> Graph {
    let sets = width.ilog2();
    rounds_of(width, 2 * sets, |point, round| {
        let far = 1 << ((round + sets - 1) % sets);
        [point.checked_sub(far), Some(point), (point + far < width).then_some(point + far)].into_iter().flatten().collect()
    })
}

fn spread(width: u32, rounds: u32, radix: u32, period: u32) -> Graph {
    rounds_of(width, rounds, |point, round| {
        let mut needs: Vec<u32> =
            (0..radix).map(|i| (point + i * width / radix + if i > 0 { round % period } else { 0 }) % width).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    })
}

/// Of the points near one about half, always the same.
fn random_nearest(width: u32, rounds: u32) -> Graph {
    rounds_of(width, rounds, |point, round| {
        let bits = crate::random::mix(u64::from(point) << 32 | u64::from(round));
        let near = around(point, 2, 2, width);
        near.into_iter().filter(|need| *need == point || bits >> (need % 5) & 1 == 1).collect()
    })
}

pub(super) fn add_to(shapes: &mut Vec<Shape>) {
    for (width, rounds) in [(4, 50), (20, 20), (100, 10), (50, 100)] {
        let size = format!("{width}x{rounds}");
        add(shapes, format!("trivial-{size}"), layers(width, rounds, |_, _| Vec::new()));
        add(shapes, format!("no-comm-{size}"), layers(width, rounds, |point, _| vec![point]));
        add(shapes, format!("stencil-{size}"), layers(width, rounds, |point, width| around(point, 1, 1, width)));
        let periodic = |point, width| vec![(point + width - 1) % width, point, (point + 1) % width];
        add(shapes, format!("stencil-periodic-{size}"), layers(width, rounds, periodic));
        add(shapes, format!("nearest-{size}"), layers(width, rounds, |point, width| around(point, 2, 2, width)));
        add(shapes, format!("spread-{size}"), spread(width, rounds, 3, 3));
        add(shapes, format!("random-nearest-{size}"), random_nearest(width, rounds));
    }
    for (width, rounds) in [(4, 10), (20, 5), (50, 4)] {
        add(shapes, format!("all-to-all-{width}x{rounds}"), layers(width, rounds, |_, width| (0..width).collect()));
    }
    for width in [4, 16, 64] {
        add(shapes, format!("fft-{width}"), fft(width));
        add(shapes, format!("dom-{width}"), dom(width));
    }
    for levels in [4, 8, 12] {
        add(shapes, format!("tree-{levels}"), pairs(levels));
        add(shapes, format!("split-tree-{levels}"), splitting(levels));
    }
}
