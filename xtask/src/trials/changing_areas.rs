//! A swap type goes from one area to another, and an area from one type to another, during an observation.

use serde::Deserialize;
use serde_json::{Value, from_value};

use super::{
    agreement::none_dropped,
    step::{Checked, Finished, Step, ensure},
};
use crate::output::summary::Summary;

/// Two devices, A and B: A gets the first type; then B gets it; then A gets the second type. Each phase touches pages
/// with two threads, delayed so that their faults overlap, and prints its device and when it started and ended by the
/// guest's clock. Last the summaries of the live observation and of the recording.
///
/// The pauses are longer than the time between two looks at the list of areas.
pub(super) const CHANGING_AREAS: Step = Step {
    name: "changing-areas",
    command: "modprobe zram num_devices=0; \
              device() { z=zram$(cat /sys/class/zram-control/hot_add); echo 16M >/sys/block/$z/disksize; \
                         mkswap /dev/$z >&2; echo /dev/$z; }; \
              export A=$(device) B=$(device); \
              observer record -o /tmp/areas.obs --json --widen 5ms -- sh -c ' \
                  time() { read -r up idle </proc/uptime; echo $up; }; \
                  phase() { sleep 1; from=$(time); /witness churn --here --shared --pages 6 --threads 2 --rounds 2; \
                            echo \"{\\\"device\\\": \\\"$1\\\", \\\"from_s\\\": $from, \\\"to_s\\\": $(time)}\" >>/tmp/phases; \
                            sleep 1; }; \
                  swapon $A; phase $A; swapoff $A; swapon $B; phase $B; swapon $A; swapoff $B; phase $A; swapoff $A'; \
              observer report --json /tmp/areas.obs; cat /tmp/phases; rm -f /tmp/areas.obs /tmp/phases; \
              echo 1 >/sys/block/${A#/dev/}/reset; echo 1 >/sys/block/${B#/dev/}/reset; rmmod zram",
    check: |_, finished| changing_areas(finished),
};

/// With `--device A`: pages on A, on B, which gets A's type, and on A, which gets another one. A phase starts when
/// observer has said that it observes other types than before.
pub(super) const DEVICE_FOLLOWED: Step = Step {
    name: "device-followed",
    command: "modprobe zram num_devices=0; \
              device() { z=zram$(cat /sys/class/zram-control/hot_add); echo 16M >/sys/block/$z/disksize; \
                         mkswap /dev/$z >&2; echo /dev/$z; }; \
              export A=$(device) B=$(device) OBSERVER_LOG=info; swapon $A; \
              observer record --json --device $A -- sh -c ' \
                  observed() { until grep types.that.are.observed /out/device-followed.stderr | tail -1 | grep -q \"$1\\$\"; do \
                      sleep 1; done; }; \
                  churn() { /witness churn --here --pages $1 --threads 1 --rounds 1; }; \
                  churn 512; swapoff $A; swapon $B; observed 0b0; churn 256; swapon $A; swapoff $B; observed 0b10; churn 1024'; code=$?; \
              swapoff $A; echo 1 >/sys/block/${A#/dev/}/reset; echo 1 >/sys/block/${B#/dev/}/reset; rmmod zram; \
              exit $code",
    check: |_, finished| device_followed(finished),
};

