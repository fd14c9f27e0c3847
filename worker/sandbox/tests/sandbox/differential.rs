//! The sandbox's typed calls against wasmtime's own `component::Val`, over random types, values, string encodings and
//! garbage in guest memory. `SANDBOX_FUZZ_CASES` (200 each by default) and `SANDBOX_FUZZ_SEED` change what is run.

use crate::generate::{self, Encoder, Rng};
use crate::support::{BUMP, Case, Table, load_text, module_text};
use std::sync::LazyLock;
use std::time::Duration;
use wasm_tasks_protocol::{ErrorCode, Type, Value};
use wasm_tasks_sandbox::Limits;
use wasmtime::component::{Component, Func, Linker, Val};
use wasmtime::{Engine, Store};

static REFERENCE: LazyLock<Engine> = LazyLock::new(Engine::default);
const ENCODINGS: [&str; 3] = ["utf8", "utf16", "latin1+utf16"];

fn cases() -> (usize, Rng) {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let seed = number("SANDBOX_FUZZ_SEED", 88_172_645_463_325_252);
    println!("SANDBOX_FUZZ_SEED={seed}");
    (number("SANDBOX_FUZZ_CASES", 200) as usize, Rng(seed))
}

fn reference(text: &str) -> (Store<()>, Func) {
    let component = Component::new(&REFERENCE, wat::parse_str(text).unwrap()).unwrap();
    let mut store = Store::new(&REFERENCE, ());
    let instance = Linker::new(&REFERENCE).instantiate(&mut store, &component).unwrap();
    let func = instance.get_func(&mut store, "f").unwrap();
    (store, func)
}

/// Changes a few bytes of a message.
fn damage(message: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bad = message.to_vec();
    for _ in 0..1 + rng.below(3) {
        let at = rng.below(bad.len());
        match rng.below(3) {
            0 => bad[at] = rng.next() as u8,
            1 => bad[at] ^= 1 << rng.below(8),
            _ => bad.truncate(at.max(1)),
        }
    }
    bad
}

/// The guest hands back its slots and its heap: both ways must have written the very same bytes.
#[test]
fn arguments_are_lowered_as_val_does() {
    let (count, mut rng) = cases();
    let (mut spilled, mut refused) = (0, 0);
    for _ in 0..count {
        let arity = [5, 5, 14][rng.below(3)];
        let types: Vec<Type> = (0..rng.below(arity)).map(|_| generate::ty(&mut rng, 3)).collect();
        let mut core: Vec<&str> = types.iter().flat_map(generate::flatten).collect();
        if core.len() > 16 {
            core = vec!["i32"];
            spilled += 1;
        }
        let (mut definitions, mut n) = (String::new(), 0);
        let params: Vec<String> = types
            .iter()
            .enumerate()
            .map(|(i, ty)| format!("(param \"p{i}\" {})", generate::wat(ty, &mut definitions, &mut n)))
            .collect();
        let dump: String =
            core.iter().enumerate().map(|(i, ty)| format!("({ty}.store (i32.const {}) (local.get {i}))", 64 + 16 * i)).collect();
        let core_params: String = core.iter().map(|ty| format!("(param {ty})")).collect();
        let body = format!(
            r#"{BUMP} (func (export "f") {core_params} (result i32) {dump}
                (i32.store (i32.const 8) (i32.const 64)) (i32.store (i32.const 12) (i32.sub (global.get $p) (i32.const 64))) (i32.const 8))"#
        );
        let text =
            module_text(&definitions, &format!("{} (result (list u8))", params.join(" ")), 4, &body, ENCODINGS[rng.below(3)]);

        let values: Vec<Val> = types.iter().map(|ty| generate::value(ty, &mut rng)).collect();
        let (mut store, func) = reference(&text);
        let mut result = [Val::Bool(false)];
        func.call(&mut store, &values, &mut result).unwrap();
        let Val::List(bytes) = &result[0] else { panic!("{result:?}") };
        let expected: Vec<u8> =
            bytes.iter().map(|byte| if let Val::U8(byte) = byte { *byte } else { panic!("{byte:?}") }).collect();

        let mut encoder = Encoder { rng: Some(&mut rng), ..Encoder::default() };
        let args = Value::Array(types.iter().zip(&values).map(|(ty, value)| encoder.encode(ty, value)).collect());
        let table = Table { values: encoder.data, ..Table::default() };
        let function = load_text(&text).unwrap().function("f").unwrap();
        assert_eq!(function.params().iter().map(|(_, ty)| ty.clone()).collect::<Vec<_>>(), types);
        let args = args.to_msgpack();
        let found = Case { args: &args, resolve: &table, ..Case::default() }.run(&function).result;
        let found = found.unwrap_or_else(|error| panic!("{error}\n{types:?}\n{values:?}"));
        // A record whose fields stand in another order is allocated in the order of the type by both.
        assert!(found == Value::Bin(expected).to_msgpack(), "{types:?}\n{values:?}");

        // The canonical writer reads the same arguments and writes what the typed encoding of the values is.
        let mut typed = Encoder::default();
        let typed = Value::Array(types.iter().zip(&values).map(|(ty, value)| typed.encode(ty, value)).collect()).to_msgpack();
        let canonical =
            function.canonical_arguments(&wasm_tasks_sandbox::Arguments { bound: &[], bytes: &args, resolve: &table });
        assert_eq!(canonical.unwrap(), typed, "{types:?}\n{values:?}");

        for _ in 0..3 {
            let bad = damage(&args, &mut rng);
            let outcome = Case { args: &bad, resolve: &table, ..Case::default() }.run(&function);
            if let Err(error) = outcome.result {
                assert!(!matches!(error.code, ErrorCode::Trap | ErrorCode::Timeout), "{error}");
                refused += 1;
            }
        }
    }
    println!("{count} signatures, {spilled} of them through memory; {refused} damaged messages refused");
    assert!(spilled > 0 && refused > 0);
}

