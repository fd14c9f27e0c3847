use super::{Delegated, Delegator};
use crate::ErrorCode;
use crate::graph::{Append, Argument, Arguments, Extent, Fragment, GraphBuilder, GraphError, Options, Reference};
use crate::ids::{ComponentDigest, GraphId, TaskIndex};
use crate::msgpack::Writer;
use crate::value::Value;
use proptest::prelude::*;

const BASE: Extent = Extent { components: 2, functions: 3, data: 4, tasks: 10, outputs: 1 };

fn reference(task: u32) -> Argument {
    Argument::Task(Reference::whole(TaskIndex(task)))
}

fn argument(position: u8) -> Argument {
    Argument::Value(Value::Ext(4, vec![position]))
}

fn encoded(arguments: &[Argument]) -> Vec<u8> {
    let mut builder = GraphBuilder::new();
    builder.task("t", 0, &Arguments::Positional(arguments.to_vec()), &Options::default());
    let file = builder.to_bytes();
    let at = file.windows(3).position(|bytes| bytes == [0xa1, b't', 0]).expect("the task") + 3;
    let mut reader = crate::msgpack::Reader::new(&file[at..]);
    reader.skip().expect("arguments").to_owned()
}

/// What `f(5, #3)` makes of tasks: `f` is function 1 of component 1, and binds nothing.
fn delegated(file: &[u8]) -> Result<Delegated, GraphError> {
    delegated_by(file, &encoded(&[Argument::Value(Value::Int(5)), reference(3)]))
}

fn delegated_by(file: &[u8], args: &[u8]) -> Result<Delegated, GraphError> {
    let known = ComponentDigest::of(b"known");
    Delegator {
        append: Append { graph: GraphId([7; 16]), base: BASE },
        key: "parent",
        component: 1,
        function: 1,
        bound: None,
        args,
        params: &["x".to_owned(), "y".to_owned()],
        options: Options { seed: Some(9), priority: Some(2), ..Options::default() },
        own_options: Options { seed: Some(9), ..Options::default() },
        component_of: &|digest| (*digest == known).then_some(0),
        function_of: &|_| None,
    }
    .fragment(file)
}

/// Three tasks of two functions; the last of them is the output.
fn tasks() -> GraphBuilder {
    let mut builder = GraphBuilder::new();
    builder.component(ComponentDigest::of(b"known"), None, None, None);
    builder.function(1, "other", &[argument(0)], None, None, &Options::default());
    let seeded = Options { seed: Some(1), ..Options::default() };
    builder.task("a", 0, &Arguments::Positional(vec![argument(1), argument(0)]), &Options::default());
    builder.task("b", 0, &Arguments::Positional(vec![Argument::Array(vec![reference(0), argument(1)]), argument(0)]), &seeded);
    builder.task("c", 1, &Arguments::Positional(vec![reference(1)]), &Options::default());
    builder.output(Reference::whole(TaskIndex(2)));
    builder
}

#[test]
fn tasks_become_a_fragment_of_the_graph() {
    let written = delegated(&tasks().to_bytes()).expect("it is right");
    assert_eq!(written.output, TaskIndex(12));
    let fragment = Fragment::read(written.file.into()).expect("a fragment").into_tables();
    let keys: Vec<&str> = fragment.tasks().map(|task| task.key()).collect();
    assert_eq!(keys, ["parent/a", "parent/b", "parent/c"]);
    let functions: Vec<u32> = fragment.tasks().map(|task| task.function_index()).collect();
    assert_eq!(functions, [1, 1, 3], "its own, and the new one");
    assert_eq!(fragment.functions()[0].component, 0, "the graph's component with this digest");
    assert_eq!(fragment.task(TaskIndex(10)).dependencies(), [TaskIndex(3)], "what its argument was");
    assert_eq!(fragment.task(TaskIndex(11)).dependencies(), [TaskIndex(10), TaskIndex(3)]);
    assert_eq!(fragment.task(TaskIndex(12)).dependencies(), [TaskIndex(11)]);
    let bind = fragment.functions()[0].bind.clone().expect("it binds");
    assert_eq!(fragment.file()[bind], [0x91, 5], "the argument itself");
    let seeds: Vec<u64> = fragment.tasks().map(|task| task.settings().seed).collect();
    assert_eq!(seeds, [9, 1, 9], "as the task's own, unless it is said otherwise");
    assert_eq!(fragment.options().priority, Some(2));
}