/// Of a summary.
#[derive(Debug, Deserialize)]
struct Filtered {
    notes: Vec<Note>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Note {
    code: String,
    device: Option<String>,
}

fn device_followed(finished: &Finished) -> Checked {
    let summary: Summary = finished.summary()?;
    none_dropped(&summary)?;
    let (seen, kernel) = (summary.swapins.seen, summary.swapins.kernel.ok_or("the kernel's count is missing")?);
    ensure((seen, kernel) == (1_536, 1_792), || format!("{seen} of {kernel} swap-ins seen"))?;
    let device = summary.filters.get("device").cloned();
    let Filtered { notes } = finished.json()?;
    let expected = Note { code: "device_changed".to_owned(), device };
    ensure(notes.contains(&expected), || format!("notes {notes:?}, not {expected:?}"))?;
    finished.expect_code(20)?;
    Ok("1536 of 1792 swap-ins seen: those on the device".to_owned())
}

#[derive(Debug, Deserialize)]
struct Phase {
    device: String,
    from_s: f64,
    to_s: f64,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Observed {
    swaps: Vec<Area>,
    overlaps: Vec<Happened>,
    findings: Vec<Finding>,
    waits: Vec<Happened>,
    entries: Vec<OnDevice>,
    wait_cost: WaitCost,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Area {
    kind: u32,
    path: String,
    from_ns: Option<u64>,
    until_ns: Option<u64>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Happened {
    from_ns: u64,
    device: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Finding {
    start_ns: u64,
    device: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct OnDevice {
    device: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct WaitCost {
    devices: Vec<Row>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Row {
    name: String,
    waits: usize,
}

fn changing_areas(finished: &Finished) -> Checked {
    let objects: Vec<Value> = finished.objects()?;
    let [live, replayed, phases @ ..] = objects.as_slice() else {
        return Err(format!("{} objects; standard error: {}", objects.len(), finished.stderr.trim()));
    };
    let error = |error: serde_json::Error| error.to_string();
    none_dropped(&from_value::<Summary>(live.clone()).map_err(error)?)?;
    let live: Observed = from_value(live.clone()).map_err(error)?;
    let replayed: Observed = from_value(replayed.clone()).map_err(error)?;
    ensure(live == replayed, || format!("replayed: {replayed:?}, live: {live:?}"))?;
    let phases = phases.iter().map(|phase| from_value(phase.clone())).collect::<Result<Vec<Phase>, _>>();
    let phases = phases.map_err(error)?;
    let [first, second, third] = phases.as_slice() else {
        return Err(format!("{} phases; standard error: {}", phases.len(), finished.stderr.trim()));
    };
    ensure(first.device == third.device && first.device != second.device, || format!("{phases:?}"))?;
    areas_follow(&live.swaps, &phases)?;
    let happened = of_phases(&live, &phases)?;
    tables_follow(&live, [&first.device, &second.device])?;
    Ok(format!("three areas, with {happened:?} overlaps, waits and findings"))
}

/// The areas in the order in which they came, each in use throughout its phase; those of the ends had other types.
fn areas_follow(areas: &[Area], phases: &[Phase]) -> Result<(), String> {
    let wrong = || format!("areas {areas:?}, phases {phases:?}");
    ensure(areas.len() == phases.len(), wrong)?;
    for (area, phase) in areas.iter().zip(phases) {
        let from = area.from_ns.unwrap_or(0) <= nanos(phase.from_s);
        let until = area.until_ns.is_some_and(|until| until >= nanos(phase.to_s));
        ensure(area.path == phase.device && from && until, wrong)?;
    }
    let kinds: Vec<u32> = areas.iter().map(|area| area.kind).collect();
    ensure(matches!(*kinds, [a, b, c] if a == b && b != c), wrong)
}

/// What happened in each phase, all of it on the phase's device.
fn of_phases(live: &Observed, phases: &[Phase]) -> Result<Vec<usize>, String> {
    let happened = live.overlaps.iter().chain(&live.waits).map(|one| (one.from_ns, one.device.as_deref()));
    let findings = live.findings.iter().map(|finding| (finding.start_ns, finding.device.as_deref()));
    let mut counts = vec![0; phases.len()];
    for (at, device) in happened.chain(findings) {
        let phase = phases.iter().position(|phase| (nanos(phase.from_s)..=nanos(phase.to_s)).contains(&at));
        let phase = phase.ok_or_else(|| format!("{at} ns is in no phase of {phases:?}"))?;
        let right = phases.get(phase).map(|phase| phase.device.as_str());
        ensure(device == right, || format!("{device:?} at {at} ns, not {right:?}"))?;
        counts.iter_mut().skip(phase).take(1).for_each(|count| *count += 1);
    }
    ensure(counts.iter().all(|count| *count > 0), || format!("{counts:?} overlaps, waits and findings in the phases"))?;
    Ok(counts)
}

/// Both areas have entries, and their rows have the waits that are listed.
fn tables_follow(live: &Observed, devices: [&String; 2]) -> Result<(), String> {
    let has = |entry: &OnDevice, device: &String| entry.device.as_ref() == Some(device);
    let entries = &live.entries;
    let named = entries.iter().all(|entry| devices.iter().any(|device| has(entry, device)));
    let all = devices.iter().all(|device| entries.iter().any(|entry| has(entry, device)));
    ensure(named && all, || format!("entries {entries:?}"))?;
    for device in devices {
        let listed = live.waits.iter().filter(|wait| wait.device.as_ref() == Some(device)).count();
        let rows: usize = live.wait_cost.devices.iter().filter(|row| row.name == *device).map(|row| row.waits).sum();
        ensure(rows == listed, || format!("{rows} waits by device, {listed} listed, on {device}"))?;
    }
    let rows = &live.wait_cost.devices;
    ensure(rows.iter().all(|row| devices.contains(&&row.name)), || format!("waits by device: {rows:?}"))
}

/// `/proc/uptime` has hundredths of a second.
fn nanos(seconds: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(seconds).map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::step::finished, *};
    use crate::output::summary::example::with;

    /// Live summary, replayed summary and phases.
    fn right() -> Vec<Value> {
        let summary = with(&json!({
            "swaps": [
                { "kind": 0, "path": "/dev/a", "from_ns": 1_000_000_000, "until_ns": 6_000_000_000_u64 },
                { "kind": 0, "path": "/dev/b", "from_ns": 6_100_000_000_u64, "until_ns": 20_000_000_000_u64 },
                { "kind": 1, "path": "/dev/a", "from_ns": 12_000_000_000_u64, "until_ns": 20_000_000_000_u64 },
            ],
            "overlaps": [
                { "from_ns": 3_000_000_000_u64, "device": "/dev/a" },
                { "from_ns": 8_000_000_000_u64, "device": "/dev/b" },
                { "from_ns": 15_000_000_000_u64, "device": "/dev/a" },
            ],
            "waits": [{
                "task": { "pid": 1, "tid": 2, "comm": "c" }, "from_ns": 8_000_000_001_u64, "to_ns": 8_000_000_002_u64,
                "retries": 1, "device": "/dev/b",
            }],
            "findings": [],
            "entries": [{ "device": "/dev/a" }, { "device": "/dev/b" }],
            "wait_cost": { "devices": [{ "name": "/dev/b", "waits": 1 }] },
        }));
        let phase = |device: &str, from_s: f64, to_s: f64| json!({ "device": device, "from_s": from_s, "to_s": to_s });
        let phases = [phase("/dev/a", 2.0, 5.0), phase("/dev/b", 7.5, 10.25), phase("/dev/a", 13.0, 16.0)];
        [summary.clone(), summary].into_iter().chain(phases).collect()
    }

    fn ran(objects: &[Value]) -> Checked {
        let printed: Vec<String> = objects.iter().map(Value::to_string).collect();
        changing_areas(&finished(0, &printed.join("\n"), ""))
    }

    /// The outcome after a change of both summaries.
    fn changed(pointer: &str, value: &Value) -> Checked {
        let mut objects = right();
        for summary in objects.iter_mut().take(2) {
            *summary.pointer_mut(pointer).unwrap() = value.clone();
        }
        ran(&objects)
    }

    #[test]
    fn everything_must_have_the_device_of_its_phase() {
        assert!(ran(&right()).is_ok(), "{:?}", ran(&right()));
        assert!(changed("/overlaps/1/device", &json!("/dev/a")).is_err(), "the area of the start");
        assert!(changed("/overlaps/2/device", &json!(null)).is_err());
        assert!(changed("/overlaps/2/from_ns", &json!(11_000_000_000_u64)).is_err(), "in no phase");
        assert!(changed("/overlaps/2/from_ns", &json!(3_000_000_001_u64)).is_err(), "nothing in the last phase");
        assert!(changed("/entries/0/device", &json!(null)).is_err());
        assert!(changed("/entries/1/device", &json!("/dev/a")).is_err(), "none of the second area");
        assert!(changed("/wait_cost/devices/0/name", &json!("type 0")).is_err());
        assert!(changed("/wait_cost/devices/0/name", &json!("/dev/a")).is_err());
    }

    #[test]
    fn the_areas_must_be_those_of_the_phases() {
        assert!(changed("/swaps/1/path", &json!("/dev/a")).is_err());
        assert!(changed("/swaps/2/kind", &json!(0)).is_err(), "the type did not change");
        assert!(changed("/swaps/1/from_ns", &json!(8_000_000_000_u64)).is_err(), "after the start of its phase");
        assert!(changed("/swaps/0/until_ns", &json!(null)).is_err());
    }

    #[test]
    fn only_what_happened_on_the_device_must_be_seen_and_a_note_must_say_that_it_changed() {
        let ran_with = |code: i32, seen: u64, device: &str| {
            let summary = with(&json!({
                "swapins": { "seen": seen, "kernel": 1_792 }, "filters": { "device": "/dev/a" },
                "notes": [{ "code": "device_changed", "device": device }],
            }));
            device_followed(&finished(code, &summary.to_string(), ""))
        };
        let ran = |seen, device| ran_with(20, seen, device);
        assert!(ran(1_536, "/dev/a").is_ok(), "{:?}", ran(1_536, "/dev/a"));
        assert!(ran(1_792, "/dev/a").is_err());
        assert!(ran(768, "/dev/a").is_err(), "the old type");
        assert!(ran(1_536, "/dev/b").is_err());
        assert!(ran_with(0, 1_536, "/dev/a").is_err(), "inconclusive");
    }

    #[test]
    fn the_recording_must_show_the_same() {
        let mut objects = right();
        *objects[1].pointer_mut("/overlaps/0/device").unwrap() = json!("/dev/b");
        assert!(ran(&objects).is_err());
    }
}
