//! A dashboard in a guest, seen through the terminal that the guest was lent.

use rustix::process::Signal;

use super::{SIZE, Terminal, open, seen};

/// `command` opens it; it must say `words` of the kernel.
pub(crate) fn all(words: &str, command: &[&str]) {
    quit(words, command);
    cut_off(words, command);
}

fn opened(words: &str, command: &[&str]) -> Terminal {
    let mut terminal = open(command[0], &command[1..]);
    terminal.shows(words);
    terminal.shows("zram");
    terminal
}

fn quit(words: &str, command: &[&str]) {
    let mut terminal = opened(words, command);
    terminal.keys("2");
    terminal.shows("deepest");
    terminal.shows("walker");
    terminal.resize(120, 40);
    terminal.becomes("a larger dashboard", |text| text.lines().any(|line| line.starts_with("overhead")));
    terminal.resize(SIZE.0, SIZE.1);
    terminal.becomes("a smaller one", |text| !text.lines().any(|line| line.starts_with("overhead")));
    terminal.keys("q");
    let status = terminal.end();
    assert!(matches!(status.code(), Some(0 | 10 | 20)), "{status}\n{}", terminal.text());
    terminal.shows("truth ");
    terminal.is_restored();
    seen("a guest's dashboard, keys and window passed on, quit");
}

/// The guest is ended from outside, with the dashboard on the screen.
fn cut_off(words: &str, command: &[&str]) {
    let mut terminal = opened(words, command);
    terminal.signal(Signal::TERM);
    let status = terminal.end();
    assert_eq!(status.code(), Some(130), "{status}\n{}", terminal.text());
    terminal.is_restored();
    seen("a guest's dashboard, cut off");
}
