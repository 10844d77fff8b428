//! A dashboard in a virtual machine, through the terminal that the machine is given.

use rustix::process::Signal;

use super::{SIZE, Terminal, open, passed};

/// `command` opens the dashboard, whose screen must contain `text`.
pub(crate) fn check(text: &str, command: &[&str]) {
    quit(text, command);
    interrupt(text, command);
}

fn opened(text: &str, command: &[&str]) -> Terminal {
    let mut terminal = open(command[0], &command[1..]);
    terminal.shows(text);
    terminal.shows("zram");
    terminal
}

fn quit(text: &str, command: &[&str]) {
    let mut terminal = opened(text, command);
    terminal.keys("2");
    terminal.shows("deepest");
    terminal.shows("walker");
    terminal.resize(120, 40);
    terminal.becomes("a larger dashboard", |text| text.lines().any(|line| line.starts_with("overhead")));
    terminal.resize(SIZE.0, SIZE.1);
    terminal.becomes("a smaller dashboard", |text| !text.lines().any(|line| line.starts_with("overhead")));
    terminal.keys("q");
    let status = terminal.end();
    assert!(matches!(status.code(), Some(0 | 10 | 20)), "{status}\n{}", terminal.text());
    terminal.shows("overhead ");
    terminal.assert_restored();
    passed("a guest's dashboard: keys and window are passed on, quit by key");
}

/// Ends the guest from outside while the dashboard is on the screen.
fn interrupt(text: &str, command: &[&str]) {
    let mut terminal = opened(text, command);
    terminal.signal(Signal::TERM);
    let status = terminal.end();
    assert_eq!(status.code(), Some(130), "{status}\n{}", terminal.text());
    terminal.assert_restored();
    passed("a guest's dashboard: interrupted from outside");
}