/// The guest returns whatever stands in its memory: both ways must agree on the value, or both refuse it.
#[test]
fn garbage_is_lifted_as_val_does() {
    let (count, mut rng) = cases();
    let (mut equal, mut both_refuse, mut too_large) = (0, 0, 0);
    for _ in 0..count {
        let ty = match generate::ty(&mut rng, 3) {
            // Unwrapped at the top, by design; inside a tuple it is an ordinary value.
            ty @ Type::Result(..) => Type::Tuple([ty].into()),
            ty => ty,
        };
        let (mut definitions, mut n) = (String::new(), 0);
        let name = generate::wat(&ty, &mut definitions, &mut n);
        let flat = generate::flatten(&ty);
        let pointer = match rng.below(12) {
            0 => rng.next() as u32,
            1 => 65_536 - rng.below(20) as u32,
            2 => u32::MAX - rng.below(20) as u32,
            3 => rng.below(64) as u32,
            _ => 8 * rng.below(16) as u32,
        };
        let (core, body) = match flat.len() {
            1 => (flat[0], format!("({}.load (i32.const {}))", flat[0], pointer % 256)),
            _ => ("i32", format!("(i32.const {})", pointer as i32)),
        };
        let wild = rng.one_in(4);
        let mut garbage = String::new();
        for _ in 0..256 {
            let word: u32 = match rng.below(if wild { 12 } else { 9 }) {
                0..=3 => rng.below(3) as u32,
                4 | 5 => 8 * rng.below(60) as u32,
                6 => rng.below(40) as u32,
                7 => u32::from_le_bytes(*b"abcd"),
                8 => 0x0001_0001 * rng.below(3) as u32,
                9 => 65_536 - rng.below(9) as u32,
                10 => 0x8000_0000 | rng.below(9) as u32,
                _ => rng.next() as u32,
            };
            word.to_le_bytes().iter().for_each(|byte| garbage.push_str(&format!("\\{byte:02x}")));
        }
        let body = format!(
            r#"(data (i32.const 0) "{garbage}") (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
               (func (export "f") (result {core}) {body})"#
        );
        let text = module_text(&definitions, &format!("(result {name})"), 1, &body, ENCODINGS[rng.below(3)]);

        let (mut store, func) = reference(&text);
        store.set_hostcall_fuel(16 << 20);
        let mut result = [Val::Bool(false)];
        let expected = func.call(&mut store, &[], &mut result);
        let function = load_text(&text).unwrap().function("f").unwrap();
        let limits = Limits { result_bytes_max: 1 << 20, wall: Duration::from_secs(60), ..Limits::default() };
        let found = Case { limits, ..Case::default() }.run(&function).result;
        match (expected, found) {
            (_, Err(error)) if error.code == ErrorCode::ResultTooLarge => too_large += 1,
            (Err(error), _) if format!("{error:?}").contains("fuel") => too_large += 1,
            (Ok(()), Ok(found)) => {
                equal += 1;
                assert_eq!(found, Encoder::default().encode(&ty, &result[0]).to_msgpack(), "{ty}\n{result:?}\n{text}");
            }
            (Err(_), Err(error)) => {
                both_refuse += 1;
                assert_eq!(error.code, ErrorCode::BadResult, "{error}");
            }
            (expected, found) => panic!("{ty}\nVal: {expected:?}\nsandbox: {found:?}\n{text}"),
        }
    }
    println!("{equal} equal, {both_refuse} refused by both, {too_large} too large");
    assert!(equal > 0 && both_refuse > 0);
}
