//! Scripts and their answers: `testdata/*.txt`. A line that begins with `>` is what happens, the lines below it are what the core
//! wants done and said. When a script fails, what it should be is printed whole.

use super::builders::{assignment, core_settings, definition, delegated, ended, extension, failed, finished, graph_id, input};
use crate::{
    Action, Actions, AttemptId, ComponentId, Event, FetchId, GraphKey, InputValue, LaneId, Outcome, ResultId, WorkerCore,
};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::message::{Assignment, FromWorker, InputSource, PeerAddress, ToWorker};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{Attempt, ErrorCode, TaskError, TaskIndex, Time};

macro_rules! scripts {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            check(concat!(stringify!($name), ".txt"), include_str!(concat!("../../testdata/", stringify!($name), ".txt")));
        }
    )* };
}

scripts!(chains components data draining extends fetches leaving measures memory replicas resources runs stalls takes_back);

fn check(name: &str, expected: &str) {
    let mut script = Script::new();
    let mut actual = String::new();
    for line in expected.lines() {
        match line.strip_prefix("> ") {
            Some(command) => {
                writeln!(actual, "{line}").unwrap();
                let taken = catch_unwind(AssertUnwindSafe(|| script.take(command, &mut actual)));
                assert!(taken.is_ok(), "testdata/{name} goes wrong at its last line here:\n{actual}");
            }
            None if line.is_empty() || line.starts_with('#') => writeln!(actual, "{line}").unwrap(),
            None => {}
        }
    }
    assert!(actual == expected, "testdata/{name} is not what happens, which is:\n{actual}");
}

struct Script {
    core: WorkerCore,
    now: Time,
    attempts: BTreeMap<u64, AttemptId>,
    components: Vec<ComponentId>,
    fetches: Vec<FetchId>,
    data: Vec<(GraphKey, u32)>,
    /// Tasks by the place of their results.
    results: BTreeMap<ResultId, u32>,
    outputs: BTreeMap<u64, u32>,
}

