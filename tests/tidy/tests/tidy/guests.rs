//! Every guest and every hostile function is named by a test of the sandbox, and the other way round.

use std::collections::{BTreeMap, BTreeSet};
use wasm_tasks_tidy::Repository;

/// Component → folder, from the first table of the guests' page.
fn guests(repository: &Repository) -> BTreeMap<String, String> {
    let page = repository.text("guest-examples/README.md");
    let mut guests = BTreeMap::new();
    for line in
        page.lines().skip_while(|line| !line.starts_with("| component |")).skip(2).take_while(|line| line.starts_with('|'))
    {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        guests.insert(cells[1].to_owned(), cells[2].to_owned());
    }
    assert!(guests.len() >= 9, "the table of guest-examples/README.md is read wrongly: {guests:?}");
    guests
}

/// All string literals of the sandbox's tests.
fn literals(repository: &Repository) -> BTreeSet<String> {
    let mut literals = BTreeSet::new();
    for file in repository.texts(".rs").filter(|file| file.path.starts_with("worker/sandbox/tests/")) {
        // Good enough for names: what stands between two quotation marks of one line.
        for line in file.text.lines() {
            literals.extend(line.split('"').skip(1).step_by(2).map(str::to_owned));
        }
    }
    literals
}

/// Functions of the world `hostile`.
fn hostile_functions(repository: &Repository) -> BTreeSet<String> {
    let wit = repository.text("wit/examples/hostile.wit");
    wit.lines().filter_map(|line| Some(line.trim().strip_prefix("export ")?.split(':').next()?.to_owned())).collect()
}

#[test]
fn every_folder_of_a_guest_is_in_the_table() {
    let repository = Repository::open();
    let guests = guests(&repository);
    let in_table: BTreeSet<&str> = guests.values().map(String::as_str).collect();
    let on_disk: BTreeSet<String> = repository
        .files()
        .filter_map(|path| path.strip_prefix("guest-examples/"))
        .filter_map(|path| match path.split('/').collect::<Vec<_>>()[..] {
            [language @ ("rust" | "python" | "js" | "c"), guest, _, ..] => Some(format!("{language}/{guest}")),
            [folder @ ("hostile" | "readers"), ..] => Some(folder.to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(
        on_disk.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        in_table,
        "guest-examples/README.md lists the guests"
    );
}

#[test]
fn every_guest_is_named_by_a_test_of_the_sandbox() {
    let repository = Repository::open();
    let literals = literals(&repository);
    let missing: Vec<String> = guests(&repository).into_keys().filter(|guest| !literals.contains(guest)).collect();
    assert!(missing.is_empty(), "no test of worker/sandbox/tests names these guests: {missing:?}");
}

#[test]
fn every_hostile_function_is_named_by_a_test_of_the_sandbox() {
    let repository = Repository::open();
    let (functions, literals) = (hostile_functions(&repository), literals(&repository));
    assert!(functions.len() > 20, "wit/examples/hostile.wit is read wrongly: {functions:?}");
    let missing: Vec<&String> = functions.iter().filter(|function| !literals.contains(*function)).collect();
    assert!(missing.is_empty(), "no test of worker/sandbox/tests names these attacks: {missing:?}");
    let page = repository.text("guest-examples/README.md");
    let undocumented: Vec<&String> = functions.iter().filter(|function| !page.contains(&format!("`{function}`"))).collect();
    assert!(undocumented.is_empty(), "guest-examples/README.md does not list these attacks: {undocumented:?}");
}

#[test]
fn tests_of_the_sandbox_name_only_guests_that_exist() {
    let repository = Repository::open();
    let guests = guests(&repository);
    for file in repository.texts(".rs").filter(|file| file.path.starts_with("worker/sandbox/tests/")) {
        for call in ["guest(\"", "guest_in(\"", "guest_bytes(\""] {
            for named in file.text.split(call).skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(
                    guests.contains_key(named),
                    "{} names the guest `{named}`, which guest-examples does not have",
                    file.path
                );
            }
        }
    }
}
