use super::super::tables::{Component, Function};
use super::*;
use wasm_tasks_protocol::graph::{Append, Fragment};
use wasm_tasks_protocol::{ComponentDigest, GraphId, TaskError, Value};

type Learnt = watch::Receiver<Option<Settled>>;

/// A ledger with one function.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    let component = Component { digest: ComponentDigest::of(b"c"), name: None, bytes: Some(Bytes::from_static(b"c")) };
    let component = ledger.tables.add_component(component);
    let function = Function { component, export: "f".to_owned(), dynamic: None, options: Options::default() };
    ledger.tables.add_function(function);
    ledger
}

/// A call with the results of others as arguments.
fn submit(ledger: &mut Ledger, needs: &[u32]) -> Learnt {
    let key = format!("f-{}", ledger.next_number()).into();
    let arguments = needs.iter().map(|need| Argument::Task(Reference::whole(TaskIndex(*need)))).collect();
    ledger.submit(Call { key, function: 0, arguments: Arguments::Positional(arguments), options: None })
}

/// The keys of a fragment's tasks, whose positions must fit what was written.
fn keys(ledger: &Ledger, prepared: &Prepared) -> Vec<String> {
    let append = Append { graph: GraphId([7; 16]), base: ledger.tables.written };
    let file = append.to_fragment(&prepared.tables).expect("a graph file");
    let fragment = Fragment::read(file.into()).expect("a fragment");
    fragment.tables().tasks().map(|task| task.key().to_owned()).collect()
}

fn told(learnt: &Learnt) -> Option<String> {
    learnt.borrow().clone().map(|settled| match settled {
        Settled::Value(bytes) => format!("{:?}", Value::from_msgpack(&bytes).expect("a value")),
        Settled::Stored(output) => format!("stored as {output}"),
        Settled::Failed(error) => error.to_string(),
    })
}

fn refusal() -> ClientError {
    ClientError::Refused(Refusal::new(ErrorCode::TypeMismatch, "no number".to_owned()))
}

fn one() -> OutputResult {
    OutputResult::Inline(Value::int(1).to_msgpack().into())
}

fn failure(task: u32) -> TaskFailure {
    TaskFailure {
        task: TaskIndex(task),
        key: format!("f-{task}"),
        function: "c f".to_owned(),
        worker: None,
        attempts: 1,
        dependents: 0,
        error: TaskError::new(ErrorCode::Trap, "unreachable"),
    }
}

#[test]
fn a_refused_call_concerns_what_needs_it_and_nobody_else() {
    let mut ledger = ledger();
    let learnt = [submit(&mut ledger, &[]), submit(&mut ledger, &[]), submit(&mut ledger, &[1]), submit(&mut ledger, &[0])];
    let mut taken = Vec::new();
    while let Some(prepared) = ledger.next_fragment() {
        let keys = keys(&ledger, &prepared);
        if keys.iter().any(|key| key == "f-1") {
            ledger.refused(refusal());
        } else {
            taken.extend(keys);
            ledger.appended();
        }
    }
    assert_eq!(taken, ["f-0", "f-3"]);
    assert_eq!(ledger.tables.written.tasks, 2);
    assert_eq!(learnt.each_ref().map(told), [None, Some("no number".into()), Some("no number".into()), None]);
    // The call that came last is the second task.
    ledger.output(1, one());
    assert_eq!(told(&learnt[3]).as_deref(), Some("Uint(1)"));
    // Who comes later learns it at once.
    let late = submit(&mut ledger, &[2]);
    assert!(ledger.next_fragment().is_none());
    assert_eq!(told(&late).as_deref(), Some("no number"));
}

#[test]
fn what_a_refused_fragment_would_have_written_is_written_again() {
    let mut ledger = ledger();
    submit(&mut ledger, &[]);
    let prepared = ledger.next_fragment().expect("a fragment");
    assert_eq!(prepared.uploads.len(), 1);
    ledger.refused(refusal());
    submit(&mut ledger, &[]);
    let prepared = ledger.next_fragment().expect("a fragment");
    assert_eq!((prepared.uploads.len(), keys(&ledger, &prepared)), (1, vec!["f-1".to_owned()]));
    ledger.appended();
    submit(&mut ledger, &[1]);
    let prepared = ledger.next_fragment().expect("a fragment");
    assert_eq!((prepared.uploads.len(), keys(&ledger, &prepared)), (0, vec!["f-2".to_owned()]));
}

#[test]
fn a_result_may_come_before_the_answer_to_its_fragment() {
    let mut ledger = ledger();
    let learnt = submit(&mut ledger, &[]);
    ledger.next_fragment().expect("a fragment");
    ledger.output(0, OutputResult::Stored { size: 9 });
    assert_eq!(told(&learnt).as_deref(), Some("stored as 0"));
    ledger.appended();
    assert!(ledger.next_fragment().is_none());
}