#[test]
fn arguments_by_name_are_found_too() {
    let mut args = Writer::new();
    args.map(1);
    args.str("y");
    args.uint(8);
    let mut builder = GraphBuilder::new();
    builder.task("a", 0, &Arguments::Positional(vec![argument(1)]), &Options::default());
    builder.output(Reference::whole(TaskIndex(0)));
    let written = delegated_by(&builder.to_bytes(), args.as_bytes()).expect("it is right");
    let fragment = Fragment::read(written.file.into()).expect("a fragment").into_tables();
    assert_eq!(fragment.task(TaskIndex(10)).args(), [0x91, 8]);
    let mut missing = GraphBuilder::new();
    missing.task("a", 0, &Arguments::Positional(vec![argument(0)]), &Options::default());
    missing.output(Reference::whole(TaskIndex(0)));
    assert_eq!(delegated_by(&missing.to_bytes(), args.as_bytes()).expect_err("it is not given").code, ErrorCode::WrongArity);
}

#[test]
fn what_is_wrong_is_said() {
    let code = |change: &dyn Fn(&mut GraphBuilder)| {
        let mut builder = tasks();
        change(&mut builder);
        delegated(&builder.to_bytes()).expect_err("it is wrong").code
    };
    let task = |builder: &mut GraphBuilder, function: u32, argument: Argument| {
        builder.task("d", function, &Arguments::Positional(vec![argument]), &Options::default());
    };
    assert_eq!(code(&|builder| task(builder, 2, argument(0))), ErrorCode::BadField, "no such function");
    assert_eq!(code(&|builder| task(builder, 0, argument(2))), ErrorCode::WrongArity, "no such argument");
    assert_eq!(code(&|builder| task(builder, 0, reference(4))), ErrorCode::UnknownTask, "no such task");
    assert_eq!(code(&|builder| builder.output(Reference::whole(TaskIndex(0)))), ErrorCode::BadField, "two outputs");
    let foreign = |builder: &mut GraphBuilder| {
        builder.component(ComponentDigest::of(b"foreign"), None, None, None);
    };
    assert_eq!(code(&foreign), ErrorCode::NotUploaded);
    let with_bytes = |builder: &mut GraphBuilder| {
        builder.component(ComponentDigest::of(b"known"), None, Some(b"known"), None);
    };
    assert_eq!(code(&with_bytes), ErrorCode::UnknownField);
    assert_eq!(code(&|builder| builder.options(Options { name: Some("x".into()), ..Options::default() })), ErrorCode::BadField);
    let fragment = GraphBuilder::fragment(Append { graph: GraphId([7; 16]), base: BASE }).to_bytes();
    assert_eq!(delegated(&fragment).expect_err("a fragment").code, ErrorCode::UnknownField);
    assert_eq!(delegated(&vec![0xc0; 2 << 20]).expect_err("too long").code, ErrorCode::LimitExceeded);
}

#[test]
fn an_argument_that_is_named_often_does_not_fill_the_memory() {
    let large = encoded(&[Argument::Value(Value::Bin(vec![0; 1 << 20])), reference(3)]);
    let mut builder = GraphBuilder::new();
    let often = Argument::Array(vec![argument(0); 100_000]);
    builder.task("a", 0, &Arguments::Positional(vec![often]), &Options::default());
    builder.output(Reference::whole(TaskIndex(0)));
    assert_eq!(delegated_by(&builder.to_bytes(), &large).expect_err("too much").code, ErrorCode::LimitExceeded);
}

proptest! {
    /// Whatever a task writes, it is refused or becomes a file that is read or refused; nothing of it leads out of its own tasks
    /// and what the task itself was given.
    #[test]
    fn damaged_delegations_lead_nowhere(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5)) {
        let mut bytes = tasks().to_bytes();
        for (at, byte) in &cuts {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let written = delegated(&bytes);
        prop_assert!(written.is_ok() || !cuts.is_empty(), "the undamaged one is right: {:?}", written.err());
        if let Ok(written) = written
            && let Ok(fragment) = Fragment::read(written.file.into())
        {
            for task in fragment.tables().tasks() {
                let is_known = |need: &TaskIndex| need.0 >= BASE.tasks || need.0 == 3;
                prop_assert!(task.dependencies().iter().all(is_known));
            }
        }
    }
}
