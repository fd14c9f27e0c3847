//! A mutant: a small harm that is done to the source of a core, and that the simulator must notice.
//!
//! Owns the text format of `mutants/*.mutant` and what it does to a source's text. It knows no files.
//!
//! ```text
//! What is wrong with it, in a line.
//!
//! file: scheduler/core/src/transitions/lose.rs
//! after: fn on_result_lost
//! find:
//!     if task.needed > 0 {
//! replace:
//!     if task.needed > 1 {
//! ```
//!
//! The lines to find must be there exactly once; how they are indented does not matter, and one that ends with `…` stands for
//! all that begin so. With `after:` they are looked for below
//! the one line that begins so, and the first place counts. There may be several pairs of `find:` and `replace:`.

/// Sources that mutants may change: the two cores.
pub const ROOMS: [&str; 2] = ["scheduler/core/src/", "worker/core/src/"];

/// One change of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// How the line begins below which is searched.
    pub after: Option<String>,
    /// The lines to find, trimmed.
    pub find: Vec<String>,
    /// The lines to put in their place.
    pub replace: Vec<String>,
}

/// A mutant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mutant {
    /// What is wrong with it.
    pub why: String,
    /// The source that it changes, from the repository's root.
    pub file: String,
    /// What it changes.
    pub changes: Vec<Change>,
}

/// Why a text is not a mutant, or does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MutantError {
    /// The text has not the form.
    #[error("line {line}: {what}")]
    Malformed {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// Something is missing.
    #[error("it has no {0}")]
    Lacks(&'static str),
    /// The file is not one of a core.
    #[error("`{0}` is not a source of a core: {ROOMS:?}")]
    Elsewhere(String),
    /// The line below which is searched is not there once.
    #[error("`{file}`: a line that begins `{text}` is there {times} times, not once")]
    Anchor {
        /// The source.
        file: String,
        /// The line.
        text: String,
        /// How often it is there.
        times: usize,
    },
    /// What is to be found is not there once.
    #[error("`{file}`: `{text}` is there {times} times, not once")]
    Found {
        /// The source.
        file: String,
        /// The first of the lines.
        text: String,
        /// How often they are there.
        times: usize,
    },
}

impl Mutant {
    /// Reads a mutant.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Mutant, MutantError> {
        enum Part {
            Why,
            Find,
            Replace,
        }
        let mut mutant = Mutant::default();
        let mut after = None;
        let mut part = Part::Why;
        for (number, line) in (1..).zip(text.lines()) {
            let malformed = |what| MutantError::Malformed { line: number, what };
            match line.split_once(':') {
                Some(("file", file)) => mutant.file = file.trim().to_owned(),
                Some(("after", begin)) => after = Some(begin.trim().to_owned()),
                Some(("find", "")) => {
                    mutant.changes.push(Change { after: after.take(), ..Change::default() });
                    part = Part::Find;
                }
                Some(("replace", "")) if matches!(part, Part::Find) => part = Part::Replace,
                Some(("replace", "")) => return Err(malformed("`replace:` follows `find:` and its lines")),
                _ => match (&part, mutant.changes.last_mut()) {
                    (_, _) if line.trim().is_empty() => {}
                    (Part::Why, _) if mutant.file.is_empty() => {
                        mutant.why.push_str(if mutant.why.is_empty() { "" } else { " " });
                        mutant.why.push_str(line.trim());
                    }
                    (Part::Find, Some(change)) => change.find.push(line.trim().to_owned()),
                    (Part::Replace, Some(change)) => change.replace.push(line.to_owned()),
                    (Part::Why | Part::Find | Part::Replace, _) => {
                        return Err(malformed("expected `after:`, `find:` or `replace:`"));
                    }
                },
            }
        }
        let is_empty = |change: &Change| change.find.is_empty();
        match &mutant {
            Mutant { why, .. } if why.is_empty() => Err(MutantError::Lacks("word of what is wrong with it")),
            Mutant { file, .. } if file.is_empty() => Err(MutantError::Lacks("`file:`")),
            Mutant { changes, .. } if changes.is_empty() || changes.iter().any(is_empty) => {
                Err(MutantError::Lacks("lines to find"))
            }
            Mutant { file, .. } if file.contains("..") || !ROOMS.iter().any(|room| file.starts_with(room)) => {
                Err(MutantError::Elsewhere(file.clone()))
            }
            _ => Ok(mutant),
        }
    }

    /// Does its harm to the text of its file.
    ///
    /// # Errors
    /// It does not apply any more.
    pub fn apply(&self, source: &str) -> Result<String, MutantError> {
        let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
        for change in &self.changes {
            let at = self.place(change, &lines)?;
            lines.splice(at..at + change.find.len(), change.replace.iter().cloned());
        }
        Ok(lines.join("\n") + "\n")
    }

    fn place(&self, change: &Change, lines: &[String]) -> Result<usize, MutantError> {
        let begin = match &change.after {
            None => 0,
            Some(text) => {
                let begins = |(at, line): (usize, &String)| line.trim().starts_with(text.as_str()).then_some(at);
                let found: Vec<usize> = lines.iter().enumerate().filter_map(begins).collect();
                let [only] = found[..] else {
                    return Err(MutantError::Anchor { file: self.file.clone(), text: text.clone(), times: found.len() });
                };
                only
            }
        };
        let n = change.find.len();
        let is_same = |window: &[String]| window.iter().zip(&change.find).all(|(line, find)| stands_for(find, line.trim()));
        let found: Vec<usize> = lines[begin..].windows(n).enumerate().filter(|(_, w)| is_same(w)).map(|(at, _)| at).collect();
        match (found[..].first(), found.len()) {
            (Some(at), times) if times == 1 || change.after.is_some() => Ok(begin + at),
            (_, times) => Err(MutantError::Found { file: self.file.clone(), text: change.find[0].clone(), times }),
        }
    }
}

/// Whether a line to find stands for a line.
fn stands_for(find: &str, line: &str) -> bool {
    find.strip_suffix('…').map_or(find == line, |begin| line.starts_with(begin))
}
