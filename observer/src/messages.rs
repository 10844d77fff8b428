//! Standard error: messages, and a status line below them that is rewritten in place.
//!
//! The terminal stays as it is: the line needs no mode, so nothing has to be restored however the program ends.

use std::{
    env,
    io::{self, Write as _},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use observer_text::lines;
use rustix::{
    process::getpgrp,
    stdio::stderr,
    termios::{isatty, tcgetpgrp, tcgetwinsize},
};

/// Whether the cursor is in the status line.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Back to the first column, and erase to the end of the line.
const ERASE: &str = "\r\x1b[K";

/// Longest wait for the line to be removed.
const PATIENCE: Duration = Duration::from_millis(500);

const DEFAULT_COLUMNS: usize = 80;

/// Prints a message, with escapes for what is not printable.
pub(crate) fn print(text: &str) {
    let mut out = io::stderr().lock();
    // There is nowhere else to print it.
    let _ = writeln!(out, "{}{}", make_way(), lines(text));
}

/// What to print before a message: removes the status line, which comes back with its next update.
pub(crate) fn make_way() -> &'static str {
    if SHOWN.swap(false, Ordering::SeqCst) { ERASE } else { "" }
}

/// The status line. Removed on drop.
///
/// A separate thread writes it: a terminal that was stopped with Ctrl-S must not delay events.
pub(crate) struct StatusLine {
    /// `None` on drop.
    updates: Option<SyncSender<String>>,
    writer: JoinHandle<()>,
}

impl StatusLine {
    /// `None`: standard error is not a terminal, or one that cannot rewrite a line.
    pub(crate) fn open() -> Option<Self> {
        if !isatty(stderr()) || !rewrites_lines(&env::var("TERM").unwrap_or_default()) {
            return None;
        }
        let (updates, received) = sync_channel(1);
        let writer = thread::Builder::new().name("status".to_owned()).spawn(move || write(&received));
        Some(Self { updates: Some(updates), writer: writer.ok()? })
    }

    /// Shows a text of at most [`StatusLine::columns`]. While earlier updates have not been written it is skipped.
    pub(crate) fn show(&self, text: String) {
        if let Some(updates) = &self.updates {
            let _ = updates.try_send(text);
        }
    }

