//! What no tracked file says: paths of one machine, hosts of private registries, work left for later.

use wasm_tasks_tidy::Repository;

/// Put together here, so that this file does not contain them.
const NEVER: [(&str, &str); 9] = [
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("/Us", "ers/"), "a path of one machine"),
    (concat!("../sh", "ared"), "a path of one machine"),
    (concat!("TO", "DO"), "work left for later: say in docs what is missing"),
    (concat!("FIX", "ME"), "work left for later: say in docs what is missing"),
    (concat!("//! to", "do"), "work left for later"),
    (concat!("#[ig", "nore"), "a test that does not run"),
];

#[test]
fn no_file_has_machine_paths_or_work_left_for_later() {
    let mut found = Vec::new();
    for file in Repository::open().texts("") {
        for (index, line) in file.text.lines().enumerate() {
            let words = NEVER.iter().filter(|(word, _)| line.contains(word));
            found.extend(words.map(|(word, why)| format!("{}:{}: `{word}` is {why}", file.path, index + 1)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn packages_come_from_the_public_registries() {
    let repository = Repository::open();
    for file in repository.texts("Cargo.lock") {
        for line in file.text.lines().filter(|line| line.starts_with("source = ")) {
            let source = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
            assert_eq!(line, source, "{} names another source of packages", file.path);
        }
    }
    for file in repository.texts("package-lock.json") {
        let resolved = file.text.lines().find(|line| line.contains("\"resolved\":"));
        assert_eq!(resolved, None, "{} names a registry; `.npmrc` leaves that out", file.path);
    }
    for file in repository.texts("").filter(|file| !file.path.starts_with("tests/tidy/")) {
        let is_setting = file.path.ends_with(".txt") || file.path.ends_with(".npmrc") || file.path.ends_with("config.toml");
        let other = ["index-url", "--find-links", "registry=", "replace-with", "[registries"]
            .into_iter()
            .find(|word| file.text.contains(word));
        assert!(!is_setting || other.is_none(), "{} chooses a registry by `{}`", file.path, other.unwrap_or_default());
    }
}
