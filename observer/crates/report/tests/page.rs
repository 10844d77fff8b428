//! The HTML page.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

use std::collections::BTreeSet;

use observer_engine::{
    series::{Happened, Sum as _},
    verdict::Verdict,
};
use observer_record::{Replay, replay};
use observer_recordings::released;
use observer_report::{
    formats::Format,
    observed::{Observed, Reported},
    selection::{Moment, Picked, Selection},
};

fn page(recording: &str) -> String {
    let whole = Observed::new(&replay(&released(recording)).unwrap());
    let mut out = Vec::new();
    Format::Html.write(&Reported { parts: vec![whole.clone()], whole }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The values of an attribute.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    page.split(start.as_str()).skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

#[test]
fn the_contents_link_to_every_section() {
    for recording in ["v1.3.obs", "v1-storm-5.10.obs", "v1.1-locks-7.3.obs"] {
        let page = page(recording);
        let ids = values(&page, "id");
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{recording}: ids differ");
        let sections: Vec<_> = page.split("<h2 id=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
        assert!(sections.contains(&"findings") && sections.len() > 5, "{sections:?}");
        let (_, contents) = page.split_once("<nav").unwrap();
        let (contents, _) = contents.split_once("</nav>").unwrap();
        let links: Vec<_> = values(contents, "href").iter().map(|link| link.trim_start_matches('#')).collect();
        assert_eq!(links, sections, "{recording}");
        assert!(!page.contains("<h2>"), "{recording}: a section without a link");
    }
}

#[test]
fn every_finding_has_an_address_and_a_picture_for_narrow_screens() {
    let page = page("v1-storm-5.10.obs");
    let findings = page.matches("<article>").count();
    assert_eq!(findings, 100);
    let addresses: Vec<String> = (1..=findings).map(|number| format!("finding-{number}")).collect();
    let ids = values(&page, "id");
    assert!(addresses.iter().all(|address| ids.contains(&address.as_str())), "{ids:?}");
    let narrow = values(&page, "srcset");
    assert_eq!((narrow.len(), values(&page, "src").len()), (findings, findings));
    // A space would end the address in a srcset.
    assert!(narrow.iter().all(|picture| picture.starts_with("data:image/svg+xml,") && !picture.contains(' ')));
    assert!(narrow.iter().all(|picture| picture.contains("width=%22400%22")));
}

#[test]
fn columns_of_numbers_are_marked() {
    let page = page("v1.3.obs");
    assert!(page.contains("<th scope=\"col\" class=\"number\">count</th>"));
    assert!(page.contains("<td class=\"number\" data-label=\"count\">19,467</td>"));
}

/// What is selected of a recording.
fn selected(recording: &str, selection: &Selection) -> Observed {
    let mut replay = Replay::open(&released(recording)).unwrap();
    let mut picked = Picked::new(selection, replay.context().clocks);
    replay.engine_mut().keep_reported();
    let mut outcome = replay.finish();
    picked.finish(&mut outcome);
    Observed::selected(&outcome, &picked)
}

#[test]
fn the_timeline_adds_up_to_the_counts_of_the_summary() {
    let second = |at: u64| Some(Moment::Offset(at * 1_000_000_000));
    let stale = Selection { verdicts: vec![Verdict::StaleInstall], ..Selection::default() };
    let part = Selection { since: second(20), until: second(70), ..Selection::default() };
    for (recording, selection) in [
        ("v1.3.obs", Selection::default()),
        ("v1-storm-5.10.obs", Selection::default()),
        ("v1-storm-5.10.obs", stale),
        ("v1-storm-5.10.obs", part.clone()),
    ] {
        let observed = selected(recording, &selection);
        let (summary, timeline) = (&observed.summary, &observed.timelines[0]);
        let mut sum = Happened::default();
        for point in &timeline.points {
            sum.add(&point.happened);
        }
        assert_eq!(sum.verdicts, summary.verdicts.counts, "{recording} {selection:?}");
        let (pin, lock) = (&summary.wait_cost.pin.sums, &summary.wait_cost.folio_lock.sums);
        assert_eq!(sum.waited_ns, pin.waited_ns + lock.waited_ns);
        let swapins: u64 = timeline.points.iter().map(|point| point.counted.swapins).sum();
        assert_eq!(swapins, summary.whole().swapins.seen, "not selected");
        assert!(swapins > 0 && sum.verdicts.stale_install > 0);
    }
    let observed = selected("v1-storm-5.10.obs", &part);
    let selected = observed.timelines[0].selected.clone().unwrap();
    assert_eq!(selected.end - selected.start, 50_000_000_000);
    for point in observed.timelines[0].points.iter().filter(|point| point.happened != Happened::default()) {
        assert!(selected.start < point.time.end && point.time.start < selected.end, "{point:?}");
    }
}

#[test]
fn every_observation_has_a_timeline() {
    let one = Observed::new(&replay(&released("v1.3.obs")).unwrap());
    let parts = vec![one.clone(), Observed::new(&replay(&released("v1-storm-5.10.obs")).unwrap())];
    let whole = Observed::merged(&parts).unwrap();
    assert_eq!(whole.timelines.len(), 2);
    let mut out = Vec::new();
    Format::Html.write(&Reported { parts, whole }, &mut out).unwrap();
    let page = String::from_utf8(out).unwrap();
    assert_eq!(page.matches("<div class=\"timeline\">").count(), 2);
}
