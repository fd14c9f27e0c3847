//! Which known names are near to one that does not exist: for suggestions in messages.

/// Names longer than this are compared by their beginning; nobody mistypes more.
const COMPARED_CHARS_MAX: usize = 100;
/// Names looked at: suggestions are a courtesy and must cost little.
const COMPARED_NAMES_MAX: usize = 2_000;

/// At most `count` of `known` that are a few slips of the pen away from `name`, the nearest first.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>, count: usize) -> Vec<&'a str> {
    let allowed = (name.chars().count() / 3).clamp(1, 6);
    let mut found: Vec<(usize, &str)> = known
        .take(COMPARED_NAMES_MAX)
        .map(|known| (distance(name, known), known))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    found.sort();
    found.into_iter().take(count).map(|(_, known)| known).collect()
}

/// Insertions, removals, replacements and swaps of neighbours that lead from one to the other
/// (optimal string alignment); case does not count.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(COMPARED_CHARS_MAX).flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().take(COMPARED_CHARS_MAX).flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut best = (last[j] + usize::from(a[i] != b[j])).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// At most 80 characters of what a stranger wrote.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(77).chain("...".chars()).collect() }
}

/// `` `a`, `b` and 3 more ``
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>, shown: usize) -> String {
    let names: Vec<&str> = names.collect();
    let mut text = names.iter().take(shown).map(|name| format!("`{}`", shorten(name))).collect::<Vec<_>>().join(", ");
    if names.len() > shown {
        text.push_str(&format!(" and {} more", names.len() - shown));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["add", "sub", "div-rem", "echo-bytes"];
        let near = |name| nearest(name, known.into_iter(), 3);
        assert_eq!(near("ad"), ["add"]);
        assert_eq!(near("dad"), ["add"]);
        assert_eq!(near("sbu"), ["sub"]);
        assert_eq!(near("div_rem"), ["div-rem"]);
        assert_eq!(near("echobytes"), ["echo-bytes"]);
        assert!(near("multiply").is_empty());
    }

    #[test]
    fn lists_are_cut() {
        assert_eq!(listed(["a", "b", "c"].into_iter(), 2), "`a`, `b` and 1 more");
    }
}
