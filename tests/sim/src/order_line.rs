//! One line of `cargo xtask order`: a graph as JSON becomes its order as JSON, or says what is wrong with it.
//!
//! Owns the form of requests and answers. Must not know where lines come from.

use serde_json::{Value, json};
use wasm_tasks_protocol::graph::edges::{edges_of, topological};
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_scheduler_core::{static_order, static_order_by_size};

/// Tasks of a circle that are named.
const NAMED_MAX: usize = 10;

/// Why a line has no order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It is not JSON.
    #[error("the line is not JSON: {0}")]
    NotJson(String),
    /// It is not an object with a list of lists.
    #[error("{at}: expected {expected}, found {found}")]
    Unexpected {
        /// The place.
        at: String,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// More than positions can count.
    #[error("{what}: {found} are too many; there may be {}", u32::MAX - 1)]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A task that is not there.
    #[error("{at}: there is no task {index}, the graph has {tasks}, counted from 0")]
    UnknownTask {
        /// The place.
        at: String,
        /// The task.
        index: u64,
        /// How many there are.
        tasks: usize,
    },
    /// A task that waits for itself.
    #[error("{at}: task {task} needs itself")]
    NeedsItself {
        /// The place.
        at: String,
        /// The task.
        task: usize,
    },
    /// Tasks that wait for each other.
    #[error("deps: tasks need each other in a circle: {}", named(.0))]
    Circle(Vec<u32>),
    /// Not one size a task.
    #[error("sizes: there are {found} sizes for {tasks} tasks")]
    SizesLength {
        /// How many sizes.
        found: usize,
        /// How many tasks.
        tasks: usize,
    },
}

fn named(tasks: &[u32]) -> String {
    let mut names: Vec<String> = tasks.iter().take(NAMED_MAX).map(u32::to_string).collect();
    if tasks.len() > NAMED_MAX {
        names.push(format!("… {} more", tasks.len() - NAMED_MAX));
    }
    names.extend(tasks.first().map(u32::to_string));
    names.join(" needs ")
}

/// A graph to be ordered: edges as in [`GraphPlan`](wasm_tasks_scheduler_core::GraphPlan), checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Where the inputs of each task begin.
    pub starts: Vec<u32>,
    /// Inputs of all tasks.
    pub dependencies: Vec<TaskIndex>,
    /// Bytes of results.
    pub sizes: Option<Vec<u64>>,
}

impl Request {
    /// Reads `{"deps": [[…], …], "sizes": […]}`; sizes may be absent, other fields are ignored.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(line: &[u8]) -> Result<Request, LineError> {
        let json: Value = serde_json::from_slice(line).map_err(|error| LineError::NotJson(error.to_string()))?;
        let Value::Object(fields) = &json else {
            return Err(unexpected("the line", "an object with `deps`", Some(&json)));
        };
        let deps = list(fields.get("deps"), || "deps".to_owned(), "a list of lists")?;
        if deps.len() >= u32::MAX as usize {
            return Err(LineError::TooMany { what: "tasks", found: deps.len() });
        }
        let mut request = Request { starts: Vec::with_capacity(deps.len() + 1), ..Request::default() };
        request.starts.push(0);
        for (task, inputs) in deps.iter().enumerate() {
            let inputs = list(Some(inputs), || format!("deps[{task}]"), "a list of task numbers")?;
            for (at, input) in inputs.iter().enumerate() {
                let place = || format!("deps[{task}][{at}]");
                let index = input.as_u64().ok_or_else(|| unexpected(&place(), "a task's number", Some(input)))?;
                if index >= deps.len() as u64 {
                    return Err(LineError::UnknownTask { at: place(), index, tasks: deps.len() });
                }
                if index == task as u64 {
                    return Err(LineError::NeedsItself { at: place(), task });
                }
                request.dependencies.push(TaskIndex(index as u32));
            }
            if request.dependencies.len() >= u32::MAX as usize {
                return Err(LineError::TooMany { what: "dependencies", found: request.dependencies.len() });
            }
            request.starts.push(request.dependencies.len() as u32);
        }
        request.sizes = match fields.get("sizes") {
            None | Some(Value::Null) => None,
            sizes => Some(read_sizes(sizes, deps.len())?),
        };
        match topological(&request.starts, &request.dependencies) {
            Ok(_) => Ok(request),
            Err(missing) => Err(LineError::Circle(circle(&request, &missing))),
        }
    }

    /// Ranks by task.
    pub fn order(&self) -> Vec<u32> {
        match &self.sizes {
            None => static_order(&self.starts, &self.dependencies),
            Some(sizes) => static_order_by_size(&self.starts, &self.dependencies, sizes),
        }
    }
}

/// The answer to a line: `{"priorities": […]}` or `{"error": "…"}`.
pub fn answer(line: &[u8]) -> Value {
    match Request::read(line) {
        Ok(request) => json!({"priorities": request.order()}),
        Err(error) => json!({"error": error.to_string()}),
    }
}

