//! The spectator: sits at a real pseudo-terminal in which `observer` shows its dashboard live, reads what is on the screen,
//! presses keys, and looks at how the terminal is left behind, whichever way it ends. For guests, as root.
//!
//! ```text
//! cargo build -p observer --example spectator --release --target x86_64-unknown-linux-musl
//! spectator views WORDS [loss]          all views, over `observer stress storm`; WORDS: what it must say of the kernel;
//!                                       loss: pages must get lost
//! spectator ways-out                    every way out
//! spectator beside ARGS.. -- CMD...      `observer ARGS` in the terminal, CMD beside it: what each takes
//! spectator borrowed WORDS -- CMD...    CMD opens the dashboard in somebody else's machine: keys, window, both ways out
//! ```
//!
//! A line on standard output for each thing seen; what is wrong is told with the screen, on standard error, and the exit
//! code is 101 then. 2: wrong usage.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it checks, and ends by panicking where something is wrong"
)]

use std::process::{Command, ExitCode};

mod beside;
mod borrowed;
use observer_terminal as terminal;
mod views;
mod ways_out;

use self::terminal::Terminal;

/// The size that everybody has.
const SIZE: (u16, u16) = (80, 24);

const USAGE: &str =
    "usage: spectator views WORDS [loss] | ways-out | beside ARGS.. -- CMD... | borrowed WORDS -- CMD...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["views", words] => views::all(words, false),
        ["views", words, "loss"] => views::all(words, true),
        ["ways-out"] => ways_out::all(),
        ["beside", rest @ ..] if parted(rest).is_some() => {
            let (arguments, command) = parted(rest).unwrap();
            beside::all(arguments, command);
        }
        ["borrowed", words, "--", command @ ..] if !command.is_empty() => borrowed::all(words, command),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Arguments before `--`, and the command behind it, if there is one.
fn parted<'a>(words: &'a [&'a str]) -> Option<(&'a [&'a str], &'a [&'a str])> {
    let at = words.iter().position(|word| *word == "--")?;
    let (arguments, command) = (&words[..at], &words[at + 1..]);
    (!command.is_empty()).then_some((arguments, command))
}

/// A program with these arguments in a terminal of its own.
fn open(program: &str, arguments: &[&str]) -> Terminal {
    let mut command = Command::new(program);
    command.args(arguments).env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
    for name in ["LC_ALL", "NO_COLOR", "COLUMNS", "LINES"] {
        command.env_remove(name);
    }
    Terminal::start(command, SIZE, SIZE)
}

/// `observer` with these arguments.
fn observer(arguments: &[&str]) -> Terminal {
    open("observer", arguments)
}

/// A line for whoever reads the report.
fn seen(what: &str) {
    println!("{what}");
}
