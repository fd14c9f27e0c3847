//! Counts tests from what the test runners print, so that one line at the end can say how many ran.

use std::ops::AddAssign;

/// Tests that passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) fn total(self) -> u64 {
        self.passed + self.failed + self.skipped
    }

    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`
    pub(crate) fn of_cargo(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("test result: ")?;
        Some(Self {
            passed: number_before(rest, "passed")?,
            failed: number_before(rest, "failed")?,
            skipped: number_before(rest, "ignored")?,
        })
    }

    /// `2 failed, 12 passed, 1 skipped in 3.21s`, perhaps between rows of `=`.
    pub(crate) fn of_pytest(line: &str) -> Option<Self> {
        let line = line.trim_matches(|c| c == '=' || c == ' ');
        let (outcomes, time) = line.rsplit_once(" in ")?;
        if !time.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let count = |word| number_before(outcomes, word);
        if ["passed", "failed", "skipped", "error", "errors"].iter().all(|word| count(word).is_none()) {
            return None;
        }
        let of = |word| count(word).unwrap_or(0);
        Some(Self { passed: of("passed"), failed: of("failed") + of("error") + of("errors"), skipped: of("skipped") })
    }

    /// `# pass 4`, `# fail 0`, `# skipped 0`, each on a line of its own; other reporters write `ℹ` for `#`.
    pub(crate) fn of_node(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))?;
        let (word, number) = rest.split_once(' ')?;
        let number = number.trim().parse().ok()?;
        let none = Self::default();
        match word {
            "pass" => Some(Self { passed: number, ..none }),
            "fail" | "cancelled" => Some(Self { failed: number, ..none }),
            "skipped" | "todo" => Some(Self { skipped: number, ..none }),
            _ => None,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The number before the first whole word `word`.
fn number_before(text: &str, word: &str) -> Option<u64> {
    let words: Vec<&str> = text.split([' ', ',', ';']).filter(|part| !part.is_empty()).collect();
    let at = words.iter().position(|found| *found == word)?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Option<Counts> {
        Some(Counts { passed, failed, skipped })
    }

    #[test]
    fn cargo() {
        let line = "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.25s";
        assert_eq!(Counts::of_cargo(line), counts(12, 1, 2));
        assert_eq!(Counts::of_cargo("test a::passed ... ok"), None);
    }

    #[test]
    fn pytest() {
        assert_eq!(Counts::of_pytest("12 passed in 3.21s"), counts(12, 0, 0));
        let line = "==== 2 failed, 12 passed, 1 skipped, 1 error in 63.21s (0:01:03) ====";
        assert_eq!(Counts::of_pytest(line), counts(12, 3, 1));
        assert_eq!(Counts::of_pytest("no tests ran in 0.01s"), None);
        assert_eq!(Counts::of_pytest("2 passed in spirit"), None);
    }

    #[test]
    fn node() {
        assert_eq!(Counts::of_node("# pass 4"), counts(4, 0, 0));
        assert_eq!(Counts::of_node("ℹ fail 1"), counts(0, 1, 0));
        assert_eq!(Counts::of_node("# duration_ms 173.1"), None);
        assert_eq!(Counts::of_node("# Subtest: pass 3"), None);
    }
}