impl Script {
    fn new() -> Script {
        Script {
            core: WorkerCore::new(core_settings(2)),
            now: Time(0),
            attempts: BTreeMap::new(),
            components: Vec::new(),
            fetches: Vec::new(),
            data: Vec::new(),
            results: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    fn take(&mut self, command: &str, text: &mut String) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let numbers = |from: usize| words[from..].iter().map(|word| word.parse::<u64>().unwrap());
        let tasks = |from: usize| numbers(from).map(|task| TaskIndex(task as u32)).collect::<Vec<_>>();
        let graph = graph_id(1);
        let order = match words[0] {
            "welcome" => ToWorker::Welcome { worker: WorkerId(1), heartbeat: Duration::from_millis(1_000) },
            "define" => definition(1),
            "assign" => ToWorker::AssignTasks {
                graph,
                tasks: words[1..].split(|word| *word == ",").map(|words| self.assignment(words)).collect(),
            },
            "cancel" => ToWorker::CancelAttempts(numbers(1).map(Attempt).collect()),
            "retract" => ToWorker::RetractAttempts(numbers(1).map(Attempt).collect()),
            "release" => ToWorker::ReleaseResults { graph, tasks: tasks(1) },
            "extend" => extension(1),
            "forget" => ToWorker::ForgetGraph(graph),
            "update" => ToWorker::UpdateInput { attempt: Attempt(words[1].parse().unwrap()), input: parse_input(words[2]) },
            "peer" => ToWorker::AddPeer(PeerAddress { worker: WorkerId(words[1].parse().unwrap()), addresses: Vec::new() }),
            "peer-gone" => ToWorker::RemovePeer(WorkerId(words[1].parse().unwrap())),
            "shutdown" => ToWorker::Shutdown,
            "be-drained" => ToWorker::Drain,
            "load" => ToWorker::LoadData { graph, data: numbers(1).map(|number| number as u32).collect() },
            "preload" => {
                let digest = |number: u64| (wasm_tasks_protocol::ComponentDigest([number as u8; 32]), false);
                ToWorker::LoadComponents { client: 7, components: numbers(1).map(digest).collect() }
            }
            "replicate" => {
                let results = words[1..].iter().map(|word| parse_input(word)).collect();
                ToWorker::FetchReplicas { graph, results }
            }
            _ => return self.take_event(&words, text),
        };
        self.feed(Event::Ordered(order), text);
    }

    fn take_event(&mut self, words: &[&str], text: &mut String) {
        let error = |code| Err(TaskError::new(code, "no"));
        let result = || match words.get(1) {
            Some(&"broken") => error(ErrorCode::CompileFailed),
            Some(&"lost") => error(ErrorCode::WorkerFault),
            _ => Ok(()),
        };
        let event = match words[0] {
            "loaded" => Event::ComponentLoaded { component: self.components.remove(0), took: Duration(37), result: result() },
            "data" => {
                let (graph, position) = self.data.remove(0);
                Event::DataLoaded { graph, position, result: result() }
            }
            "fetched" => {
                let value = (words.get(1) != Some(&"nothing")).then(|| Bytes::from_static(b"fetched"));
                let mib: u64 = words.get(1).and_then(|word| word.strip_suffix("MiB")).map_or(0, |mib| mib.parse().unwrap());
                Event::FetchEnded { fetch: self.fetches.remove(0), value, bytes: mib << 20 }
            }
            "ended" => {
                let ended: Vec<_> = words[2..].iter().map(|word| self.ended(word)).collect();
                Event::AttemptsEnded { lane: LaneId(words[1].parse().unwrap()), ended }
            }
            "spilled" => {
                let (result, _) = self.results.iter().find(|(_, task)| task.to_string() == words[1]).expect("it was stored");
                Event::Spilled { result: *result, took: Duration(43) }
            }
            "settle" => Event::Settle,
            "wait" => {
                self.now = self.now + Duration(words[1].parse().unwrap());
                let due = self.core.next_timeout().filter(|(at, _)| *at <= self.now);
                let Some((_, name)) = due else { return };
                writeln!(text, "{name:?} is due").unwrap();
                Event::TimedOut
            }
            "memory" => {
                let part = |at: usize| core_settings(2).memory_bytes / 100 * words[at].parse::<u64>().unwrap();
                Event::MemoryMeasured { stored_bytes: part(1), process_bytes: part(2) }
            }
            "drain" => Event::Drain { within: Some(Duration::from_millis(5_000)) },
            "explain" => {
                match self.core.explain(Attempt(words[1].parse().unwrap())) {
                    Some(why) => writeln!(text, "{}: {}", why.phase.as_str(), why.reasons.join("; ")).unwrap(),
                    None => writeln!(text, "not here").unwrap(),
                }
                return;
            }
            other => panic!("no command `{other}`"),
        };
        self.feed(event, text);
    }

    /// `TASK:ATTEMPT`, then any of `f=FUNCTION`, `s=SETTINGS`, `p=USER-PRIORITY`, `data`, and inputs.
    fn assignment(&mut self, words: &[&str]) -> Assignment {
        let (task, attempt) = words[0].split_once(':').expect("TASK:ATTEMPT");
        let (task, attempt): (u32, u64) = (task.parse().unwrap(), attempt.parse().unwrap());
        self.outputs.insert(attempt, task);
        let mut built = assignment(task, attempt, 0, 0, Vec::new());
        for word in &words[1..] {
            match word.split_once('=') {
                Some(("f", function)) => built.function = function.parse().unwrap(),
                Some(("s", settings)) => built.settings = settings.parse().unwrap(),
                Some(("p", priority)) => built.priority.user = -priority.parse::<i32>().unwrap(),
                // An array with a reference to data entry 1, which is not here.
                None if *word == "data" => built.args = Bytes::from_static(&[0x91, 0xd4, 2, 1]),
                _ => built.inputs.push(parse_input(word)),
            }
        }
        built
    }

    /// `ATTEMPT:MICROSECONDS`, `ATTEMPT:fail` or `ATTEMPT:not-run`.
    fn ended(&self, word: &str) -> crate::Ended {
        let (attempt, how) = word.split_once(':').expect("ATTEMPT:HOW");
        let id = self.attempts.get(&attempt.parse::<u64>().unwrap());
        let id = *id.unwrap_or_else(|| panic!("attempt {attempt} is in no lane"));
        match how {
            "fail" => ended(id, failed()),
            "delegate" => ended(id, delegated()),
            "not-run" => ended(id, Outcome::NotRun),
            micros => ended(id, finished(micros.parse().unwrap(), b"result")),
        }
    }

    fn feed(&mut self, event: Event, text: &mut String) {
        let mut out = Actions::default();
        self.core.handle(self.now, event, &mut out);
        self.core.check_invariants();
        out.perform.into_iter().for_each(|action| self.write_action(action, text));
        out.send.iter().for_each(|message| write_message(message, text));
    }

    fn write_action(&mut self, action: Action, text: &mut String) {
        match action {
            Action::Execute { lane, run, report_at } => {
                write!(text, "lane {} runs", lane.0).unwrap();
                for launch in run {
                    self.attempts.insert(launch.attempt.0, launch.id);
                    write!(text, " {}", launch.attempt.0).unwrap();
                    let stored = launch.inputs.iter().filter(|input| matches!(input.value, InputValue::Stored(_))).count();
                    if !launch.inputs.is_empty() {
                        write!(text, " ({} inputs, {stored} stored", launch.inputs.len()).unwrap();
                        for input in &launch.inputs {
                            if let InputValue::Following(maker) = input.value {
                                let maker = self.attempts.iter().find(|(_, id)| **id == maker).expect("known").0;
                                write!(text, ", {} from {maker}", input.task.0).unwrap();
                            }
                        }
                        write!(text, ")").unwrap();
                    }
                }
                writeln!(text, "; report at {report_at}").unwrap();
            }
            Action::Interrupt { lane, id } => {
                let attempt = self.attempts.iter().find(|(_, known)| **known == id).map_or(0, |(attempt, _)| *attempt);
                writeln!(text, "lane {} stops {attempt}", lane.0).unwrap();
            }
            Action::Recall(lane) => writeln!(text, "lane {} gives back what it has not begun", lane.0).unwrap(),
            Action::LoadComponent { component, digest, is_metered, client: _ } => {
                self.components.push(component);
                writeln!(text, "load component {}{}", digest.0[0], if is_metered { " metered" } else { "" }).unwrap();
            }
            Action::UnloadComponent(_) => writeln!(text, "unload a component").unwrap(),
            Action::LoadData { graph, position, .. } => {
                self.data.push((graph, position));
                writeln!(text, "load data {position}").unwrap();
            }
            Action::Fetch { fetch, task, from, .. } => {
                self.fetches.push(fetch);
                writeln!(text, "fetch {} from {}", task.0, from.0).unwrap();
            }
            Action::CancelFetch(fetch) => {
                self.fetches.retain(|running| *running != fetch);
                writeln!(text, "stop a fetch").unwrap();
            }
            Action::Store { result, value } => {
                let task = (0..1_000).find(|task| self.core.held(graph_id(1), TaskIndex(*task)) == Some(result));
                if let Some(task) = task {
                    self.results.insert(result, task);
                    writeln!(text, "store {task}: {}", String::from_utf8_lossy(&value)).unwrap();
                } else {
                    writeln!(text, "store what is dropped right away").unwrap();
                }
            }
            Action::Drop(result) => match self.results.remove(&result) {
                Some(task) => writeln!(text, "drop {task}").unwrap(),
                None => writeln!(text, "drop it").unwrap(),
            },
            Action::DefineGraph { .. } => writeln!(text, "keep the graph's tables").unwrap(),
            Action::ExtendGraph { functions, .. } => writeln!(text, "keep {} more functions", functions.len()).unwrap(),
            Action::ForgetGraph(_) => writeln!(text, "forget the graph's tables").unwrap(),
            Action::AddPeer(peer) => writeln!(text, "add peer {}", peer.worker.0).unwrap(),
            Action::RemovePeer(peer) => writeln!(text, "remove peer {}", peer.0).unwrap(),
            Action::Welcomed(worker) => writeln!(text, "this is worker {}", worker.0).unwrap(),
            Action::Heartbeat => writeln!(text, "send a heartbeat").unwrap(),
            Action::Leave => writeln!(text, "leave").unwrap(),
        }
    }
}

/// `TASK=inline`, `TASK=WORKER+WORKER`, or `TASK=<ATTEMPT` for one that is expected from an attempt.
fn parse_input(word: &str) -> wasm_tasks_protocol::message::Input {
    let (task, from) = word.split_once('=').expect("an input");
    let source = match from.strip_prefix('<') {
        Some(attempt) => InputSource::Pending(Attempt(attempt.parse().unwrap())),
        None if from == "inline" => InputSource::Inline(Bytes::from_static(b"inline")),
        None => InputSource::At(
            from.split('+').filter(|word| !word.is_empty()).map(|worker| WorkerId(worker.parse().unwrap())).collect(),
        ),
    };
    input(task.parse().unwrap(), 400, source)
}

fn write_message(message: &FromWorker, text: &mut String) {
    let list = |attempts: &[Attempt]| attempts.iter().map(|attempt| attempt.0.to_string()).collect::<Vec<_>>().join(" ");
    match message {
        FromWorker::AttemptsFinished(reports) => {
            let attempts: Vec<_> = reports.iter().map(|report| report.attempt).collect();
            writeln!(text, "say finished {}", list(&attempts)).unwrap();
        }
        FromWorker::AttemptDelegated(report) => {
            writeln!(text, "say {} ended in {} bytes of tasks", report.attempt.0, report.tasks.len()).unwrap()
        }
        FromWorker::AttemptFailed(report) => writeln!(text, "say failed {}: {}", report.attempt.0, report.error).unwrap(),
        FromWorker::AttemptsStarted(attempts) => writeln!(text, "say started {}", list(attempts)).unwrap(),
        FromWorker::Retracted { asked, returned } => {
            writeln!(text, "say given back [{}] of [{}]", list(returned), list(asked)).unwrap()
        }
        FromWorker::InputMissing { attempt, task, tried } => {
            let tried: Vec<_> = tried.iter().map(|worker| worker.0).collect();
            writeln!(text, "say {} misses {}, tried {tried:?}", attempt.0, task.0).unwrap();
        }
        FromWorker::ReplicasAdded { tasks, .. } => {
            writeln!(text, "say replicas {:?}", tasks.iter().map(|task| task.0).collect::<Vec<_>>()).unwrap();
        }
        FromWorker::ReplicasMissing { tasks, .. } => {
            writeln!(text, "say no replicas {:?}", tasks.iter().map(|task| task.0).collect::<Vec<_>>()).unwrap();
        }
        FromWorker::MemoryShort(is_short) => {
            writeln!(text, "say memory is {}", if *is_short { "short" } else { "enough" }).unwrap()
        }
        FromWorker::ResultSpilled { task, took, .. } => {
            writeln!(text, "say {} is on disk, which took {} us", task.0, took.0).unwrap()
        }
        FromWorker::ComponentLoaded { digest, is_metered, took } => {
            let metered = if *is_metered { " metered" } else { "" };
            writeln!(text, "say component {}{metered} is here after {} us", digest.0[0], took.0).unwrap();
        }
        FromWorker::ComponentUnloaded { digest, is_metered } => {
            writeln!(text, "say component {}{} is gone", digest.0[0], if *is_metered { " metered" } else { "" }).unwrap();
        }
        FromWorker::BytesFetched { bytes, took } => writeln!(text, "say {} MiB in {} us", bytes >> 20, took.0).unwrap(),
        FromWorker::BytesGiven { bytes, took } => writeln!(text, "say {} MiB given in {} us", bytes >> 20, took.0).unwrap(),
        FromWorker::Draining { .. } => writeln!(text, "say draining").unwrap(),
        FromWorker::Leaving => writeln!(text, "say leaving").unwrap(),
        FromWorker::Joined(_) | FromWorker::Heartbeat { .. } => panic!("the shell says that"),
    }
}
