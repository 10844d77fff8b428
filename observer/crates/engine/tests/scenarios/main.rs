//! Runs the scenarios in this directory through the engine: see `README.md` beside them.

mod script;

use std::{ffi::OsStr, fs, path::Path};

use script::Outcomes;

#[test]
fn every_scenario_has_its_outcomes() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut scenarios: Vec<_> = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    scenarios.retain(|path| path.extension() == Some(OsStr::new("txt")));
    scenarios.sort();
    assert!(scenarios.len() >= 28, "{} scenarios", scenarios.len());
    let mut failures = Vec::new();
    for path in scenarios {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match script::run(&text) {
            Ok(Outcomes { expected, reported }) if expected == reported => {}
            Ok(Outcomes { expected, reported }) => failures.push(format!(
                "{name}\n  expected:\n    {}\n  reported:\n    {}",
                expected.join("\n    "),
                reported.join("\n    "),
            )),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
