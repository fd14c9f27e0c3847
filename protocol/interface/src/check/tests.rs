use super::*;
use crate::interface::{Export, Interface};
use wasm_tasks_protocol::graph::{Argument, Arguments, DataEncoding, Dynamic, GraphBuilder, Options, PathStep, Source};
use wasm_tasks_protocol::ids::{ComponentDigest, TaskIndex};
use wasm_tasks_protocol::{ErrorCode, Value};

/// An interface from lines such as `add(a: s64, b: s64) -> s64`.
fn interface(lines: &[&str]) -> Interface {
    let export = |line: &&str| {
        let (name, rest) = line.split_once('(').expect("a name");
        let (params, returns) = match rest.rsplit_once(") -> ") {
            Some((params, returns)) => (params, Some(returns.parse().expect("a type"))),
            None => (rest.strip_suffix(')').expect("an end"), None),
        };
        let record: Type = format!("record {{ {params} }}").parse().expect("parameters");
        let Type::Record(params) = record else { unreachable!("it is a record") };
        Export::new(name, params.to_vec(), returns)
    };
    Interface::new(lines.iter().map(export).collect(), Vec::new(), Vec::new())
}

/// A graph of tasks on functions, both given in order.
struct Case {
    builder: GraphBuilder,
    interface: Interface,
    outputs: usize,
}

impl Case {
    fn new(exports: &[&str]) -> Case {
        let mut builder = GraphBuilder::new();
        builder.component(ComponentDigest::of(b"c"), None, None, None);
        let interface = interface(exports);
        for export in interface.exports() {
            builder.function(0, &export.name, &[], None, None, &Options::default());
        }
        Case { builder, interface, outputs: 0 }
    }

    fn function(&mut self, export: &str, bind: &[Argument], dynamic: Option<&Dynamic>) -> u32 {
        self.builder.function(0, export, bind, dynamic, None, &Options::default())
    }

    fn task(&mut self, function: u32, args: Vec<Argument>) -> &mut Case {
        let key = format!("t{}", self.builder.task_count());
        self.builder.task(&key, function, &Arguments::Positional(args), &Options::default());
        self
    }

    fn named(&mut self, function: u32, args: &[(&str, Argument)]) -> &mut Case {
        let key = format!("t{}", self.builder.task_count());
        let args = args.iter().map(|(name, argument)| ((*name).to_owned(), argument.clone())).collect();
        self.builder.task(&key, function, &Arguments::Named(args), &Options::default());
        self
    }

    fn output(&mut self, task: u32, path: Vec<PathStep>) -> &mut Case {
        self.outputs += 1;
        self.builder.output(Reference { task: TaskIndex(task), path });
        self
    }

    fn check(&mut self) -> Result<CheckedGraph, CheckErrors> {
        if self.outputs == 0 && self.builder.task_count() > 0 {
            self.output(0, Vec::new());
        }
        let graph = Graph::read(self.builder.to_bytes().into()).expect("a graph");
        check(&graph, |_| &self.interface)
    }

    /// The only error, as text and code.
    fn refused(&mut self) -> (ErrorCode, String) {
        let errors = self.check().expect_err("it does not fit");
        assert_eq!(errors.errors.len(), 1, "{errors}");
        (errors.code(), errors.to_string())
    }
}

fn int(value: i64) -> Argument {
    Value::int(value).into()
}

fn of(task: u32) -> Argument {
    Argument::Task(Reference::whole(TaskIndex(task)))
}

fn part(task: u32, path: &[PathStep]) -> Argument {
    Argument::Task(Reference { task: TaskIndex(task), path: path.to_vec() })
}

fn field(name: &str) -> PathStep {
    PathStep::Field(name.to_owned())
}

const ADD: &str = "add(a: s64, b: s64) -> s64";
const ROWS: &str = "rows(n: u32, rows: list<record { id: u32, label: string }>) -> list<record { id: u32, label: string }>";
const HOLD: &str = "hold(xs: list<f64>)";

