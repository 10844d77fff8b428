//! `--stop-on` and `--on-finding`: what is refused before anything is attached, so that no root is needed. What they do is
//! tested in a guest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use std::process::{Command, Output};

fn observer(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_observer")).args(args).output().unwrap()
}

/// Runs it with options that are refused, and returns the message.
fn refused(args: &[&str]) -> String {
    let Output { status, stdout, stderr } = observer(args);
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(2), 0), "{args:?}: {message}");
    message
}

#[test]
fn a_program_that_cannot_be_executed_is_wrong_usage() {
    for command in ["live", "record", "serve"] {
        let missing = refused(&[command, "--on-finding", "/nonexistent/notify -x"]);
        assert!(missing.contains("--on-finding: there is no program /nonexistent/notify\n"), "{missing}");
    }
    let not_in_path = refused(&["record", "--on-finding", "observer-no-such-program"]);
    assert!(not_in_path.contains("in the folders of PATH"), "{not_in_path}");
    let not_executable = refused(&["record", "--on-finding", "/etc/passwd"]);
    assert!(not_executable.contains("cannot execute /etc/passwd"), "{not_executable}");
    let folder = refused(&["record", "--on-finding", "/tmp"]);
    assert!(folder.contains("/tmp is not a file"), "{folder}");
    let odd = refused(&["record", "--on-finding", "'/no\u{1b}[2J'"]);
    assert!(odd.contains(r"/no\x1b[2J") && !odd.contains('\u{1b}'), "{odd}");
}

#[test]
fn a_recording_is_not_created_for_a_command_that_cannot_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    refused(&["record", "-o", file.to_str().unwrap(), "--on-finding", "/nonexistent"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_command_that_needs_a_shell_is_wrong_usage() {
    let pipe = refused(&["record", "--on-finding", "cat | mail root"]);
    assert!(pipe.contains("no shell interprets `|`"), "{pipe}");
    let quote = refused(&["record", "--on-finding", "sh -c 'x"]);
    assert!(quote.contains("a quote is not closed"), "{quote}");
    refused(&["record", "--on-finding", ""]);
}

#[test]
fn only_verdicts_of_findings_are_accepted() {
    for wrong in ["overlap", "pin-wait", "stale", "stale-install:0", "stale-install:x"] {
        refused(&["record", "--stop-on", wrong]);
    }
    refused(&["record", "--on-finding", "true", "--on-verdict", "overlap"]);
    let alone = refused(&["record", "--on-verdict", "window"]);
    assert!(alone.contains("--on-finding"), "{alone}");
}
