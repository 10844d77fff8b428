use super::*;
use crate::{
    fixtures,
    picture::story::{setting, story},
};

fn documents() -> Vec<String> {
    fixtures::all().iter().map(|finding| draw(&story(finding, &setting()))).collect()
}

#[test]
fn every_picture_is_well_formed() {
    for text in documents() {
        let document = roxmltree::Document::parse(&text).unwrap();
        assert_eq!(document.root_element().tag_name().name(), "svg");
        assert!(document.descendants().filter(|node| node.has_tag_name("text")).count() > 5);
    }
}

#[test]
fn names_are_escaped() {
    let mut finding = fixtures::stale();
    finding.reader.comm = "</text>&\u{1}\"".into();
    let text = draw(&story(&finding, &setting()));
    let document = roxmltree::Document::parse(&text).unwrap();
    let names: Vec<_> = document.descendants().filter_map(|node| node.text()).collect();
    assert!(names.contains(&"</text>&\\x01\""));
}

#[test]
fn every_element_lies_on_the_sheet() {
    for text in documents() {
        let document = roxmltree::Document::parse(&text).unwrap();
        let height: f64 = document.root_element().attribute("height").unwrap().parse().unwrap();
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            for (names, most) in [(["x", "x1", "x2", "cx"], WIDTH), (["y", "y1", "y2", "cy"], height)] {
                for value in names.iter().filter_map(|name| node.attribute(*name)) {
                    let value: f64 = value.parse().unwrap();
                    assert!((0.0..=most).contains(&value), "{node:?}");
                }
            }
        }
    }
}

#[test]
fn flags_neither_meet_nor_reach_the_edge() {
    for finding in fixtures::all() {
        let story = story(&finding, &setting());
        let scale = Scale { from: story.from, to: story.to, width: TRACK.1 - TRACK.0 };
        let (placed, bottom) = place(&story, &scale, 100.0);
        for (lane, next) in placed.iter().zip(placed.iter().skip(1)) {
            let highest = next.flags.iter().map(|flag| flag.y - FLAG_SIZE).fold(next.bar, f64::min);
            assert!(lane.bar + BAR < highest, "a flag reaches into the lane above");
        }
        for lane in &placed {
            assert!(lane.bar + BAR <= bottom);
            for (i, a) in lane.flags.iter().enumerate() {
                assert!(a.x + 4.0 + a.width() <= WIDTH - MARGIN / 2.0, "{} runs off the sheet", a.text);
                for b in lane.flags.iter().skip(i + 1) {
                    let same_row = (a.y - b.y).abs() < FLAG_ROW - 0.5;
                    assert!(!same_row || a.x + 4.0 + a.width() <= b.x, "{} and {}", a.text, b.text);
                    // The pole of the later flag must not cross the text of the earlier one.
                    let crosses = a.x + 4.0 < b.x && b.x < a.x + 4.0 + a.width() && b.y < a.y;
                    assert!(!crosses, "{} is crossed by {}", a.text, b.text);
                }
            }
        }
    }
}

#[test]
fn bars_are_to_scale() {
    let story = story(&fixtures::stale(), &setting());
    let text = draw(&story);
    let document = roxmltree::Document::parse(&text).unwrap();
    let danger = document.descendants().find(|node| node.attribute("class") == Some("danger")).unwrap();
    let width: f64 = danger.attribute("width").unwrap().parse().unwrap();
    let (from, to) = story.danger.unwrap();
    let expected = (to - from) as f64 / (story.to - story.from) as f64 * (TRACK.1 - TRACK.0);
    assert!((width - expected).abs() < 0.1, "{width} {expected}");
}

/// Writes the pictures into a folder, for review: `OBSERVER_PICTURES=DIR cargo test -p observer-report
/// pictures_are_written`.
#[test]
fn pictures_are_written_for_review() {
    let Ok(folder) = std::env::var("OBSERVER_PICTURES") else { return };
    for (index, text) in documents().iter().enumerate() {
        std::fs::write(format!("{folder}/{index}.svg"), text).unwrap();
        let story = story(&fixtures::all()[index], &setting());
        std::fs::write(format!("{folder}/{index}.txt"), crate::picture::text::export(&story)).unwrap();
    }
}