#[test]
fn a_graph_that_fits_has_types() {
    let mut case = Case::new(&[ADD, "div(a: s64, b: s64) -> result<tuple<s64, s64>, string>"]);
    case.task(0, vec![int(1), int(2)]).task(1, vec![of(0), int(-3)]).task(0, vec![part(1, &[PathStep::Index(1)]), of(0)]);
    case.output(1, vec![PathStep::Index(0)]);
    let checked = case.check().expect("it fits");
    assert_eq!(checked.functions()[1].result.to_string(), "tuple<s64, s64>");
    assert_eq!(checked.functions()[1].error, Some(Type::String));
    let graph = Graph::read(case.builder.to_bytes().into()).expect("a graph");
    assert_eq!(checked.output_type(&graph, &graph.outputs()[0]), Type::S64);
}

#[test]
fn a_literal_that_does_not_fit_is_named_with_its_path() {
    let mut case = Case::new(&[ROWS]);
    let row = |label: Value| Value::Map(vec![("id".into(), Value::Uint(1)), ("label".into(), label)]);
    let rows = (0..18).map(|at| row(if at == 17 { Value::Uint(5) } else { Value::Str("x".into()) })).collect();
    case.task(0, vec![int(1), Value::Array(rows).into()]);
    let errors = case.check().expect_err("a number is no string");
    let error = &errors.errors[0];
    assert_eq!(error.path, "argument 2 (rows)[17].label");
    assert_eq!((error.expected.as_str(), error.found.as_str()), ("`string`", "the integer 5"));
    assert_eq!(error.code, ErrorCode::TypeMismatch);
    assert_eq!(error.to_string(), "tasks[0] `t0`: argument 2 (rows)[17].label: expected `string`, found the integer 5");
}

#[test]
fn edges_need_the_very_type() {
    let mut case = Case::new(&[ADD, "narrow(a: s32) -> s32"]);
    case.task(1, vec![int(1)]).task(0, vec![of(0), int(1)]);
    let (code, text) = case.refused();
    assert_eq!(code, ErrorCode::TypeMismatch);
    assert!(text.contains("argument 1 (a): expected `s64`, found the result of task `t0`, which is `s32`"), "{text}");
}

#[test]
fn references_inside_arguments_are_checked() {
    let mut case = Case::new(&[ADD, "sum(xs: list<s64>) -> s64", "name() -> string"]);
    case.task(0, vec![int(1), int(2)]).task(1, vec![Argument::Array(vec![of(0), int(2), of(0)])]);
    case.check().expect("numbers and references mix");
    case.task(2, vec![]).task(1, vec![Argument::Array(vec![int(2), of(2)])]);
    let (_, text) = case.refused();
    assert!(text.contains("argument 1 (xs)[1]: expected `s64`, found the result of task `t2`, which is `string`"), "{text}");
}

#[test]
fn paths_lead_somewhere_or_say_what_there_is() {
    let mut case = Case::new(&[ROWS, "len(s: string) -> u32"]);
    case.task(0, vec![int(1), Value::Array(vec![]).into()]);
    case.task(1, vec![part(0, &[PathStep::Index(3), field("label")])]);
    case.check().expect("a path to a string");
    case.task(1, vec![part(0, &[PathStep::Index(3), field("lable")])]);
    let (code, text) = case.refused();
    assert_eq!(code, ErrorCode::TypeMismatch);
    assert!(text.contains("the step `.lable` into `[3]` of type `record"), "{text}");
    assert!(text.contains("hint: did you mean `label`?"), "{text}");
}

#[test]
fn outputs_are_checked() {
    let mut case = Case::new(&[ADD]);
    case.task(0, vec![int(1), int(2)]).output(0, vec![field("x")]);
    let (code, text) = case.refused();
    assert_eq!(code, ErrorCode::TypeMismatch);
    assert!(text.starts_with("outputs[0]: "), "{text}");
}