#[test]
fn one_fragment_is_under_way_at_a_time() {
    let mut ledger = ledger();
    submit(&mut ledger, &[]);
    assert!(ledger.next_fragment().is_some());
    submit(&mut ledger, &[0]);
    assert!(ledger.next_fragment().is_none());
    ledger.appended();
    assert!(ledger.next_fragment().is_some());
}

#[test]
fn a_failure_reaches_what_needs_it() {
    let mut ledger = ledger();
    let learnt = [submit(&mut ledger, &[]), submit(&mut ledger, &[0]), submit(&mut ledger, &[1]), submit(&mut ledger, &[])];
    ledger.next_fragment().expect("a fragment");
    ledger.appended();
    (0..3).for_each(|output| ledger.output(output, OutputResult::Failed));
    assert_eq!(learnt.each_ref().map(told), [None, None, None, None], "no reason was told");
    ledger.failed(failure(0));
    ledger.quiet();
    let error = Some("task `f-0` failed [trap]: unreachable".to_owned());
    assert_eq!(learnt.each_ref().map(told), [error.clone(), error.clone(), error.clone(), None]);
    let late = submit(&mut ledger, &[2]);
    ledger.next_fragment().expect("a fragment");
    ledger.output(4, OutputResult::Failed);
    assert_eq!(told(&late), error, "the reason is known already");
}

#[test]
fn what_was_stopped_from_elsewhere_is_said_when_everything_was_told() {
    let mut ledger = ledger();
    let learnt = submit(&mut ledger, &[]);
    ledger.next_fragment().expect("a fragment");
    ledger.appended();
    ledger.output(0, OutputResult::Failed);
    ledger.quiet();
    assert_eq!(told(&learnt).as_deref(), Some("task `f-0` was cancelled"));
}

#[test]
fn calls_are_cancelled_wherever_they_are() {
    let mut ledger = ledger();
    let learnt = [submit(&mut ledger, &[]), submit(&mut ledger, &[]), submit(&mut ledger, &[])];
    ledger.cancel(0);
    let prepared = ledger.next_fragment().expect("a fragment");
    assert_eq!(keys(&ledger, &prepared), ["f-1", "f-2"], "one that is still here is left out");
    ledger.cancel(1);
    assert_eq!(ledger.take_orders(), (vec![], vec![]), "one that is on its way is stopped when it is there");
    ledger.appended();
    assert_eq!(ledger.take_orders(), (vec![], vec![TaskIndex(0)]));
    ledger.cancel(2);
    assert_eq!(ledger.take_orders(), (vec![], vec![TaskIndex(1)]));
    let cancelled = |number: u32| Some(format!("task `f-{number}` was cancelled"));
    assert_eq!(learnt.each_ref().map(told), [cancelled(0), cancelled(1), cancelled(2)]);
    let dependents = [submit(&mut ledger, &[0]), submit(&mut ledger, &[1])];
    ledger.next_fragment().expect("a fragment");
    ledger.output(2, OutputResult::Failed);
    assert_eq!(dependents.each_ref().map(told), [cancelled(0), cancelled(1)]);
    // What has ended is left alone.
    ledger.cancel(2);
    assert_eq!(ledger.take_orders(), (vec![], vec![]));
}

#[test]
fn results_are_let_go_with_their_futures() {
    let mut ledger = ledger();
    let learnt = [submit(&mut ledger, &[]), submit(&mut ledger, &[0])];
    ledger.let_go(0);
    let prepared = ledger.next_fragment().expect("a fragment");
    assert_eq!(keys(&ledger, &prepared), ["f-0", "f-1"], "another call needs it");
    assert_eq!(ledger.take_orders(), (vec![], vec![]));
    ledger.appended();
    assert_eq!(ledger.take_orders(), (vec![0], vec![]));
    ledger.output(1, one());
    assert_eq!(told(&learnt[1]).as_deref(), Some("Uint(1)"));
    ledger.let_go(1);
    assert_eq!(ledger.take_orders(), (vec![1], vec![]));
}

#[test]
fn the_end_is_told_to_all_and_to_those_who_come_later() {
    let mut ledger = ledger();
    let learnt = [submit(&mut ledger, &[]), submit(&mut ledger, &[])];
    ledger.next_fragment().expect("a fragment");
    ledger.output(0, one());
    ledger.end(FutureError::Client(ClientError::Answer("over")));
    let over = Some("the scheduler's answer makes no sense: over".to_owned());
    let late = submit(&mut ledger, &[]);
    assert_eq!(learnt.each_ref().map(told), [Some("Uint(1)".into()), over.clone()]);
    assert_eq!(told(&late), over);
    assert!(ledger.next_fragment().is_none());
}

#[test]
fn a_future_of_another_session_is_refused() {
    let mut ledger = ledger();
    let learnt = [submit(&mut ledger, &[7]), submit(&mut ledger, &[1])];
    assert!(ledger.next_fragment().is_none());
    let says = |learnt: &Learnt| told(learnt).is_some_and(|told| told.contains("not of this session"));
    assert!(learnt.iter().all(says));
}
