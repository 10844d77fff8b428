//! Which of two recordings is better.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

use insta::assert_snapshot;
use observer_record::replay;
use observer_recordings::released;
use observer_report::{
    comparison::{
        Diff,
        judgement::{Conclusion, Judged, Standing},
    },
    diff,
    observed::Observed,
    summary::timeline::Point,
};

/// A recording of two minutes.
fn storm() -> Observed {
    Observed::new(&replay(&released("v1-storm-5.10.obs")).unwrap())
}

fn changed(change: fn(&mut Point)) -> Observed {
    let mut observed = storm();
    observed.timelines.iter_mut().flat_map(|timeline| &mut timeline.points).for_each(change);
    observed
}

fn results(diff: &Diff) -> Vec<Standing> {
    diff.judgements.iter().map(|judgement| judgement.result).collect()
}

#[test]
fn a_recording_is_not_better_than_itself() {
    let diff = Diff::new(&storm(), &storm());
    assert_eq!(diff.conclusion, Conclusion::NoDifference);
    for judgement in diff.judgements.iter().filter(|judgement| judgement.result == Standing::NoDifference) {
        assert!(judgement.low.unwrap() < 0.0 && judgement.high.unwrap() > 0.0, "{judgement:?}");
    }
    assert_eq!(results(&diff)[2], Standing::NoDifference);
    // Two stale installs on each side.
    assert_eq!(results(&diff)[3], Standing::TooFewEvents);
}

#[test]
fn fewer_windows_are_better() {
    let fewer = changed(|point| {
        point.happened.verdicts.window = 0;
        point.happened.verdicts.reuse = 0;
    });
    let diff = Diff::new(&storm(), &fewer);
    assert_eq!((diff.conclusion, results(&diff)[2]), (Conclusion::Better, Standing::Better));
    let back = Diff::new(&fewer, &storm());
    assert_eq!((back.conclusion, results(&back)[2]), (Conclusion::Worse, Standing::Worse));
    let text = diff::text(&diff, &storm(), &fewer);
    let part: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("B is")).take(7).collect();
    assert_snapshot!(part.join("\n"));
    let json = serde_json::to_value(&diff).unwrap();
    assert_eq!(json["conclusion"], "b_better");
    assert_eq!(json["judgements"][2]["name"], Judged::Windows.code());
    assert!(json["judgements"][2]["high"].as_f64().unwrap() < 0.0);
}
