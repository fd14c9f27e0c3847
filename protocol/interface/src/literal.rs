//! Numbers and objects as people type them, without loss: what a literal says is what a task gets, or it is refused.
//!
//! A graph file refuses an integer that no float has exactly. Here too, whatever the notation. A decimal fraction means the
//! float that is nearest to it, as everywhere; an `f32` is taken from a fraction that it is printed as.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};
use std::fmt;
use wasm_tasks_protocol::{Type, Value};

/// The number that a text is, in a type. `Err` says what is wrong with it, after "the number".
pub(crate) fn number(ty: &Type, text: &str) -> Result<Value, String> {
    if is_integer(text) && text != "-0" {
        if let Ok(value) = text.parse::<u64>() {
            return Ok(Value::Uint(value));
        }
        if let Ok(value) = text.parse::<i64>() {
            return Ok(Value::Int(value));
        }
    }
    let value: f64 = text.parse().map_err(|_| format!("`{}`, which is none", shorten(text)))?;
    if !text.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Value::F64(value)); // `nan`, `inf`, `-inf`
    }
    if !is_float(value, text) {
        return Err(format!("{}, which no `f64` has", shorten(text)));
    }
    if *ty == Type::F32 { single(value).map(Value::F64) } else { Ok(Value::F64(value)) }
}

/// The `f32` that a number means.
pub(crate) fn single(value: f64) -> Result<f64, String> {
    let single = value as f32;
    // 0.1 means the f32 that is printed as 0.1; 16777217 means nothing that there is.
    let is_meant = f64::from(single) == value || (single.is_finite() && single.to_string().parse() == Ok(value));
    if is_meant || value.is_nan() {
        return Ok(f64::from(single));
    }
    Err(if single.is_finite() {
        format!("{value}, which no `f32` has; the nearest is {single}")
    } else {
        format!("{value}, which no `f32` has")
    })
}

fn is_integer(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

fn shorten(text: &str) -> String {
    if text.len() <= 40 { text.to_owned() } else { format!("{}…", text.chars().take(40).collect::<String>()) }
}

/// Whether a float is what a decimal number means: its exact value, the number that it is printed as, or a fraction near it.
fn is_float(value: f64, text: &str) -> bool {
    let Some(meant) = Decimal::read(text) else { return false };
    if !value.is_finite() || (value == 0.0) != meant.digits.is_empty() {
        return false;
    }
    let is_exact = || value.fract() == 0.0 && Decimal::read(&format!("{value:.0}")).as_ref() == Some(&meant);
    let is_shortest = || !is_integer(text) && Decimal::read(&format!("{value:e}")).as_ref() == Some(&meant);
    meant.exponent < 0 || is_exact() || is_shortest()
}

/// A decimal number without its sign: digits without zeros at either end, times a power of ten.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn read(text: &str) -> Option<Decimal> {
        let text = text.trim_start_matches(['-', '+']);
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let trimmed = all.trim_end_matches('0');
        let is_small = exponent.starts_with('-');
        // An exponent beyond all numbers: the float is infinite or zero, and refused for that.
        let exponent = exponent.parse().unwrap_or(if is_small { i64::from(i32::MIN) } else { i64::from(i32::MAX) });
        let zeros = (all.len() - trimmed.len()) as i64;
        let digits = trimmed.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Decimal { digits, exponent: 0 });
        }
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| Decimal { digits, exponent: exponent.saturating_sub(fraction.len() as i64).saturating_add(zeros) })
    }
}

/// The first number of a JSON text that would be another one as a value, with what is wrong with it.
pub(crate) fn lossy_number(json: &str) -> Option<String> {
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
                let len = bytes[at..].iter().take_while(is_part).count();
                if let Err(what) = number(&Type::Any, &json[at..at + len]) {
                    return Some(what);
                }
                at += len;
            }
            _ => at += 1,
        }
    }
    None
}

/// Reads JSON in which no key of an object stands twice.
pub(crate) fn strict(text: &str) -> Result<Json, serde_json::Error> {
    serde_json::from_str(text).map(|StrictJson(json)| json)
}

/// JSON in which no key of an object stands twice.
struct StrictJson(Json);

/// What the message of an error about a repeated key begins with.
pub(crate) const REPEATED_KEY: &str = "the key ";

impl<'de> Deserialize<'de> for StrictJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<StrictJson, D::Error> {
        deserializer.deserialize_any(Strict)
    }
}

struct Strict;

impl<'de> Visitor<'de> for Strict {
    type Value = StrictJson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<StrictJson, E> {
        Ok(StrictJson(Json::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<StrictJson, E> {
        Ok(StrictJson(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<StrictJson, E> {
        Ok(StrictJson(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<StrictJson, E> {
        Ok(StrictJson(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<StrictJson, E> {
        Ok(StrictJson(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<StrictJson, E> {
        Ok(StrictJson(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<StrictJson, A::Error> {
        let mut items = Vec::new();
        while let Some(StrictJson(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(StrictJson(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<StrictJson, A::Error> {
        let mut map = Map::new();
        while let Some((key, StrictJson(value))) = entries.next_entry::<String, StrictJson>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("{REPEATED_KEY}`{}` stands twice", shorten(&key))));
            }
            map.insert(key, value);
        }
        Ok(StrictJson(map.into()))
    }
}

#[cfg(test)]
mod tests;
