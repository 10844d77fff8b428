//! Every way in which a live dashboard can end, and the terminal after it.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use super::{Terminal, observer, open, passed};

pub(crate) fn check() {
    by_key();
    by_signal();
    while_attaching();
    by_closed_terminal();
    by_duration();
    by_error();
    after_command();
    after_killed_workload();
}

/// A dashboard whose clock runs.
fn running(arguments: &[&str]) -> Terminal {
    let mut terminal = observer(arguments);
    terminal.becomes("a running clock", |text| {
        text.contains("live 00:00:") && !text.contains("live 00:00:00") && text.contains("per second")
    });
    terminal
}

fn by_key() {
    let mut terminal = running(&["live"]);
    terminal.keys("\x03");
    assert!(terminal.end().code().is_some());
    terminal.assert_restored();
    passed("Ctrl-C");
}

fn by_signal() {
    for (name, signal) in [("SIGINT", Signal::INT), ("SIGTERM", Signal::TERM), ("SIGHUP", Signal::HUP)] {
        let mut terminal = running(&["live"]);
        terminal.signal(signal);
        let status = terminal.end();
        assert!(status.code().is_some(), "{name}: {status}");
        terminal.assert_restored();
        terminal.shows("overhead ");
        passed(name);
    }
}

/// The dashboard is drawn before the programs are attached, which takes some time.
fn while_attaching() {
    let mut terminal = observer(&["live"]);
    terminal.shows("attaching");
    terminal.signal(Signal::TERM);
    let status = terminal.end();
    assert!(status.code().is_some(), "{status}");
    terminal.assert_restored();
    passed("SIGTERM while attaching");
}

fn by_closed_terminal() {
    let mut terminal = running(&["live"]);
    terminal.close();
    let status = terminal.end();
    assert!(status.code().is_some(), "{status}");
    passed("the terminal is closed");
}

fn by_duration() {
    let mut terminal = observer(&["live", "--duration", "1s"]);
    terminal.end();
    terminal.assert_restored();
    terminal.shows("overhead ");
    passed("the end of --duration");
}

/// With few descriptors the programs cannot be attached: an error while the dashboard is open.
fn by_error() {
    let mut terminal = open("sh", &["-c", "ulimit -n 32; exec observer live"]);
    let status = terminal.end();
    assert!(matches!(status.code(), Some(3 | 4)), "{status}\n{}", terminal.text());
    terminal.assert_restored();
    terminal.shows("No file descriptors available");
    passed("an error");
}

fn after_command() {
    let mut terminal = observer(&["live", "--", "sh", "-c", "echo output of the command; exit 3"]);
    terminal.shows("the command exited with 3; q for the summary");
    terminal.shows("COMMAND EXITED WITH 3");
    assert!(!terminal.text().contains("output of"), "the command wrote over the screen:\n{}", terminal.text());
    terminal.keys("q");
    assert_eq!(terminal.end().code(), Some(30));
    terminal.assert_restored();
    terminal.shows("output of the command");
    passed("the end of the command");
}

fn after_killed_workload() {
    let mut terminal = running(&["stress", "storm", "--dashboard", "--duration", "10m"]);
    terminal.becomes("a storm", |text| text.contains("zram") && !text.contains("overlaps                -       -"));
    let workload = child_of(terminal.pid());
    kill_process(workload, Signal::KILL).unwrap();
    terminal.shows("the command was killed by signal 9; q for the summary");
    terminal.shows("COMMAND KILLED BY SIGNAL 9");
    terminal.keys("2");
    terminal.shows("deepest");
    terminal.keys("q");
    // The storm is incomplete.
    assert_eq!(terminal.end().code(), Some(20), "{}", terminal.text());
    terminal.assert_restored();
    let swaps = fs::read_to_string("/proc/swaps").unwrap();
    assert!(!swaps.contains("zram"), "the swap device is still in use: {swaps}");
    passed("the workload is killed");
}

/// The only child of a process.
fn child_of(pid: u32) -> Pid {
    let children = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let child: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        // State and parent follow the command, which may contain parentheses and spaces.
        let parent: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        (parent == pid).then_some(child)
    });
    let children: Vec<i32> = children.collect();
    assert_eq!(children.len(), 1, "children of observer: {children:?}");
    Pid::from_raw(children[0]).unwrap()
}
