//! How our makespans stand beside the best of the others, a line for each graph, and what they are together.

use serde_json::Value;
use std::fmt;

/// What differs by less than this part is the same.
const SAME: f64 = 0.01;

/// Ratios of graphs.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    graphs: Vec<Graph>,
}

#[derive(Debug)]
struct Graph {
    name: String,
    ours: f64,
    best: f64,
    policy: String,
    /// Whether it matters how the graph is scheduled.
    differs: bool,
}

impl Summary {
    /// Adds the line of a graph.
    pub(crate) fn add(&mut self, line: &Value) {
        let Some(policies) = line["policies"].as_object() else { return };
        let makespan = |policy: &Value| policy["makespan"].as_f64().unwrap_or(0.0);
        let ours = makespan(&line["policies"]["ours"]);
        let others = || policies.iter().filter(|(name, _)| *name != "ours").map(|(name, values)| (makespan(values), name));
        let Some((best, policy)) = others().min_by(|a, b| a.0.total_cmp(&b.0)) else { return };
        // One worker alone tells nothing of a policy.
        let all = || others().filter(|(_, name)| *name != "single").map(|(makespan, _)| makespan).chain([ours]);
        let (least, most) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
        let name = line["graph"].as_str().unwrap_or("graph").to_owned();
        self.graphs.push(Graph { name, ours, best, policy: policy.clone(), differs: most > least * (1.0 + SAME) });
    }
}

impl Graph {
    fn ratio(&self) -> f64 {
        if self.best > 0.0 { self.ours / self.best } else { 1.0 }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for graph in &self.graphs {
            let (name, ratio, policy) = (&graph.name, graph.ratio(), &graph.policy);
            writeln!(f, "{name:<20} {ratio:>6.3}  ours {:>10.1} s, {policy} {:>10.1} s", graph.ours, graph.best)?;
        }
        let logs: Vec<f64> = self.graphs.iter().filter(|graph| graph.differs).map(|graph| graph.ratio().ln()).collect();
        let mean = (logs.iter().sum::<f64>() / logs.len().max(1) as f64).exp();
        let worst = self.graphs.iter().map(Graph::ratio).fold(0.0, f64::max);
        writeln!(f, "geometric mean {mean:.3} over {} graphs where policies differ, worst {worst:.3}", logs.len())
    }
}
