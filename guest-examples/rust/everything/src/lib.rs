//! Echoes every type that a value can have; the host's tests of typed calls run against it.

wit_bindgen::generate!({ path: "../../../wit/examples", world: "everything-guest" });

use exports::wasm_tasks::examples::everything::{AllOptional, Blob, Color, Guest, Many, Perms, Point, Row, Shape, Wide};

struct Everything;

impl Guest for Everything {
    fn echo_bool(v: bool) -> bool {
        v
    }

    fn echo_u8(v: u8) -> u8 {
        v
    }

    fn echo_u16(v: u16) -> u16 {
        v
    }

    fn echo_u32(v: u32) -> u32 {
        v
    }

    fn echo_u64(v: u64) -> u64 {
        v
    }

    fn echo_s8(v: i8) -> i8 {
        v
    }

    fn echo_s16(v: i16) -> i16 {
        v
    }

    fn echo_s32(v: i32) -> i32 {
        v
    }

    fn echo_s64(v: i64) -> i64 {
        v
    }

    fn echo_f32(v: f32) -> f32 {
        v
    }

    fn echo_f64(v: f64) -> f64 {
        v
    }

    fn echo_char(v: char) -> char {
        v
    }

    fn echo_string(v: String) -> String {
        v
    }

    fn echo_bytes(v: Vec<u8>) -> Vec<u8> {
        v
    }

    fn echo_list_s8(v: Vec<i8>) -> Vec<i8> {
        v
    }

    fn echo_list_u16(v: Vec<u16>) -> Vec<u16> {
        v
    }

    fn echo_list_s16(v: Vec<i16>) -> Vec<i16> {
        v
    }

    fn echo_list_u32(v: Vec<u32>) -> Vec<u32> {
        v
    }

    fn echo_list_s32(v: Vec<i32>) -> Vec<i32> {
        v
    }

    fn echo_list_u64(v: Vec<u64>) -> Vec<u64> {
        v
    }

    fn echo_list_s64(v: Vec<i64>) -> Vec<i64> {
        v
    }

    fn echo_list_f32(v: Vec<f32>) -> Vec<f32> {
        v
    }

    fn echo_list_f64(v: Vec<f64>) -> Vec<f64> {
        v
    }

    fn echo_list_bool(v: Vec<bool>) -> Vec<bool> {
        v
    }

    fn echo_list_char(v: Vec<char>) -> Vec<char> {
        v
    }

    fn echo_strings(v: Vec<String>) -> Vec<String> {
        v
    }

    fn echo_lists(v: Vec<Vec<i64>>) -> Vec<Vec<i64>> {
        v
    }

    fn echo_tuple(v: (u8, String, f64)) -> (u8, String, f64) {
        v
    }

    fn echo_record(v: Point) -> Point {
        v
    }

    fn echo_rows(v: Vec<Row>) -> Vec<Row> {
        v
    }

    fn echo_blob(v: Blob) -> Blob {
        v
    }

    fn echo_all_optional(v: AllOptional) -> AllOptional {
        v
    }

    fn echo_option(v: Option<u32>) -> Option<u32> {
        v
    }

    fn echo_option_option(v: Option<Option<String>>) -> Option<Option<String>> {
        v
    }

    fn echo_shape(v: Shape) -> Shape {
        v
    }

    fn echo_color(v: Color) -> Color {
        v
    }

    fn echo_perms(v: Perms) -> Perms {
        v
    }

    fn echo_many(v: Many) -> Many {
        v
    }

    fn echo_results(v: Vec<Result<u32, String>>) -> Vec<Result<u32, String>> {
        v
    }

    fn echo_empty_results(v: Vec<Result<(), ()>>) -> Vec<Result<(), ()>> {
        v
    }

    fn echo_wide(v: Wide) -> Wide {
        v
    }

    fn spill(
        a: u8,
        b: u16,
        c: u32,
        d: u64,
        e: i8,
        f: i16,
        g: i32,
        h: i64,
        i: f32,
        j: f64,
        k: bool,
        l: char,
        m: String,
        n: Vec<u8>,
        o: Option<u32>,
    ) -> String {
        format!("{a} {b} {c} {d} {e} {f} {g} {h} {i} {j} {k} {l} {m} {n:?} {o:?}")
    }

    fn try_echo(v: Result<Vec<u8>, String>) -> Result<Vec<u8>, String> {
        v
    }

    fn check(fail: bool) -> Result<(), Row> {
        if fail { Err(row(7)) } else { Ok(()) }
    }

    fn noop() {}

    fn sum(v: Vec<f64>) -> f64 {
        v.iter().sum()
    }

    fn count_bytes(v: Vec<u8>) -> u64 {
        v.len() as u64
    }

    fn make_bytes(len: u32) -> Vec<u8> {
        (0..len).map(|i| i as u8).collect()
    }

    fn make_f64s(len: u32) -> Vec<f64> {
        (0..len).map(f64::from).collect()
    }

    fn make_rows(len: u32) -> Vec<Row> {
        (0..len).map(row).collect()
    }

    fn print(out: String, err: String) {
        print!("{out}");
        eprint!("{err}");
    }
}

fn row(i: u32) -> Row {
    Row { id: i, x: f64::from(i), label: format!("row-{i}") }
}

export!(Everything);
