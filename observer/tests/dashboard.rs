//! The dashboard in a pseudo-terminal: what is on the screen, and the state of the terminal after each way in which the
//! program can end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use observer_record::player::Player;
use observer_recordings::vulnerable;
use observer_terminal::Terminal;
use observer_tui::settings::Settings;

/// The recording, for a test of this file that is run as the program in the terminal.
const RECORDING: &str = "OBSERVER_TEST_RECORDING";

/// A folder with a recording named `r`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    vulnerable::record(&folder.path().join("r"), 30, 1_000).unwrap();
    folder
}

/// A replay in a terminal.
fn terminal(folder: &TempDir, size: (u16, u16)) -> Terminal {
    Terminal::start(replay(folder), size, size)
}

fn replay(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    // The tests must not read the file of the user who runs them.
    environment(&mut command).arg("replay").arg("r").current_dir(folder).env("XDG_CONFIG_HOME", folder.path());
    command
}

fn environment(command: &mut Command) -> &mut Command {
    command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env_remove("LC_ALL").env_remove("NO_COLOR");
    command.env_remove("COLUMNS").env_remove("LINES").env_remove("SUDO_UID")
}

#[test]
fn keys_open_every_view_and_quit() {
    let folder = folder();
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("no fix for CVE-2024-26759");
    terminal.shows("stale installs");
    terminal.keys("]]");
    terminal.keys("4");
    terminal.shows("overtaken by");
    terminal.keys("n");
    terminal.shows("paused");
    terminal.keys("\r");
    terminal.shows("of swap entry");
    terminal.keys("e");
    terminal.shows("wrote /");
    terminal.keys("q2/java\r");
    terminal.shows("filter: java");
    terminal.keys("?");
    terminal.shows("quit and print the summary");
    terminal.keys("?");
    terminal.shows("swap-in fault");
    terminal.keys("x");
    terminal.keys("q");
    assert_eq!(terminal.end().code(), Some(10), "the part played has a stale install");
    terminal.assert_restored();
    let files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let svg = files.iter().find(|file| file.extension() == Some(OsStr::new("svg"))).unwrap();
    roxmltree::Document::parse(&fs::read_to_string(svg).unwrap()).unwrap();
}

#[test]
fn held_keys_seek_to_the_end_and_quitting_prints_the_summary() {
    let folder = folder();
    let mut terminal = terminal(&folder, (80, 40));
    terminal.shows("stale installs");
    // Paused in the middle: ten of these keys are half of the length, however fast they come.
    terminal.keys(" 0]]]]]]]]]]");
    terminal.shows("replay 00:00:15 paused");
    terminal.keys("[[[[");
    terminal.shows("replay 00:00:09 paused");
    terminal.keys(&"]".repeat(30));
    terminal.shows(" end");
    terminal.keys("q");
    assert_eq!(terminal.end().code(), Some(10));
    terminal.assert_restored();
    terminal.shows("overhead");
    let report =
        Command::new(env!("CARGO_BIN_EXE_observer")).args(["report", "r"]).current_dir(&folder).output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    let last = report.trim_end().lines().last().unwrap();
    assert!(terminal.text().contains(last), "{last}\n{}", terminal.text());
}

#[test]
fn a_replay_starts_at_a_time_and_jumps_to_others() {
    let folder = folder();
    let mut command = replay(&folder);
    command.args(["--at", "00:00:12", "--speed", "0.015625"]);
    let mut terminal = Terminal::start(command, (80, 24), (80, 24));
    terminal.shows("replay 00:00:12 x0.015625");
    terminal.keys("@7s\r");
    terminal.shows("replay 00:00:07 x0.015625");
    terminal.keys("@2026-01-01T00:00:21Z\r");
    terminal.shows("replay 00:00:21 x0.015625");
    terminal.keys("@nonsense\r");
    terminal.shows("an offset from the start");
    terminal.keys("\x1b");
    terminal.hides("an offset from the start");
    terminal.keys("@00:59\r");
    terminal.shows("nothing at 00:59");
    terminal.keys("N");
    terminal.shows("paused");
    terminal.keys("q");
    terminal.end();
}