#[test]
fn arity_names_parameters() {
    let mut case = Case::new(&[ADD]);
    case.task(0, vec![int(1)]);
    assert_eq!(
        case.refused(),
        (ErrorCode::WrongArity, "tasks[0] `t0`: `add` takes 2 arguments, found 1\n  hint: missing: `b: s64`".to_owned())
    );
    let mut case = Case::new(&[ADD]);
    case.task(0, vec![int(1), int(2), int(3)]);
    assert!(case.refused().1.contains("takes 2 arguments, found 3"));
    let mut case = Case::new(&[ADD]);
    case.named(0, &[("b", int(1))]);
    assert!(case.refused().1.contains("missing: `a: s64`"));
}

#[test]
fn arguments_may_be_named() {
    let mut case = Case::new(&["plot(title: string, width: u32) -> string"]);
    case.named(0, &[("width", int(3)), ("title", Value::Str("x".into()).into())]);
    case.check().expect("named arguments in any order");
    case.named(0, &[("width", int(3)), ("titel", Value::Str("x".into()).into())]);
    let (code, text) = case.refused();
    assert_eq!(code, ErrorCode::WrongArity);
    assert!(text.contains("`titel` is no parameter of `plot`\n  hint: did you mean `title`?"), "{text}");
}

#[test]
fn unknown_exports_are_reported_once_and_nothing_after_them() {
    let mut case = Case::new(&[ADD]);
    let missing = case.function("ad", &[], None);
    case.task(missing, vec![int(1)]).task(0, vec![of(0), int(2)]);
    let (code, text) = case.refused();
    assert_eq!(code, ErrorCode::UnknownExport);
    assert!(text.contains("functions[1]: the component has no export `ad`; did you mean `add`?"), "{text}");
}

#[test]
fn bound_arguments_come_first() {
    let mut case = Case::new(&[ADD]);
    let increment = case.function("add", &[int(1)], None);
    case.task(increment, vec![int(2)]);
    case.check().expect("one is bound, one is given");
    case.named(increment, &[("b", int(2))]).check().expect("by name as well");
    let wrong = case.function("add", &[Value::Bool(true).into()], None);
    case.task(wrong, vec![int(2)]);
    let (code, text) = case.refused();
    assert_eq!(code, ErrorCode::TypeMismatch);
    assert!(text.contains("functions[2]: bound argument 1 (a): expected `s64`, found `true`"), "{text}");
    let mut case = Case::new(&[ADD]);
    case.function("add", &[int(1), int(2), int(3)], None);
    assert_eq!(case.refused().0, ErrorCode::WrongArity);
}

#[test]
fn nothing_takes_the_result_of_a_function_without_one() {
    let mut case = Case::new(&[HOLD, ADD]);
    case.task(0, vec![Value::Array(vec![]).into()]).task(1, vec![of(0), int(1)]);
    let (_, text) = case.refused();
    assert!(text.contains("which has no value (`hold` returns nothing)"), "{text}");
}

#[test]
fn dynamic_functions_take_anything_and_give_any() {
    let exports = [ADD, "run(source: string, args: list<u8>) -> result<list<u8>, string>"];
    let mut case = Case::new(&exports);
    let source: Argument = Value::Str("def f(): ...".into()).into();
    let script = case.function("run", std::slice::from_ref(&source), Some(&Dynamic::default()));
    let nested = Argument::Map(vec![("x".into(), of(0)), ("y".into(), Argument::Array(vec![int(1), of(0)]))]);
    case.task(0, vec![int(1), int(2)])
        .task(script, vec![nested, Value::Nil.into()])
        .task(script, vec![of(1), part(1, &[field("z")])]);
    let checked = case.check().expect("anything goes");
    assert_eq!(checked.functions()[2].result, Type::Any);
    case.task(0, vec![of(1), int(1)]);
    let (_, text) = case.refused();
    assert!(text.contains("expected `s64`, found the result of task `t1`, which is `any`\n  hint: declare"), "{text}");

    let mut case = Case::new(&exports);
    let typed = Dynamic { params: Some(vec![Type::S64]), result: Some(Type::S64) };
    let typed = case.function("run", &[source], Some(&typed));
    case.task(0, vec![int(1), int(2)]).task(typed, vec![of(0)]).task(0, vec![of(1), int(1)]);
    case.check().expect("declared types make edges");
    case.task(typed, vec![Value::Bool(true).into()]);
    assert!(case.refused().1.contains("argument 1: expected `s64`, found `true`"));

    let mut case = Case::new(&exports);
    case.function("add", &[int(1)], Some(&Dynamic::default()));
    assert!(case.refused().1.contains("takes one `list<u8>`"));
}

