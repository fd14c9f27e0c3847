//! Every error code has a page, and every page a code.

use std::collections::BTreeSet;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_tidy::Repository;

const FOLDER: &str = "docs/errors/";

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let repository = Repository::open();
    let codes: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.len(), ErrorCode::ALL.len(), "two codes are spelt alike");
    let pages: BTreeSet<&str> = repository
        .files()
        .filter_map(|path| path.strip_prefix(FOLDER)?.strip_suffix(".md"))
        .filter(|page| *page != "README")
        .collect();
    let without_page: Vec<_> = codes.difference(&pages).collect();
    let without_code: Vec<_> = pages.difference(&codes).collect();
    assert!(without_page.is_empty(), "codes without a page in {FOLDER}: {without_page:?}");
    assert!(without_code.is_empty(), "pages in {FOLDER} without a code: {without_code:?}");
}

#[test]
fn every_page_begins_with_its_code_and_says_something() {
    let repository = Repository::open();
    for code in ErrorCode::ALL {
        let path = format!("{FOLDER}{code}.md");
        if !repository.files().any(|known| known == path) {
            // The test above says so for all of them.
            continue;
        }
        let text = repository.text(&path);
        assert_eq!(text.lines().next(), Some(format!("# {code}").as_str()), "the first line of {path}");
        assert!(text.split_whitespace().count() > 20, "{path} says next to nothing");
    }
}