#[test]
fn a_summary_of_a_part_names_it() {
    let folder = folder();
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("stale installs");
    terminal.keys("q");
    terminal.end();
    terminal.shows("covers all");
}

#[test]
fn the_export_has_numbers_as_numbers() {
    let folder = folder();
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("stale installs");
    terminal.keys("]]e");
    terminal.shows("wrote /");
    // The path may be broken between two lines.
    let file = format!("{}/observer-", folder.path().canonicalize().unwrap().to_str().unwrap());
    terminal.becomes("the full path", |screen| screen.replace('\n', "").contains(&file));
    terminal.keys("q");
    terminal.end();
    let json = |path: &Path| path.extension() == Some(OsStr::new("json"));
    let mut files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let export: serde_json::Value =
        serde_json::from_slice(&fs::read(files.find(|path| json(path)).unwrap()).unwrap()).unwrap();
    assert_eq!(export["schema"], "observer-dashboard/1");
    assert_eq!(export["kernel"]["state"], "vulnerable");
    assert!(export["entries"][0]["longest_ns"].is_u64(), "{}", export["entries"][0]);
    assert!(export["rates_per_second"]["direct"]["last_60_s"].is_f64());
}

#[test]
fn signals_end_the_dashboard_and_restore_the_terminal() {
    let folder = folder();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut terminal = terminal(&folder, (80, 24));
        terminal.shows("stale installs");
        terminal.signal(signal);
        terminal.end();
        terminal.assert_restored();
    }
}

#[test]
fn control_c_ends_the_dashboard() {
    let folder = folder();
    let mut terminal = terminal(&folder, (120, 40));
    terminal.shows("overhead");
    terminal.keys("\x03");
    terminal.end();
    terminal.assert_restored();
}

#[test]
fn a_panic_restores_the_terminal_before_its_message() {
    let folder = folder();
    let mut command = Command::new(std::env::current_exe().unwrap());
    environment(&mut command).args(["--exact", "panics_in_the_terminal", "--ignored", "--nocapture"]);
    command.env(RECORDING, folder.path().join("r"));
    let mut terminal = Terminal::start(command, (80, 24), (80, 24));
    terminal.shows("stale installs");
    fs::remove_file(folder.path().join("r")).unwrap();
    terminal.shows("on purpose");
    terminal.end();
    terminal.assert_restored();
    assert!(terminal.text().contains("panicked at"), "{}", terminal.text());
}

