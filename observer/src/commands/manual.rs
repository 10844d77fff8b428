//! `observer completions SHELL` and `observer man`: made from the command line's own definition.

use std::io::{self, Write as _};

use clap::CommandFactory as _;

use super::printed;
use crate::cli::{Cli, CompletionsArgs};
use observer_observation::exit::Exit;

/// Prints what a shell has to know to complete the command line.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    // Made in memory: the generator panics on a pipe that was closed.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "observer", &mut text);
    printed(io::stdout().lock().write_all(&text), Exit::Clean)
}

/// Prints the manual page, with every subcommand that is shown in the help.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn man() -> anyhow::Result<Exit> {
    printed(io::stdout().lock().write_all(&page()?), Exit::Clean)
}

fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        let name = format!("observer {}", subcommand.get_name());
        writeln!(text, ".SH \"{}\"", name.to_uppercase())?;
        let man = clap_mangen::Man::new(subcommand.clone().bin_name(name));
        man.render_synopsis_section(&mut text)?;
        man.render_options_section(&mut text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_tells_of_every_command_and_of_no_hidden_one() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        for command in ["LIVE", "RECORD", "REPLAY", "REPORT", "DIFF", "SERVE", "STRESS", "BENCH", "DOCTOR"] {
            assert!(page.contains(&format!(".SH \"OBSERVER {command}\"")), "{command}");
        }
        assert!(page.contains("cgroup") && !page.contains(&crate::launch::SUBCOMMAND.to_uppercase()));
    }
}
