//! Selected reports, standard input and standard output, as a user gives them on the command line.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests, with functions of their own")]

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use observer_observation::{EndReason, FinalState};
use observer_record::{Creation, Recorder, Rotation, Target};
use observer_recordings::{released, vulnerable};
use observer_terminal::Terminal;
use serde_json::Value;
use tempfile::TempDir;

/// Of a storm on a kernel without the fix.
const STORM: &str = "v1-storm-5.10.obs";

fn observer(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    command.args(args).stdin(Stdio::null());
    command
}

/// A report of a released recording.
fn report(recording: &str, args: &[&str]) -> Output {
    let path = released(recording);
    observer(&[&["report", path.to_str().unwrap()], args].concat()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(recording: &str, args: &[&str]) -> Value {
    let output = report(recording, &[args, &["--json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", errors(&output)))
}

/// Feeds bytes through a pipe, in pieces that no frame of a recording has.
fn piped(args: &[&str], bytes: &[u8]) -> Output {
    let mut child = observer(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let feeder = std::thread::spawn(move || {
        for piece in bytes.chunks(997) {
            // The program may have read enough.
            if pipe.write_all(piece).is_err() {
                return;
            }
        }
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

fn count(json: &Value, verdict: &str) -> u64 {
    json["verdicts"][verdict].as_u64().unwrap()
}

const VERDICTS: [&str; 6] = ["overlap", "lock_wait", "pin_wait", "window", "reuse", "stale_install"];

#[test]
fn the_parts_before_and_after_a_time_add_up_to_the_whole() {
    for (recording, times) in
        [("v1.obs", ["50ms", "500ms"]), (STORM, ["60s", "130s"]), ("v1.1-locks-7.3.obs", ["1s", "5s"])]
    {
        let whole = json(recording, &[]);
        for at in times {
            let (before, after) = (json(recording, &["--until", at]), json(recording, &["--since", at]));
            for verdict in VERDICTS {
                let sum = count(&before, verdict) + count(&after, verdict);
                assert_eq!(sum, count(&whole, verdict), "{recording} {at} {verdict}");
                assert_eq!(before["selection"]["whole"]["verdicts"], whole["verdicts"]);
            }
            let measure = |json: &Value| json["distributions"]["overlap"]["count"].as_u64().unwrap();
            assert_eq!(measure(&before) + measure(&after), measure(&whole), "{recording} {at}");
            let waited = |json: &Value| json["wait_cost"]["pin"]["waited_ns"].as_u64().unwrap();
            assert_eq!(waited(&before) + waited(&after), waited(&whole), "{recording} {at}");
            assert_eq!(before["swapins"], whole["swapins"], "of the whole recording");
            assert!(before["selection"]["whole_keys"].as_array().unwrap().contains(&"swapins".into()));
        }
    }
}

/// The counts of each command of the storm; what several commands take part in counts for each of them.
#[test]
fn a_selection_by_task_has_what_the_lists_have() {
    let whole = json(STORM, &["--all"]);
    let finding = &whole["findings"][0];
    let (pid, comm) = (finding["reader"]["pid"].clone(), finding["reader"]["comm"].as_str().unwrap().to_owned());
    let takes_part = |finding: &&Value| {
        let tasks = ["freed", "allocated", "written"].map(|action| &finding[action]["by"]["pid"]);
        let others = finding["others"].as_array().unwrap().iter().map(|other| &other["task"]["pid"]);
        let mut all = std::iter::once(&finding["reader"]["pid"]).chain(tasks).chain(others);
        all.any(|other| *other == pid)
    };
    let expected = whole["findings"].as_array().unwrap().iter().filter(takes_part).count();
    let selected = json(STORM, &["--pid", &pid.to_string(), "--all"]);
    assert_eq!(selected["findings"].as_array().unwrap().len(), expected);
    let listed: u64 = ["window", "reuse", "stale_install"].map(|verdict| count(&selected, verdict)).iter().sum();
    assert_eq!(listed, expected as u64, "counted and listed");
    assert!(count(&json(STORM, &["--comm", &comm]), "overlap") > 0);
    let none = json(STORM, &["--pid", "4000000"]);
    assert_eq!((count(&none, "overlap"), none["findings"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn a_selection_of_nothing_says_what_there_is_and_keeps_the_exit_code() {
    let whole = report(STORM, &[]);
    assert_eq!(whole.status.code(), Some(10));
    let none = report(STORM, &["--pid", "4000000"]);
    assert_eq!(none.status.code(), Some(10), "a selection does not hide a data loss");
    let text = text(&none);
    assert!(text.contains("nothing in the recording matches the selection, which has overlap "), "{text}");
    assert!(text.contains("stale-install   0 of 2"), "{text}");
    let late = report(STORM, &["--since", "9h"]);
    assert!(self::text(&late).contains("it lasts from "), "{}", self::text(&late));
    for format in ["ndjson", "csv"] {
        let output = report(STORM, &["--pid", "4000000", "--format", format]);
        assert!(errors(&output).contains("nothing in the recording matches"), "{format}");
    }
    let html = self::text(&report(STORM, &["--pid", "4000000", "--format", "html"]));
    assert!(html.contains("DATA LOSS: 2 stale installs"), "the answer is that of the whole recording");
    assert!(html.contains("0 of 2"));
}

#[test]
fn every_format_has_the_selection() {
    for format in ["text", "json", "ndjson", "csv", "hlog", "openmetrics", "perfetto", "html"] {
        let output = text(&report(STORM, &["--verdict", "stale-install", "--format", format]));
        let expected = match format {
            "json" => r#""selection":{"options":{"verdict":"stale-install"}"#,
            "openmetrics" => r#"observer_selection{option="verdict"} 1"#,
            _ => "--verdict stale-install",
        };
        assert!(output.contains(expected), "{format}: {}", output.get(..600).unwrap_or(&output));
        let whole = text(&report(STORM, &["--format", format]));
        assert!(!whole.contains(expected), "{format} without a selection");
    }
}

#[test]
fn a_name_that_is_not_recorded_is_wrong_usage() {
    for (option, name, known) in
        [("--device", "nope", "/dev/zram0"), ("--comm", "nope", "redis-server"), ("--cgroup", "/nope", "none is known")]
    {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let output = report("v1.obs", &[option, name, "-o", out.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{option}: {}", errors(&output));
        let message = errors(&output);
        assert!(message.starts_with(&format!("observer: {option}: there is no {name} in the recording")), "{message}");
        assert!(message.contains(known), "{message}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left");
    }
    assert_eq!(report("v1.obs", &["--device", "zram0"]).status.code(), Some(10));
}

#[test]
fn no_time_between_since_and_until_is_wrong_usage() {
    for times in [["5s", "5s"], ["2s", "1s"], ["2030-01-01T00:00:00Z", "1s"]] {
        let output = report(STORM, &["--since", times[0], "--until", times[1]]);
        assert_eq!(output.status.code(), Some(2), "{times:?}");
        assert!(errors(&output).contains("--since must be before --until"), "{times:?}: {}", errors(&output));
    }
}

#[test]
fn lists_have_as_many_findings_as_requested() {
    let whole = json(STORM, &[]);
    let findings = |json: &Value| json["findings"].as_array().unwrap().clone();
    let all = findings(&whole).len();
    let top = json(STORM, &["--top", "3"]);
    assert_eq!((findings(&top).len(), top["left_out"]["findings"].as_u64()), (3, Some(all as u64 - 3)));
    let worst = findings(&top).iter().filter(|finding| finding["verdict"] == "stale_install").count();
    assert_eq!(worst, 2, "both of them");
    assert_eq!(text(&report(STORM, &["--format", "ndjson", "--top", "3"])).lines().count(), 3);
    let printed = |args: &[&str]| text(&report(STORM, args)).matches("    its read starts at").count();
    assert_eq!((printed(&["--top", "1"]), printed(&["--all"]), printed(&["--summary"])), (1, all, 0));
    assert!(
        text(&report(STORM, &["--top", "1"])).contains(&format!("... {} more findings (--all lists them)", all - 1))
    );
    let summary = json(STORM, &["--summary"]);
    for list in ["findings", "overlaps", "waits", "entries"] {
        assert_eq!(summary[list].as_array().unwrap().len(), 0, "{list}");
        assert_eq!(summary["left_out"][list].as_u64(), Some(whole[list].as_array().unwrap().len() as u64), "{list}");
    }
    assert_eq!(summary["verdicts"], whole["verdicts"]);
    assert!(text(&report(STORM, &["--summary"])).contains(&format!("... {all} findings, not listed (--summary)")));
    let html = text(&report(STORM, &["--format", "html", "--top", "2"]));
    assert_eq!(html.matches("<article>").count(), 2);
    for (format, option) in [("csv", "--summary"), ("hlog", "--all"), ("openmetrics", "--top=3"), ("perfetto", "--all")]
    {
        let output = report(STORM, &["--format", format, option]);
        assert_eq!(output.status.code(), Some(2), "{format} {option}");
    }
}

#[test]
fn a_selection_of_several_recordings_is_that_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("other.obs");
    vulnerable::record(&copy, 30, 1_000).unwrap();
    let copy = copy.to_str().unwrap();
    let one = json(STORM, &["--since", "25s"]);
    let other: Value =
        serde_json::from_slice(&observer(&["report", copy, "--since", "25s", "--json"]).output().unwrap().stdout)
            .unwrap();
    let both = json(STORM, &[copy, "--since", "25s"]);
    for verdict in VERDICTS {
        assert_eq!(count(&both, verdict), count(&one, verdict) + count(&other, verdict), "{verdict}");
        let whole = |json: &Value| json["selection"]["whole"]["verdicts"][verdict].as_u64().unwrap();
        assert_eq!(whole(&both), whole(&one) + whole(&other), "{verdict}");
    }
    assert_eq!(both["selection"]["options"]["since"], "25s");
    // One of them has the device.
    let device = json(STORM, &[copy, "--device", "nvme0n1p3"]);
    assert_eq!(device["selection"]["options"]["device"], "nvme0n1p3");
}

#[test]
fn an_empty_recording_has_nothing_to_select() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.obs");
    let target = Target { path: path.clone(), creation: Creation::New, rotation: Rotation::default() };
    let recorder = Recorder::create(target, &vulnerable::context()).unwrap();
    recorder.finish(&FinalState::unknown(EndReason::Duration)).unwrap();
    let output = observer(&["report", path.to_str().unwrap(), "--comm", "any"]).output().unwrap();
    let printed = text(&output) + &errors(&output);
    assert!(printed.contains("matches the selection, which has no verdict at all"), "{printed}");
    assert_ne!(output.status.code(), Some(2), "{printed}");
}

#[test]
fn a_trace_has_the_faults_of_the_selected_time() {
    let events = |args: &[&str]| {
        let output = report(STORM, &[args, &["--format", "perfetto"]].concat());
        let trace: Value = serde_json::from_slice(&output.stdout).unwrap();
        trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X").count()
    };
    let (whole, before, after) = (events(&[]), events(&["--until", "60s"]), events(&["--since", "60s"]));
    assert!(before > 0 && after > 0 && before < whole && after < whole, "{before} {after} {whole}");
}

#[test]
fn a_recording_is_read_from_a_pipe_as_from_its_file() {
    for recording in ["v1.obs", STORM, "v1.3-areas-6.12.obs"] {
        let bytes = fs::read(released(recording)).unwrap();
        let file = report(recording, &["--json"]);
        let pipe = piped(&["report", "-", "--json"], &bytes);
        assert_eq!((text(&pipe), pipe.status.code()), (text(&file), file.status.code()), "{recording}");
    }
    let bytes = fs::read(released(STORM)).unwrap();
    let cut = piped(&["report", "-"], bytes.get(..bytes.len() / 2).unwrap());
    assert!(text(&cut).contains("the file was cut"), "{}", text(&cut));
    for (bytes, message) in [(&b""[..], "the file is empty"), (b"text, not a recording", "not a recording")] {
        let output = piped(&["report", "-"], bytes);
        assert_eq!(output.status.code(), Some(4));
        assert!(errors(&output).starts_with("observer: standard input: "), "{}", errors(&output));
        assert!(errors(&output).contains(message), "{}", errors(&output));
    }
}

#[test]
fn one_side_of_a_diff_may_be_standard_input() {
    let (a, b) = (released("v1.obs"), released(STORM));
    let (a, b) = (a.to_str().unwrap(), b.to_str().unwrap());
    let files = text(&observer(&["diff", a, b]).output().unwrap());
    assert!(!files.is_empty());
    assert_eq!(text(&piped(&["diff", "-", b], &fs::read(a).unwrap())), files);
    assert_eq!(text(&piped(&["diff", a, "-"], &fs::read(b).unwrap())), files);
    for args in [&["diff", "-", "-"][..], &["report", "-", "-"]] {
        let output = piped(args, b"");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(errors(&output).contains("give - only once"), "{}", errors(&output));
    }
}

#[test]
fn a_diff_of_a_selection_compares_what_is_selected() {
    let (a, b) = (released("v1.obs"), released(STORM));
    let args = ["diff", a.to_str().unwrap(), b.to_str().unwrap(), "--since", "25s"];
    let text = text(&observer(&args).output().unwrap());
    assert!(text.contains("!  selection --since 25s: what covers the whole recordings is left out"), "{text}");
    assert!(text.contains("\noverlap "), "{text}");
    for whole in ["\nswap-ins", "\nfaults", "\ndirect swap-in"] {
        assert!(!text.contains(whole), "{whole}: {text}");
    }
}

#[test]
fn a_terminal_is_no_recording() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    command.args(["report", "-"]).env("TERM", "xterm-256color");
    let mut terminal = Terminal::start(command, (120, 24), (120, 24));
    terminal.shows("standard input is a terminal");
    terminal.shows("observer report -");
    assert_eq!(terminal.end().code(), Some(2));
}

fn in_folder(folder: &TempDir, args: &[&str], input: &Path) -> Output {
    observer(args).current_dir(folder).stdin(File::open(input).unwrap()).output().unwrap()
}

#[test]
fn a_dash_is_standard_output_and_dot_slash_dash_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let recording = released("v1.obs");
    let whole = report("v1.obs", &[]);
    for args in [&["report", "-", "-o", "-"][..], &["report", "-", "-o", "-", "--force"]] {
        let output = in_folder(&folder, args, &recording);
        assert_eq!((text(&output), output.status.code()), (text(&whole), whole.status.code()), "{args:?}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "no file called -");
    fs::copy(&recording, folder.path().join("-")).unwrap();
    let output = in_folder(&folder, &["report", "./-"], Path::new("/dev/null"));
    assert_eq!(text(&output), text(&whole));
    let output = in_folder(&folder, &["report", "./-", "-o", "./-"], Path::new("/dev/null"));
    assert_eq!(output.status.code(), Some(4), "the file exists: {}", errors(&output));
}
