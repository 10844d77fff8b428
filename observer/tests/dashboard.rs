//! The dashboard in a real pseudo-terminal: what is on the screen, and how the terminal is left behind, whichever way the
//! program ends.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, helpers included")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use self::terminal::Terminal;
use observer_recordings::unfixed;
use observer_terminal as terminal;

/// Set for a test of this file that is run again as the program in the terminal.
const CHILD: &str = "OBSERVER_E2E_CHILD";

/// A recording and a folder of this test's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("observer-e2e-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        unfixed::record(&folder.join("r"), 30, 1_000).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A replay in a terminal.
fn terminal(folder: &Folder, size: (u16, u16)) -> Terminal {
    Terminal::start(replay(folder), size, size)
}

fn replay(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_observer"));
    environment(&mut command).arg("replay").arg("r").current_dir(&folder.0);
    command
}

fn environment(command: &mut Command) -> &mut Command {
    command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env_remove("LC_ALL").env_remove("NO_COLOR");
    command.env_remove("COLUMNS").env_remove("LINES")
}

#[test]
fn keys_lead_through_the_views_and_out() {
    let folder = Folder::new("keys");
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("unfixed: ABA possible");
    terminal.shows("stale installs");
    terminal.keys("]]");
    terminal.keys("4");
    terminal.shows("overtaken by");
    terminal.keys("n");
    terminal.shows("paused");
    terminal.keys("\r");
    terminal.shows("was still busy with the page");
    terminal.keys("e");
    terminal.shows("wrote observer-");
    terminal.keys("q2/java\r");
    terminal.shows("filter: java");
    terminal.keys("?");
    terminal.shows("quit; the summary follows");
    terminal.keys("x");
    terminal.keys("q");
    assert_eq!(terminal.end().code(), Some(10), "a stale install was played");
    terminal.is_restored();
    let files: Vec<String> =
        std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let svg = files.iter().find(|name| Path::new(name).extension().is_some_and(|ending| ending == "svg")).unwrap();
    roxmltree::Document::parse(&std::fs::read_to_string(folder.0.join(svg)).unwrap()).unwrap();
}

#[test]
fn signals_end_it_and_restore_the_terminal() {
    let folder = Folder::new("signals");
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut terminal = terminal(&folder, (80, 24));
        terminal.shows("stale installs");
        terminal.signal(signal);
        terminal.end();
        terminal.is_restored();
    }
}

#[test]
fn control_c_ends_it() {
    let folder = Folder::new("ctrl-c");
    let mut terminal = terminal(&folder, (120, 40));
    terminal.shows("overhead");
    terminal.keys("\x03");
    terminal.end();
    terminal.is_restored();
}

#[test]
fn a_panic_restores_the_terminal_before_it_is_told() {
    let folder = Folder::new("panic");
    let mut command = Command::new(std::env::current_exe().unwrap());
    environment(&mut command).args(["--exact", "panics_in_the_terminal", "--ignored", "--nocapture"]);
    command.env(CHILD, folder.0.join("r"));
    let mut terminal = Terminal::start(command, (80, 24), (80, 24));
    terminal.shows("stale installs");
    terminal.shows("on purpose");
    terminal.end();
    terminal.is_restored();
    assert!(terminal.text().contains("panicked at"), "{}", terminal.text());
}

/// The program of the test above: not a test by itself.
#[test]
#[ignore = "run by another test, in a terminal"]
fn panics_in_the_terminal() {
    let Some(file) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let panics = thread::spawn(|| {
        thread::sleep(Duration::from_secs(2));
        panic!("on purpose");
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let player = observer_record::player::Player::open(&file).unwrap();
    // A panic anywhere ends the dashboard.
    runtime.block_on(observer::dashboard::replay(player, &file, false)).unwrap();
    assert!(panics.join().is_err());
}

#[test]
fn the_window_is_followed() {
    let folder = Folder::new("window");
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("stale installs");
    assert!(!terminal.text().contains("overhead"));
    terminal.resize(120, 40);
    terminal.shows("overhead");
    terminal.resize(30, 8);
    terminal.shows("observer needs at least");
    terminal.keys("q");
    terminal.end();
    terminal.is_restored();
}

#[test]
fn a_line_without_a_size_asks_the_terminal() {
    let folder = Folder::new("size");
    let mut terminal = Terminal::start(replay(&folder), (0, 0), (100, 30));
    terminal.shows("stale installs");
    terminal.shows("freeze");
    let text = terminal.text();
    assert!(text.lines().count() == 30 && text.lines().any(|line| line.chars().count() > 95), "{text}");
    terminal.keys("q");
    terminal.end();
    terminal.is_restored();
}

#[test]
fn suspending_where_no_shell_could_bring_it_back_does_not_stop_it() {
    let folder = Folder::new("suspend");
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
    terminal.is_restored();
}

/// The same under a shell with job control.
#[test]
fn a_shell_stops_it_and_brings_it_back() {
    let folder = Folder::new("jobs");
    let mut command = Command::new("sh");
    environment(&mut command).arg("-i").current_dir(&folder.0).env("PS1", "ready> ").env_remove("ENV");
    let mut terminal = Terminal::start(command, (80, 24), (80, 24));
    terminal.shows("ready>");
    terminal.keys(&format!("{} replay r\r", env!("CARGO_BIN_EXE_observer")));
    terminal.shows("stale installs");
    terminal.keys("\x1a");
    terminal.shows("Stopped");
    terminal.is_restored();
    terminal.keys("fg\r");
    terminal.shows("stale installs");
    terminal.keys("4");
    terminal.shows("overtaken by");
    terminal.keys("q");
    terminal.shows("ready> ");
    terminal.is_restored();
    terminal.keys("exit\r");
    terminal.end();
}

#[test]
fn it_ends_with_its_terminal() {
    let folder = Folder::new("unplugged");
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("stale installs");
    terminal.unplug();
    terminal.end();
}

#[test]
fn the_mouse_turns_the_views() {
    let folder = Folder::new("mouse");
    let mut terminal = terminal(&folder, (80, 24));
    terminal.shows("per second");
    // A click on the second name of the fourth line, as xterm sends it.
    terminal.keys("\x1b[<0;15;4M\x1b[<0;15;4m");
    terminal.shows("deepest");
    terminal.keys("q");
    terminal.end();
}

#[test]
fn without_a_terminal_it_says_what_to_do_instead() {
    let folder = Folder::new("none");
    let output = replay(&folder).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(told.contains("needs a terminal") && told.contains("observer report r"), "{told}");
    assert!(output.stdout.is_empty());
}
