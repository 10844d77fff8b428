//! The generated parts of `docs/dashboard.md`.

use std::{env, fs};

use crate::app::keys;

/// The text of a document with the part between two markers replaced.
fn replace(document: &str, name: &str, content: &str) -> String {
    let (start, end) = (format!("<!-- {name}: start -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = document.split_once(&start).unwrap_or_else(|| panic!("no marker {start}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no marker {end}"));
    format!("{before}{start}{content}{end}{after}")
}

#[test]
fn the_screen_and_the_keys_in_the_document_are_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/dashboard.md");
    let document = fs::read_to_string(path).unwrap();
    let screen = format!("\n```\n{}```\n\n", super::screens::overview());
    let updated = replace(&document, "screen", &screen);
    let updated = replace(&updated, "keys", &format!("\n{}\n", keys::markdown()));
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, &updated).unwrap();
        return;
    }
    assert!(document == updated, "docs/dashboard.md is outdated: run this test with UPDATE_DOCS=1");
}