#[test]
fn data_is_typed_by_what_it_says_or_what_it_feeds() {
    let mut case = Case::new(&["sum(xs: list<f64>) -> f64", "count(xs: list<u8>) -> u32"]);
    let numbers = Value::Array(vec![Value::Uint(1), Value::F64(2.5)]).to_msgpack();
    let untyped = case.builder.data_bytes(&numbers, None, DataEncoding::Value, None);
    let raw = case.builder.data_bytes(b"abc", None, DataEncoding::Raw, None);
    case.task(0, vec![Argument::Data(untyped)]).task(1, vec![Argument::Data(raw)]);
    let checked = case.check().expect("data fits");
    assert_eq!(checked.data_types(0)[0].to_string(), "list<f64>");
    assert_eq!(checked.data_types(1)[0], Type::bytes());
    case.task(1, vec![Argument::Data(untyped)]).task(0, vec![Argument::Data(raw)]);
    let errors = case.check().expect_err("neither fits the other");
    let texts: Vec<String> = errors.errors.iter().map(ToString::to_string).collect();
    assert!(texts[0].contains("expected `u8`, found the float 2.5 in data[0][1]"), "{}", texts[0]);
    assert!(texts[1].contains("expected `list<f64>`, found data[1], which is `list<u8>`"), "{}", texts[1]);

    let mut case = Case::new(&["sum(xs: list<f64>) -> f64"]);
    let ty: Type = "list<f64>".parse().expect("a type");
    case.builder.data_bytes(&Value::Bool(true).to_msgpack(), None, DataEncoding::Value, Some(&ty));
    assert!(case.refused().1.starts_with("data[0]: expected `list<f64>`, found `true`"));
    let elsewhere = case.builder.data_source(&Source::Path("x".into()), 0, None, DataEncoding::Value, None);
    case.task(0, vec![Argument::Data(elsewhere)]);
    assert_eq!(case.check().expect_err("only the first").errors.len(), 1);
}

#[test]
fn many_errors_are_counted() {
    let mut case = Case::new(&[ADD]);
    for _ in 0..30 {
        case.task(0, vec![int(1), Value::Bool(true).into()]);
    }
    let errors = case.check().expect_err("all are wrong");
    assert_eq!((errors.errors.len(), errors.more, errors.is_cut), (20, 10, false));
    assert!(errors.to_string().ends_with("\nand 10 more"));
    for _ in 0..1_000 {
        case.task(0, vec![int(1), Value::Bool(true).into()]);
    }
    let errors = case.check().expect_err("all are wrong");
    assert!(errors.is_cut && errors.to_string().ends_with("\nand at least 80 more"));
}

/// A check whose client went stops before the next task, however much is left.
#[test]
fn a_check_that_nobody_waits_for_stops() {
    let mut case = Case::new(&[ADD]);
    for _ in 0..1_000 {
        case.task(0, vec![int(1), int(2)]);
    }
    case.output(0, Vec::new());
    let graph = Graph::read(case.builder.to_bytes().into()).expect("a graph");
    let asked = std::cell::Cell::new(0);
    let is_wanted = || asked.replace(asked.get() + 1) < 10;
    let errors = check_while(&graph, None, |_| &case.interface, &is_wanted).expect_err("nobody waits");
    assert_eq!((errors.code(), asked.get()), (ErrorCode::Cancelled, 11));
}
