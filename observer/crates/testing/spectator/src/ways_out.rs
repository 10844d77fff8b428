//! Every way in which a live dashboard can end, and the terminal after it.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use super::{Terminal, observer, open, seen};

/// All of them, one after the other.
pub(crate) fn all() {
    by_key();
    by_signal();
    while_attaching();
    without_terminal();
    by_time();
    by_error();
    after_command();
    after_killed_workload();
}

/// A dashboard that is at work: its clock has moved.
fn at_work(arguments: &[&str]) -> Terminal {
    let mut terminal = observer(arguments);
    terminal.becomes("a running clock", |text| {
        text.contains("live 00:00:") && !text.contains("live 00:00:00") && text.contains("per second")
    });
    terminal
}

fn by_key() {
    let mut terminal = at_work(&["live"]);
    terminal.keys("\x03");
    assert!(terminal.end().code().is_some());
    terminal.is_restored();
    seen("Ctrl-C");
}

fn by_signal() {
    for (name, signal) in [("SIGINT", Signal::INT), ("SIGTERM", Signal::TERM), ("SIGHUP", Signal::HUP)] {
        let mut terminal = at_work(&["live"]);
        terminal.signal(signal);
        let status = terminal.end();
        assert!(status.code().is_some(), "{name}: {status}");
        terminal.is_restored();
        terminal.shows("swap-ins");
        seen(name);
    }
}

/// It draws before it observes: attaching takes its time.
fn while_attaching() {
    let mut terminal = observer(&["live"]);
    terminal.shows("attaching");
    terminal.signal(Signal::TERM);
    let status = terminal.end();
    assert!(status.code().is_some(), "{status}");
    terminal.is_restored();
    seen("SIGTERM while attaching");
}

fn without_terminal() {
    let mut terminal = at_work(&["live"]);
    terminal.unplug();
    let status = terminal.end();
    assert!(status.code().is_some(), "{status}");
    seen("the terminal gone");
}

fn by_time() {
    let mut terminal = observer(&["live", "--duration", "1s"]);
    terminal.end();
    terminal.is_restored();
    terminal.shows("swap-ins");
    seen("the end of --duration");
}

/// Too few descriptors to attach with: an error while the dashboard is open.
fn by_error() {
    let mut terminal = open("sh", &["-c", "ulimit -n 32; exec observer live"]);
    let status = terminal.end();
    assert!(matches!(status.code(), Some(3 | 4)), "{status}\n{}", terminal.text());
    terminal.is_restored();
    terminal.shows("No file descriptors available");
    seen("an error");
}

fn after_command() {
    let mut terminal = observer(&["live", "--", "sh", "-c", "echo said by the command; exit 3"]);
    terminal.shows("the command exited with 3; q for the summary");
    terminal.shows("COMMAND EXITED WITH 3");
    assert!(!terminal.text().contains("said by the command"), "written over the screen:\n{}", terminal.text());
    terminal.keys("q");
    assert_eq!(terminal.end().code(), Some(30));
    terminal.is_restored();
    terminal.shows("said by the command");
    seen("the end of the command");
}

fn after_killed_workload() {
    let mut terminal = at_work(&["stress", "storm", "--dashboard", "--duration", "10m"]);
    terminal.becomes("a storm", |text| text.contains("zram") && !text.contains("overlaps                -       -"));
    let workload = child_of(terminal.pid());
    kill_process(workload, Signal::KILL).unwrap();
    terminal.shows("the command was killed by signal 9; q for the summary");
    terminal.shows("COMMAND KILLED BY SIGNAL 9");
    terminal.keys("2");
    terminal.shows("deepest");
    terminal.keys("q");
    // What it saw is not the whole.
    assert_eq!(terminal.end().code(), Some(20), "{}", terminal.text());
    terminal.is_restored();
    let swaps = fs::read_to_string("/proc/swaps").unwrap();
    assert!(!swaps.contains("zram"), "left behind: {swaps}");
    seen("the workload killed");
}

/// The only child of a process.
fn child_of(pid: u32) -> Pid {
    let children = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let child: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        // Behind the command, which may hold anything: state and parent.
        let parent: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        (parent == pid).then_some(child)
    });
    let children: Vec<i32> = children.collect();
    assert_eq!(children.len(), 1, "children of observer: {children:?}");
    Pid::from_raw(children[0]).unwrap()
}