fn read_sizes(sizes: Option<&Value>, tasks: usize) -> Result<Vec<u64>, LineError> {
    let sizes = list(sizes, || "sizes".to_owned(), "a list of bytes, one for each task")?;
    if sizes.len() != tasks {
        return Err(LineError::SizesLength { found: sizes.len(), tasks });
    }
    let size = |(at, size): (usize, &Value)| {
        size.as_u64().ok_or_else(|| unexpected(&format!("sizes[{at}]"), "a whole number of bytes, 0 or more", Some(size)))
    };
    sizes.iter().enumerate().map(size).collect()
}

fn list<'a>(value: Option<&'a Value>, at: impl Fn() -> String, expected: &'static str) -> Result<&'a Vec<Value>, LineError> {
    match value {
        Some(Value::Array(list)) => Ok(list),
        other => Err(unexpected(&at(), expected, other)),
    }
}

fn unexpected(at: &str, expected: &'static str, found: Option<&Value>) -> LineError {
    let found = match found {
        None => "nothing".to_owned(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(_)) => "a string".to_owned(),
        Some(Value::Array(_)) => "a list".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
    };
    LineError::Unexpected { at: at.to_owned(), expected, found }
}

/// Tasks of which each needs the next, and the last the first. `missing` counts what each task still waits for.
fn circle(request: &Request, missing: &[u32]) -> Vec<u32> {
    let mut path = Vec::new();
    let mut position = vec![usize::MAX; missing.len()];
    let mut at = missing.iter().position(|missing| *missing > 0).expect("a task waits when not all are ordered") as u32;
    while position[at as usize] == usize::MAX {
        position[at as usize] = path.len();
        path.push(at);
        let inputs = edges_of(&request.starts, &request.dependencies, TaskIndex(at));
        at = inputs.iter().find(|input| missing[input.0 as usize] > 0).expect("what waits, waits for one that waits").0;
    }
    path.split_off(position[at as usize])
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        assert_eq!(answer(line.as_bytes()).to_string(), expected, "{line}");
    }

    #[test]
    fn graphs_are_ordered() {
        check(r#"{"deps": []}"#, r#"{"priorities":[]}"#);
        check(r#"{"deps": [[1], [2], []], "name": "chain"}"#, r#"{"priorities":[2,1,0]}"#);
        check(r#"{"deps": [[1, 1, 1], []], "sizes": null}"#, r#"{"priorities":[1,0]}"#);
        // The large result is made last, so that it lives the shortest.
        check(r#"{"deps": [[], [], [], [0], [1], [3, 4]], "sizes": [9, 1, 1, 1, 7, 0]}"#, r#"{"priorities":[1,3,0,2,4,5]}"#);
    }

    #[test]
    fn bad_lines_say_what_and_where() {
        check("{", r#"{"error":"the line is not JSON: EOF while parsing an object at line 1 column 1"}"#);
        check("", r#"{"error":"the line is not JSON: EOF while parsing a value at line 1 column 0"}"#);
        check("[]", r#"{"error":"the line: expected an object with `deps`, found a list"}"#);
        check("{}", r#"{"error":"deps: expected a list of lists, found nothing"}"#);
        check(r#"{"deps": [[], 3]}"#, r#"{"error":"deps[1]: expected a list of task numbers, found 3"}"#);
        check(r#"{"deps": [[], [0, -1]]}"#, r#"{"error":"deps[1][1]: expected a task's number, found -1"}"#);
        check(r#"{"deps": [[], [0.5]]}"#, r#"{"error":"deps[1][0]: expected a task's number, found 0.5"}"#);
        check(r#"{"deps": [[], [2]]}"#, r#"{"error":"deps[1][0]: there is no task 2, the graph has 2, counted from 0"}"#);
        check(r#"{"deps": [[], [1]]}"#, r#"{"error":"deps[1][0]: task 1 needs itself"}"#);
        let circle = r#"{"error":"deps: tasks need each other in a circle: 1 needs 3 needs 2 needs 1"}"#;
        check(r#"{"deps": [[1], [3], [1], [4, 2], []]}"#, circle);
        check(r#"{"deps": [[], []], "sizes": [1]}"#, r#"{"error":"sizes: there are 1 sizes for 2 tasks"}"#);
        let size = r#"{"error":"sizes[0]: expected a whole number of bytes, 0 or more, found -1"}"#;
        check(r#"{"deps": [[]], "sizes": [-1]}"#, size);
        check(
            r#"{"deps": [[]], "sizes": "big"}"#,
            r#"{"error":"sizes: expected a list of bytes, one for each task, found a string"}"#,
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error() {
        assert!(answer(&[0xff, 0xfe]).get("error").is_some());
    }
}
