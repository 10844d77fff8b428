//! Observers at once, up to the number of trampolines that the kernel allows on a function.

use super::{
    agreement::none_dropped,
    step::{Checked, Finished, Step, ensure},
};
use crate::output::summary::Summary;

/// Observers are started until the kernel refuses one, whose message goes to standard error. A further one uses kprobes.
/// Then a program swaps in, and all print what they have seen.
pub(super) const MANY_OBSERVERS: Step = Step {
    name: "many-observers",
    command: "mkdir /tmp/many; n=0; pids=; while [ $n -lt 60 ]; do n=$((n + 1)); \
                  observer record --json >/tmp/many/$n.json 2>/tmp/many/$n.err & pid=$!; \
                  until grep -qs -e ^observing -e ^observer: /tmp/many/$n.err; do sleep 0.2; done; \
                  grep -q ^observing /tmp/many/$n.err || break; pids=\"$pids $pid\"; done; \
              wait $pid; code=$?; cat /tmp/many/$n.err >&2; rm /tmp/many/$n.json; \
              observer record --json --backend kprobe -- /witness churn --pages 256 --threads 1 --rounds 1; \
              kill -TERM $pids; wait; cat /tmp/many/*.json; rm -r /tmp/many; exit $code",
    check: |_, finished| many_observers(finished),
};

const PAGES: u64 = 256;

fn many_observers(finished: &Finished) -> Checked {
    let summaries: Vec<Summary> = finished.objects()?;
    ensure(summaries.len() > 8, || {
        format!("{} summaries; standard error: {}", summaries.len(), finished.stderr.trim())
    })?;
    for summary in &summaries {
        none_dropped(summary)?;
        let counts = (summary.swapins.seen, summary.swapins.kernel);
        ensure(counts == (PAGES, Some(PAGES)), || format!("swap-ins seen, and by the kernel's count: {counts:?}"))?;
    }
    finished.expect_code(3)?;
    let remedy = "--backend kprobe";
    ensure(finished.stderr.contains(remedy), || format!("{remedy} is not named: {}", finished.stderr.trim()))?;
    Ok(format!("{} observers have seen all {PAGES} swap-ins, and the next one named the remedy", summaries.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};
    use crate::output::summary::example::with;

    fn ran(code: i32, others: usize, seen: u64, stderr: &str) -> Checked {
        let summary = |seen: u64| with(&json!({ "swapins": { "seen": seen, "kernel": PAGES } })).to_string();
        let all: Vec<String> = std::iter::repeat_n(summary(PAGES), others).chain([summary(seen)]).collect();
        many_observers(&finished(code, &all.join("\n"), stderr))
    }

    #[test]
    fn each_observer_must_see_everything_and_the_last_one_name_the_remedy() {
        let remedy = "observer: ...\n  to do: pass --backend kprobe";
        assert!(ran(3, 18, PAGES, remedy).is_ok(), "{:?}", ran(3, 18, PAGES, remedy));
        assert!(ran(3, 18, PAGES - 1, remedy).is_err());
        assert!(ran(3, 18, PAGES, "observer: ...").is_err());
        assert!(ran(0, 18, PAGES, remedy).is_err(), "none was refused");
        assert!(ran(3, 1, PAGES, remedy).is_err(), "refused for another reason");
    }
}
