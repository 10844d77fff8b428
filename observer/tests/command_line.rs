//! What the program prints for a command line, as a process: messages, exit codes, colours, units.
#![expect(clippy::unwrap_used, reason = "tests, with functions of their own")]

use std::process::{Command, Output};

/// Microseconds with the micro sign.
const MICRO: &str = "\u{b5}s";

fn observer(args: &[&str], locale: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    command.env("LANG", locale).env("TERM", "xterm-256color").env_remove("LC_ALL").env_remove("LC_CTYPE");
    command.env_remove("NO_COLOR").args(args).output().unwrap()
}

fn recording() -> String {
    observer_recordings::released("v1.1-locks-7.3.obs").to_str().unwrap().to_owned()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// The message of a command that fails with this code.
fn message(args: &[&str], code: i32) -> String {
    let output = observer(args, "C");
    let message = text(output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
    assert!(output.stdout.is_empty(), "{args:?}: {}", text(output.stdout));
    message
}

#[test]
fn a_file_of_types_that_cannot_be_used_is_an_error_of_the_file() {
    for command in ["doctor", "record", "live", "serve"] {
        let message = message(&[command, "--btf", "/no/such/btf"], 4);
        assert_eq!(
            message.lines().last(),
            Some("observer: --btf: cannot read BTF from /no/such/btf: No such file or directory (os error 2)")
        );
    }
}

#[test]
fn a_cause_is_in_a_message_once() {
    let (recording, folder) = (recording(), tempfile::tempdir().unwrap());
    let absent = folder.path().join("absent/x").to_str().unwrap().to_owned();
    for args in [
        &["report", absent.as_str()][..],
        &["replay", &absent],
        &["diff", &absent, &recording],
        &["report", &recording, "-o", &absent],
        &["man", "--dir", &absent],
        &["doctor", "--btf", &absent],
    ] {
        let message = message(args, 4);
        assert_eq!(message.matches("(os error 2)").count(), 1, "{args:?}: {message}");
    }
}

#[test]
fn a_mistyped_command_is_corrected() {
    let message = message(&["reporrt"], 2);
    assert!(message.contains("similar subcommand") && message.contains("'report'"), "{message}");
}

#[test]
fn an_address_that_is_none_is_refused_with_an_example() {
    let message = message(&["serve", "--listen", "host"], 2);
    assert!(message.contains("e.g. 127.0.0.1:9842"), "{message}");
}

#[test]
fn a_report_has_colours_where_they_are_asked_for() {
    let recording = recording();
    let report = |args: &[&str]| text(observer(&[&["report", &recording], args].concat(), "C").stdout);
    let (plain, coloured) = (report(&[]), report(&["--color", "always"]));
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}["));
    assert_eq!(report(&["--color", "never"]), plain);
    let mut stripped = coloured;
    for code in ["0", "2", "32", "33", "1;31"] {
        stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(stripped, plain, "colours change nothing else");
    assert!(!report(&["--color", "always", "--format", "json"]).contains('\u{1b}'));
}

#[test]
fn colours_follow_the_terminal_and_no_color() {
    let folder = tempfile::tempdir().unwrap();
    let run = |no_color: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
        command.args(["report", &recording()]).env("TERM", "xterm").env("NO_COLOR", no_color).current_dir(&folder);
        text(observer_terminal::output_on(command))
    };
    assert!(run("").contains("\u{1b}[2mkernel\u{1b}[0m"));
    assert!(!run("1").contains('\u{1b}'));
}

#[test]
fn microseconds_have_the_micro_sign_in_a_locale_with_utf8() {
    let recording = recording();
    let report =
        |locale: &str, format: &str| text(observer(&["report", &recording, "--format", format], locale).stdout);
    let (ascii, utf8) = (report("C", "text"), report("C.UTF-8", "text"));
    assert!(ascii.is_ascii() && ascii.contains(" us "), "{ascii}");
    assert_eq!((utf8.replace(MICRO, "us"), utf8.contains(" us ")), (ascii, false));
    for format in ["json", "csv", "ndjson", "hlog", "openmetrics", "perfetto"] {
        assert_eq!(report("C", format), report("C.UTF-8", format), "{format}");
    }
}
