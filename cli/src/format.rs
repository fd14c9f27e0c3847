//! Numbers and tables for people.

use super::escape::{field, text as escaped};
use serde_json::Value as Json;

/// `1.4 MiB`
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64;
    let mut unit = "";
    for name in UNITS {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = name;
    }
    format!("{amount:.1} {unit}")
}

/// `350 µs`, `12.3 ms`, `4.2 s`, `3 min 12 s`
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3_600.0 => format!("{} min {} s", (s / 60.0) as u64, s as u64 % 60),
        s => format!("{} h {} min", (s / 3_600.0) as u64, (s / 60.0) as u64 % 60),
    }
}

/// `12,345`
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 task`, `2 tasks`
pub(crate) fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A number of bytes as people write it: `512 MiB`, `2GiB`, `1.5G`, `1000000`.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (text[..digits].trim(), text[digits..].trim());
    let factor: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "kb" => 1e3,
        "m" | "mib" => 1024.0 * 1024.0,
        "mb" => 1e6,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "gb" => 1e9,
        "t" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "tb" => 1e12,
        _ => return Err(format!("`{unit}` is no unit of bytes; write such as `512 MiB` or `2GB`")),
    };
    let number: f64 = number.parse().map_err(|_| "a number of bytes is such as `512 MiB` or `2GB`".to_owned())?;
    let bytes = number * factor;
    if bytes >= 1.0 && bytes < 2f64.powi(63) { Ok(bytes as u64) } else { Err(format!("{text} is no possible number of bytes")) }
}

/// A length of time as people write it: `1h`, `90 s`, `1.5 days`.
pub(crate) fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    const HINT: &str = "a length of time is such as `90s`, `30m` or `1.5h`";
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let seconds = match text[digits..].trim() {
        "ms" => 0.001,
        "s" | "sec" | "seconds" => 1.0,
        "m" | "min" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return Err(HINT.to_owned()),
    };
    let number: f64 = text[..digits].parse().map_err(|_| HINT.to_owned())?;
    let length = number * seconds;
    if (0.001..=3.2e9).contains(&length) {
        Ok(std::time::Duration::from_secs_f64(length))
    } else {
        Err(format!("{text} is not between a millisecond and a century"))
    }
}

/// A value of an answer in a cell of a table or after a colon.
fn cell(name: &str, value: &Json) -> String {
    match value {
        Json::Null => "-".to_owned(),
        Json::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
        Json::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(number), _) if name.ends_with("bytes") => bytes(number),
            (_, Some(number)) if name.ends_with("seconds") => seconds(number),
            (Some(0), _) if name.ends_with("_ms") => "< 1 ms".to_owned(),
            (Some(number), _) if name.ends_with("_ms") => seconds(number as f64 / 1e3),
            (Some(number), _) if name.ends_with("_us") => seconds(number as f64 / 1e6),
            _ => number.to_string(),
        },
        Json::String(text) => field(text).into_owned(),
        Json::Array(items) => items.iter().map(|item| cell("", item)).collect::<Vec<_>>().join(", "),
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{}={}", field(name), cell(name, value))).collect::<Vec<_>>().join(" ")
        }
    }
}

/// A list of objects as a table; the columns are the fields of the first one.
pub(crate) fn table(rows: &[Json]) -> String {
    let Some(first) = rows.first().and_then(Json::as_object) else { return String::new() };
    let names: Vec<&String> = first.keys().collect();
    let mut lines: Vec<Vec<String>> = vec![names.iter().map(|name| field(&title(name)).into_owned()).collect()];
    lines.extend(rows.iter().map(|row| names.iter().map(|name| cell(name, &row[name.as_str()])).collect()));
    let widths: Vec<usize> =
        (0..names.len()).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for line in lines {
        let mut text = String::new();
        for (word, width) in line.iter().zip(&widths) {
            text.push_str(&format!("{word:width$}  "));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

fn title(name: &str) -> String {
    let unit = ["_bytes", "_seconds", "_ms", "_us"].into_iter().find(|unit| name.ends_with(unit));
    name.strip_suffix(unit.unwrap_or("")).unwrap_or(name).replace('_', " ").to_uppercase()
}

/// An answer as indented lines of `name: value`; lists of objects as tables.
pub(crate) fn tree(json: &Json) -> String {
    let mut out = String::new();
    write_tree(json, 0, &mut out);
    out
}

fn write_tree(json: &Json, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match json {
        Json::Object(fields) => {
            for (name, value) in fields {
                let name = field(name);
                match value {
                    Json::Object(inner) if !inner.is_empty() => {
                        out.push_str(&format!("{indent}{name}:\n"));
                        write_tree(value, depth + 1, out);
                    }
                    Json::Array(items) if items.iter().any(Json::is_object) => {
                        out.push_str(&format!("{indent}{name}:\n"));
                        for line in table(items).lines() {
                            out.push_str(&format!("{indent}  {line}\n"));
                        }
                    }
                    Json::Array(items) if items.is_empty() => {}
                    Json::String(text) if text.contains('\n') => {
                        out.push_str(&format!("{indent}{name}:\n"));
                        escaped(text).lines().for_each(|line| out.push_str(&format!("{indent}  {line}\n")));
                    }
                    Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
                        out.push_str(&format!("{indent}{name}: {}\n", cell(&name, value)));
                    }
                }
            }
        }
        Json::Array(items) if items.iter().any(Json::is_object) => out.push_str(&table(items)),
        Json::Array(items) => items.iter().for_each(|item| out.push_str(&format!("{indent}{}\n", cell("", item)))),
        Json::String(text) => escaped(text).lines().for_each(|line| out.push_str(&format!("{indent}{line}\n"))),
        Json::Null | Json::Bool(_) | Json::Number(_) => out.push_str(&format!("{indent}{}\n", cell("", json))),
    }
}