    /// Columns for the text, by the size of the terminal now. The last column stays free: after a character there, some
    /// terminals are in the next line.
    pub(crate) fn columns() -> usize {
        let reported = tcgetwinsize(stderr()).map_or(0, |size| usize::from(size.ws_col));
        let given = || env::var("COLUMNS").ok()?.trim().parse().ok();
        columns(reported, given)
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.updates = None;
        let start = Instant::now();
        while !self.writer.is_finished() && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn rewrites_lines(term: &str) -> bool {
    !matches!(term, "" | "dumb")
}

fn columns(reported: usize, given: impl FnOnce() -> Option<usize>) -> usize {
    let known = (reported > 0).then_some(reported).or_else(given).filter(|columns| *columns > 0);
    known.unwrap_or(DEFAULT_COLUMNS) - 1
}

fn write(updates: &Receiver<String>) {
    for text in updates {
        if !is_foreground() {
            // The terminal belongs to a shell, or to another program.
            continue;
        }
        let mut out = io::stderr().lock();
        SHOWN.store(true, Ordering::SeqCst);
        // A closed terminal is noticed by SIGHUP.
        let _ = write!(out, "{ERASE}{text}").and_then(|()| out.flush());
    }
    let mut out = io::stderr().lock();
    let _ = write!(out, "{}", make_way()).and_then(|()| out.flush());
}

/// Whether this process is not a background job of its terminal.
fn is_foreground() -> bool {
    // A terminal that is not the controlling one has no jobs of this session.
    tcgetpgrp(stderr()).map_or(true, |group| group == getpgrp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        path::{Path, PathBuf},
        process::{Command, Stdio},
    };

    use observer_terminal::{Terminal, with_default_signals};
    use rustix::process::Signal;
    use tempfile::TempDir;

    #[test]
    fn the_last_column_stays_free_and_a_terminal_without_a_size_has_the_usual_one() {
        assert_eq!(columns(40, || None), 39);
        assert_eq!(columns(0, || Some(132)), 131);
        assert_eq!(columns(0, || None), 79);
        assert_eq!(columns(0, || Some(0)), 79);
        assert_eq!(columns(1, || None), 0);
    }

    #[test]
    fn a_dumb_terminal_does_not_rewrite_lines() {
        assert_eq!(["", "dumb", "linux", "xterm-256color"].map(rewrites_lines), [false, false, true, true]);
    }

    /// The folder through which a test and its program talk.
    const FOLDER: &str = "OBSERVER_TEST_STATUS";
    /// Longest wait for the other side.
    const LIMIT: Duration = Duration::from_mins(1);

    fn wait_for(path: &Path) {
        let start = Instant::now();
        while !path.exists() {
            assert!(start.elapsed() < LIMIT, "the other side does not go on: {}", path.to_str().unwrap());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The program in the terminal of the tests below: a new text whenever the test makes a file, as long as the terminal
    /// is wide.
    #[test]
    #[ignore = "run by other tests, in a terminal"]
    fn shows_a_status_line() {
        let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
        let Some(line) = StatusLine::open() else {
            return print("no status line");
        };
        for text in ["first", "second", "third"] {
            line.show(format!("{text:-<width$}", width = StatusLine::columns()));
            thread::sleep(Duration::from_millis(200));
            fs::write(folder.join(format!("{text}.shown")), "").unwrap();
            wait_for(&folder.join(text));
            if text == "second" {
                print("a message\u{1b}[2J");
            }
        }
        drop(line);
        print("the end");
    }

    fn program(folder: &TempDir) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        let (_crate, module) = module_path!().split_once("::").unwrap();
        let name = format!("{module}::shows_a_status_line");
        command.args(["--exact", &name, "--ignored", "--nocapture", "--test-threads", "1"]);
        command.env(FOLDER, folder.path()).env("TERM", "xterm-256color").env_remove("COLUMNS");
        command
    }

    fn go_on(folder: &TempDir, after: &str) {
        fs::write(folder.path().join(after), "").unwrap();
    }

    fn lines_with(text: &str, what: &str) -> Vec<String> {
        text.lines().filter(|line| line.contains(what)).map(str::to_owned).collect()
    }

    #[test]
    fn the_line_is_rewritten_in_place_makes_way_for_messages_and_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::start(program(&folder), (60, 24), (60, 24));
        terminal.shows("first-");
        terminal.resize(30, 24);
        go_on(&folder, "first");
        terminal.shows("second-");
        let second = lines_with(&terminal.text(), "second");
        assert_eq!(second, [format!("{:-<29}", "second")], "as wide as the terminal is now, but for one column");
        assert!(!terminal.text().contains("first-"), "{}", terminal.text());
        go_on(&folder, "second");
        terminal.shows("third-");
        let text = terminal.text();
        assert!(text.contains("a message\\x1b[2J\nthird-") && !text.contains("second-"), "{text}");
        go_on(&folder, "third");
        terminal.shows("the end");
        let text = terminal.text();
        assert!(!text.contains("third-") && text.contains("a message\\x1b[2J\nthe end"), "{text}");
        terminal.end();
        terminal.assert_restored();
    }

    #[test]
    fn the_terminal_is_usable_after_ctrl_z_and_belongs_to_the_shell_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.arg("-i").env("PS1", "ready> ").env_remove("ENV");
        let mut terminal = Terminal::start(shell, (150, 24), (150, 24));
        terminal.shows("ready>");
        let program = program(&folder);
        let words = program.get_args().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
        let (path, folder_path) = (program.get_program().to_str().unwrap(), folder.path().to_str().unwrap());
        terminal.keys(&format!("{FOLDER}={folder_path} TERM=xterm {path} {words}\r"));
        terminal.shows("first-");
        terminal.keys("\x1a");
        terminal.shows("Stopped");
        terminal.assert_restored();
        terminal.keys("clear; bg\r");
        go_on(&folder, "first");
        wait_for(&folder.path().join("second.shown"));
        assert!(!terminal.text().contains("second-"), "a background job draws: {}", terminal.text());
        terminal.keys("fg\r");
        go_on(&folder, "second");
        terminal.shows("third-");
        go_on(&folder, "third");
        terminal.shows("the end");
        terminal.assert_restored();
        terminal.keys("exit\r");
        terminal.end();
    }

    #[test]
    fn a_signal_leaves_the_terminal_usable() {
        let folder = tempfile::tempdir().unwrap();
        for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
            let mut terminal = Terminal::start(program(&folder), (60, 24), (60, 24));
            terminal.shows("first-");
            terminal.signal(signal);
            terminal.end();
            terminal.assert_restored();
        }
    }

    #[test]
    fn there_is_no_line_without_a_terminal_or_on_a_dumb_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = program(&folder);
        with_default_signals(&mut command);
        let output = command.stdout(Stdio::null()).output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "no status line\n");
        let mut command = program(&folder);
        command.env("TERM", "dumb");
        let mut terminal = Terminal::start(command, (60, 24), (60, 24));
        terminal.shows("no status line");
        terminal.end();
    }
}
