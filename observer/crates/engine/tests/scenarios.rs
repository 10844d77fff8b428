//! Runs the stories of `scenarios/*.txt` through the engine: see `scenarios/README.md`.

#[path = "scenarios/story.rs"]
mod story;

use std::{fs, path::Path};

#[test]
fn every_story_ends_as_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut stories: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    stories.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    stories.sort();
    assert!(stories.len() >= 12, "where have the stories gone?");
    let mut wrong = Vec::new();
    for path in stories {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match story::run(&text) {
            Ok(outcome) if outcome.said == outcome.expected => {}
            Ok(outcome) => wrong.push(format!(
                "{name}\n  told by the story:\n    {}\n  said by the engine:\n    {}",
                outcome.expected.join("\n    "),
                outcome.said.join("\n    "),
            )),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