/// The program in the terminal of the test above. It panics once its recording, which is open, has been removed.
#[test]
#[ignore = "run by another test, in a terminal"]
fn panics_in_the_terminal() {
    let Some(file) = std::env::var_os(RECORDING).map(PathBuf::from) else { return };
    let player = Player::open(&file).unwrap();
    let panics = thread::spawn(move || {
        while file.exists() {
            thread::sleep(Duration::from_millis(10));
        }
        panic!("on purpose");
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // A panic on any thread ends the dashboard.
    runtime.block_on(observer::dashboard::replay(player, None, Settings::default())).unwrap();
    assert!(panics.join().is_err());
}

#[test]
fn the_dashboard_follows_the_size_of_the_window() {
    let folder = folder();
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("stale installs");
    assert!(!terminal.text().contains("overhead"));
    terminal.resize(120, 40);
    terminal.shows("overhead");
    terminal.resize(30, 8);
    terminal.shows("observer needs 40x10");
    terminal.keys("q");
    terminal.end();
    terminal.assert_restored();
}

#[test]
fn the_terminal_is_asked_for_its_size_on_a_line_without_one() {
    let folder = folder();
    let mut terminal = Terminal::start(replay(&folder), (0, 0), (100, 30));
    terminal.shows("stale installs");
    terminal.shows("freeze");
    let text = terminal.text();
    assert_eq!(text.lines().count(), 30, "{text}");
    assert!(text.lines().any(|line| line.chars().count() > 95), "{text}");
    terminal.keys("q");
    terminal.end();
    terminal.assert_restored();
}

#[test]
fn ctrl_z_without_a_shell_does_not_stop_the_process() {
    let folder = folder();
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("stale installs");
    terminal.keys("\x1a");
    terminal.keys("4");
    terminal.shows("overtaken by");
    terminal.signal(Signal::TSTP);
    terminal.keys("1");
    terminal.shows("per second");
    terminal.signal(Signal::CONT);
    terminal.keys("2");
    terminal.shows("deepest");
    terminal.keys("q");
    terminal.end();
    terminal.assert_restored();
}

#[test]
fn a_shell_stops_and_continues_the_dashboard() {
    let folder = folder();
    let mut command = Command::new("sh");
    environment(&mut command).arg("-i").current_dir(&folder).env("PS1", "ready> ").env_remove("ENV");
    let mut terminal = Terminal::start(command, (80, 24), (80, 24));
    terminal.shows("ready>");
    terminal.keys(&format!("{} replay r\r", env!("CARGO_BIN_EXE_observer")));
    terminal.shows("stale installs");
    terminal.keys("\x1a");
    terminal.shows("Stopped");
    terminal.assert_restored();
    terminal.keys("fg\r");
    terminal.shows("stale installs");
    terminal.keys("4");
    terminal.shows("overtaken by");
    terminal.keys("q");
    terminal.shows("ready> ");
    terminal.assert_restored();
    terminal.keys("exit\r");
    terminal.end();
}

#[test]
fn the_dashboard_ends_when_its_terminal_is_closed() {
    let folder = folder();
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("stale installs");
    terminal.close();
    terminal.end();
}

#[test]
fn a_click_on_a_tab_opens_its_view() {
    let folder = folder();
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("per second");
    // A click on the second tab in the fourth line, as xterm sends it.
    terminal.keys("\x1b[<0;15;4M\x1b[<0;15;4m");
    terminal.shows("deepest");
    terminal.keys("q");
    terminal.end();
}

/// A file that the program reads as that of the user.
fn configuration(folder: &TempDir, text: &str) {
    fs::create_dir_all(folder.path().join("observer")).unwrap();
    fs::write(folder.path().join("observer/config.toml"), text).unwrap();
}

#[test]
fn the_file_of_the_user_sets_view_columns_and_keys() {
    let folder = folder();
    let text = "view = 'entries'\ncolumns.entries = ['waits', 'entry']\nkeys.everywhere.quit = ['X']";
    configuration(&folder, text);
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("entry");
    assert!(!terminal.text().contains("overlaps"), "{}", terminal.text());
    terminal.keys("qX");
    terminal.end();
    terminal.assert_restored();
}

#[test]
fn a_mistake_in_the_file_is_an_error_before_the_terminal_is_entered() {
    let folder = folder();
    configuration(&folder, "mouse = true\nview = 'entrees'\n");
    let mut terminal = terminal(&folder, (160, 24));
    terminal.shows("config.toml, line 2: view: there is no");
    assert_eq!(terminal.end().code(), Some(4));
    terminal.assert_restored();
    let mut command = replay(&folder);
    command.arg("--no-config");
    let mut terminal = Terminal::start(command, (80, 24), (80, 24));
    terminal.shows("stale installs");
    terminal.keys("q");
    terminal.end();
}

#[test]
fn another_file_is_named_on_the_command_line_and_must_exist() {
    let folder = folder();
    fs::write(folder.path().join("mine.toml"), "view = 'findings'").unwrap();
    for (file, shown) in [("mine.toml", "overtaken by"), ("none.toml", "cannot read the configuration file none.toml")]
    {
        let mut command = replay(&folder);
        command.args(["--config", file]);
        let mut terminal = Terminal::start(command, (160, 24), (160, 24));
        terminal.shows(shown);
        terminal.keys("q");
        terminal.end();
    }
}

#[test]
fn the_configuration_is_printed_located_and_checked() {
    let folder = folder();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
        let output = environment(&mut command).env("XDG_CONFIG_HOME", folder.path()).args(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout) + &text(output.stderr))
    };
    let (code, printed) = run(&["config"]);
    assert_eq!(code, Some(0));
    let path = folder.path().join("observer/config.toml").to_str().unwrap().to_owned();
    assert_eq!(run(&["config", "--path"]), (Some(0), format!("{path}\n")));
    let (code, text) = run(&["config", "--check"]);
    assert!(code == Some(0) && text.contains("does not exist"), "{text}");
    configuration(&folder, &printed);
    assert_eq!(run(&["config", "--check"]), (Some(0), format!("{path}: valid\n")));
    configuration(&folder, "refresh = '1ms'");
    let (code, text) = run(&["config", "--check"]);
    assert!(code == Some(4) && text.contains("line 1: refresh"), "{text}");
}

