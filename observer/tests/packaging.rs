//! Rules, dashboard and unit use the names that `serve` exports.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use observer_observation::{Overhead, ProgramRun, ProgramStats, RingUse};
use observer_record::replay;
use observer_report::{
    formats::openmetrics::{self, Dialect, ServeCost},
    observed::Observed,
    summary::remarks::Budget,
};

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The names of all samples of a page that has every family: a recording, with a budget and with the overhead that
/// older recordings lack.
fn exported() -> BTreeSet<String> {
    let outcome = replay(&observer_recordings::released("v1.obs")).unwrap();
    let mut observed = Observed::new(&outcome);
    observed.summary.budget = Some(Budget { ns: 1_000_000, over: 0 });
    observed.summary.overhead = Overhead {
        resident_bytes: Some(9 << 20),
        ring: Some(RingUse::default()),
        program_stats: Some(ProgramStats::Counted(vec![ProgramRun::default()])),
        ..observed.summary.overhead
    };
    let metrics = openmetrics::text(&observed, &ServeCost::default(), Dialect::OpenMetrics);
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// Every word with the prefix of exported names. Names with a colon are made by recording rules.
fn used(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.starts_with("observer_") && !word.contains(':')).map(str::to_owned).collect()
}

fn check(path: &str, at_least: usize) {
    let (text, exported) = (fs::read_to_string(root(path)).unwrap(), exported());
    // Descriptions may name a family without its suffix.
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("description") && !line.contains('#')).collect();
    let used = used(&lines.join("\n"));
    assert!(used.len() >= at_least, "{path} uses too few names: {used:?}");
    let unknown: Vec<_> = used.difference(&exported).collect();
    assert!(unknown.is_empty(), "{path} uses names that are not exported: {unknown:?}");
}

#[test]
fn the_rules_use_names_that_are_exported() {
    check("packaging/prometheus/rules.yml", 8);
    check("packaging/prometheus/rules_test.yml", 5);
}

#[test]
fn the_dashboard_uses_names_that_are_exported() {
    check("packaging/grafana/observer.json", 12);
    let text = fs::read_to_string(root("packaging/grafana/observer.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    for panel in panels {
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
    }
}

#[test]
fn names_with_a_colon_are_made_by_a_recording_rule() {
    let text = fs::read_to_string(root("packaging/prometheus/rules.yml")).unwrap();
    let made: BTreeSet<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let used = words.filter(|word| word.contains(":observer_"));
    for word in used {
        assert!(made.contains(word), "{word} is made by no rule");
    }
    assert!(made.len() > 5);
}

#[test]
fn the_unit_listens_on_the_default_address_and_grants_two_capabilities() {
    let unit = fs::read_to_string(root("packaging/observer.service")).unwrap();
    assert!(unit.contains("observer serve --listen 127.0.0.1:9842"));
    let granted = unit.lines().filter_map(|line| line.strip_prefix("AmbientCapabilities=")).collect::<String>();
    assert_eq!(granted, "CAP_BPF CAP_PERFMON");
}

/// The arguments of the program in a compose file or a manifest: a list in one line, which is JSON too.
fn arguments(path: &str, key: &str) -> Vec<String> {
    let text = fs::read_to_string(root(path)).unwrap();
    let list = text.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap();
    serde_json::from_str(list).unwrap()
}

#[test]
fn containers_run_as_the_program_and_the_documentation_expect() {
    for (path, key) in
        [("packaging/containers/compose.yaml", "command: "), ("packaging/containers/daemonset.yaml", "args: ")]
    {
        // With `--help` at the end the other arguments are parsed, and nothing is run.
        let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
        let output = command.args(arguments(path, key)).arg("--help").output().unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        let text = fs::read_to_string(root(path)).unwrap();
        assert!(text.contains("privileged: true"), "{path}");
        assert!(text.contains("pid: host") || text.contains("hostPID: true"), "{path}: --pid is refused otherwise");
    }
    let manifest = fs::read_to_string(root("packaging/containers/daemonset.yaml")).unwrap();
    // The two ends of a probe and of a volume have the same names.
    assert!(manifest.contains("path: /healthz\n") && manifest.contains("containerPort: 9842"));
    for volume in ["name: debug\n", "name: tracing\n"] {
        assert_eq!(manifest.matches(volume).count(), 2, "{volume}");
    }
    let file = fs::read_to_string(root("packaging/containers/Containerfile")).unwrap();
    assert!(file.lines().any(|line| line == "COPY observer /bin/observer"));
}

#[test]
fn every_manual_page_is_written_and_is_valid_roff() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_observer")).args(args).output().unwrap();
    assert!(run(&["man", "--dir", folder.path().to_str().unwrap()]).status.success());
    let pages: BTreeSet<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let listed = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
    let mut expected: BTreeSet<String> =
        listed.filter(|name| *name != "help").map(|name| format!("observer-{name}.8")).collect();
    expected.insert("observer.8".to_owned());
    assert_eq!(pages, expected);
    for page in &pages {
        let path = folder.path().join(page);
        let text = fs::read_to_string(&path).unwrap();
        let command = page.strip_suffix(".8").unwrap().strip_prefix("observer-");
        let printed = run(&[&["man"][..], command.as_slice()].concat()).stdout;
        assert_eq!(String::from_utf8(printed).unwrap(), text, "{page}");
        // Where groff is installed it must have no warning.
        if let Ok(formatted) = Command::new("groff").args(["-man", "-Tutf8", "-ww"]).arg(&path).output() {
            let warnings = String::from_utf8_lossy(&formatted.stderr);
            assert!(warnings.is_empty(), "{page}: {warnings}");
        }
    }
}
