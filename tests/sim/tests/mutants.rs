//! The mutants of the cores can be read and still apply to the sources; `cargo xtask sim --mutants` looks that seeds kill them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;
use wasm_tasks_sim::mutant::{Mutant, MutantError};

/// There are never fewer.
const MUTANTS_MIN: usize = 20;

#[test]
fn mutants_apply_to_the_sources() {
    let room = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(room.join("mutants")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.ends_with(".mutant"), "`mutants/{name}` is not a mutant");
        let mutant = Mutant::parse(&std::fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let source = std::fs::read_to_string(room.join("../..").join(&mutant.file)).unwrap();
        match mutant.apply(&source) {
            Ok(harmed) => assert_ne!(harmed, source, "{name} changes nothing"),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "these must be fitted to the sources: {wrong:#?}");
    assert!(count >= MUTANTS_MIN, "{count} mutants are too few");
}

const TEXT: &str = "It forgets b.\n\nfile: worker/core/src/x.rs\nafter: fn two\nfind:\n  b(…\nreplace:\n    c();\n";

#[test]
fn a_mutant_changes_the_place_it_names() {
    let mutant = Mutant::parse(TEXT).unwrap();
    assert_eq!(mutant.why, "It forgets b.");
    let source = "fn one() {\n    b();\n}\nfn two() {\n        b();\n    d();\n}\n";
    assert_eq!(mutant.apply(source).unwrap(), "fn one() {\n    b();\n}\nfn two() {\n    c();\n    d();\n}\n");
}

#[test]
fn a_mutant_that_does_not_apply_says_why() {
    let mutant = Mutant::parse(TEXT).unwrap();
    assert!(matches!(mutant.apply("fn three() {\n    b();\n}\n"), Err(MutantError::Anchor { times: 0, .. })));
    assert!(matches!(mutant.apply("fn two() {\n}\n"), Err(MutantError::Found { times: 0, .. })));
    let anywhere = Mutant::parse(&TEXT.replace("after: fn two\n", "")).unwrap();
    assert!(matches!(anywhere.apply("b();\nb();\n"), Err(MutantError::Found { times: 2, .. })));
}

#[test]
fn what_is_not_a_mutant_is_refused() {
    let lacking = [TEXT.replace("It forgets b.", ""), TEXT.replace("  b(…\n", ""), TEXT.replace("file:", "fill:")];
    assert!(lacking.iter().all(|text| Mutant::parse(text).is_err()));
    for file in ["scheduler/src/lib.rs", "worker/core/src/../../x.rs", "/etc/passwd"] {
        let elsewhere = TEXT.replace("worker/core/src/x.rs", file);
        assert!(matches!(Mutant::parse(&elsewhere), Err(MutantError::Elsewhere(_))), "{file}");
    }
}