#[test]
fn the_mouse_is_left_to_the_terminal_on_request() {
    let folder = folder();
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("stale installs");
    terminal.has_mouse(true);
    terminal.keys("m");
    terminal.has_mouse(false);
    // Neither a signal nor a redrawn screen takes it back.
    terminal.signal(Signal::CONT);
    terminal.keys("4");
    terminal.shows("overtaken by");
    terminal.has_mouse(false);
    terminal.keys("m");
    terminal.has_mouse(true);
    terminal.keys("q");
    terminal.end();
    terminal.assert_restored();
}

#[test]
fn the_mouse_is_never_taken_if_the_user_does_not_want_it() {
    let folder = folder();
    configuration(&folder, "mouse = false");
    for (args, mouse) in [(&[][..], false), (&["--mouse", "on"], true)] {
        let mut command = replay(&folder);
        command.args(args);
        let mut terminal = Terminal::start(command, (80, 24), (80, 24));
        terminal.shows("stale installs");
        terminal.has_mouse(mouse);
        terminal.keys("q");
        terminal.end();
        terminal.assert_restored();
    }
}

#[test]
fn a_finding_is_copied_into_the_clipboard_of_the_terminal() {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let folder = folder();
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("stale installs");
    terminal.keys("]]4");
    terminal.shows("overtaken by");
    terminal.keys("n");
    terminal.shows("paused");
    terminal.keys("y");
    terminal.shows("if the terminal permits OSC 52");
    let copied = String::from_utf8(BASE64_STANDARD.decode(terminal.clipboard()).unwrap()).unwrap();
    assert!(copied.contains("its read starts at") && copied.contains("kernel 5.10"), "{copied}");
    terminal.keys("q");
    terminal.end();
    terminal.assert_restored();
}

#[test]
fn the_first_data_loss_of_a_replay_is_signalled_on_request_and_the_title_restored() {
    let folder = folder();
    let mut silent = terminal(&folder, (80, 24));
    silent.keys("]]");
    silent.shows("DATA LOSS");
    assert_eq!((silent.bells(), silent.title()), (0, String::new()));
    silent.keys("q");
    silent.end();
    configuration(&folder, "data_loss = { title = true, in_replay = true }");
    for signal in [None, Some(Signal::TERM)] {
        let mut terminal = terminal(&folder, (80, 24));
        terminal.keys("]]");
        terminal.shows("DATA LOSS");
        terminal.keys("]]]4");
        terminal.shows("overtaken by");
        assert_eq!((terminal.bells(), terminal.title().as_str()), (1, "DATA LOSS - observer"));
        match signal {
            Some(signal) => terminal.signal(signal),
            None => terminal.keys("q"),
        }
        terminal.end();
        terminal.assert_restored();
    }
}

#[test]
fn an_error_without_a_terminal_names_another_command() {
    let folder = folder();
    let output = replay(&folder).stdin(Stdio::null()).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(message.contains("needs a terminal"), "{message}");
    assert!(message.contains("observer report r"), "{message}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_terminal_without_keys_is_not_used() {
    let folder = folder();
    let output = observer_terminal::run_without_keys(replay(&folder));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{message}");
    assert!(message.contains("one to read keys from; use `observer report r`"), "{message}");
}
