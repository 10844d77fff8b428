//! The spectator runs `observer` in a pseudo-terminal, presses keys, checks the screen, and checks the terminal after
//! `observer` has ended. For guests, as root.
//!
//! ```text
//! cargo build -p observer-spectator --release --target x86_64-unknown-linux-musl
//! spectator views TEXT [loss]         all views, over `observer stress storm`. TEXT: what the screen says about the
//!                                     kernel; loss: the storm must lose data
//! spectator overview TEXT             the first of these views
//! spectator exits                     every way in which the dashboard can end
//! spectator beside ARGS.. -- CMD...   `observer ARGS` in the terminal while CMD runs: the CPU time of each
//! spectator vm TEXT -- CMD...         CMD opens a dashboard in a virtual machine: keys, window, two ways to end
//! ```
//!
//! Prints a line for each check. A failed check prints the screen on standard error and exits with 101; wrong usage
//! exits with 2.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed check ends the program by a panic")]

use std::process::{Command, ExitCode};

mod cost;
mod exits;
mod views;
mod vm;

use observer_terminal::Terminal;

/// The most common size.
const SIZE: (u16, u16) = (80, 24);

const USAGE: &str =
    "usage: spectator views TEXT [loss] | overview TEXT | exits | beside ARGS.. -- CMD... | vm TEXT -- CMD...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["views", text] => views::check(text, false),
        ["views", text, "loss"] => views::check(text, true),
        ["overview", text] => views::check_overview(text),
        ["exits"] => exits::check(),
        ["beside", rest @ ..] if split_command(rest).is_some() => {
            let (arguments, command) = split_command(rest).unwrap();
            cost::measure(arguments, command);
        }
        ["vm", text, "--", command @ ..] if !command.is_empty() => vm::check(text, command),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// The arguments before `--` and the command after it.
fn split_command<'a>(words: &'a [&'a str]) -> Option<(&'a [&'a str], &'a [&'a str])> {
    let at = words.iter().position(|word| *word == "--")?;
    let (arguments, command) = (&words[..at], &words[at + 1..]);
    (!command.is_empty()).then_some((arguments, command))
}

/// A program in a new terminal.
fn open(program: &str, arguments: &[&str]) -> Terminal {
    let mut command = Command::new(program);
    command.args(arguments).env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
    for name in ["LC_ALL", "NO_COLOR", "COLUMNS", "LINES"] {
        command.env_remove(name);
    }
    Terminal::start(command, SIZE, SIZE)
}

/// `observer` in a new terminal.
fn observer(arguments: &[&str]) -> Terminal {
    open("observer", arguments)
}

/// Prints that a check has passed.
fn passed(check: &str) {
    println!("{check}");
}
