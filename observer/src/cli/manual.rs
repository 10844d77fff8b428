//! Help, completions and the manual page, all from the definition of the command line.

use std::io::{self, Write};

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::{Cli, CompletionsArgs, LOG_VARIABLE};
use observer_observation::exit::Exit;
use observer_report::glossary::SECTIONS;

const EXIT_CODES: [(Exit, &str); 8] = [
    (Exit::Clean, "nothing found"),
    (Exit::Usage, "wrong usage"),
    (Exit::Refused, "this host does not allow it; the message has the reason and the remedy"),
    (Exit::Failed, "I/O or data error"),
    (Exit::StaleInstall, "a stale install was detected"),
    (Exit::OverBudget, "a wait exceeded --budget"),
    (
        Exit::Inconclusive,
        "dropped events, a degraded hook or a --device that was switched off or on make the result inconclusive",
    ),
    (Exit::CommandFailed, "the command given with -- failed"),
];

const LOG_LEVELS: &str = "log level: error, warn (default), info, debug (with the log of the verifier)";

/// What follows the options in the help.
pub(super) fn after_help() -> String {
    let exit_codes = EXIT_CODES.map(|(exit, meaning)| format!("  {:>2}  {meaning}\n", exit as u8)).concat();
    format!("Exit codes:\n{exit_codes}\nEnvironment:\n  {LOG_VARIABLE}  {LOG_LEVELS}")
}

pub(crate) fn completions(args: &CompletionsArgs) -> Vec<u8> {
    // Into memory, because the generator panics on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "observer", &mut script);
    script
}

/// The manual page in roff, with every subcommand that the help lists.
///
/// # Errors
/// Those of the generator.
pub(crate) fn man_page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    writeln!(page, ".SH COMMANDS")?;
    for subcommand in shown_subcommands(&command) {
        let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        render_item(&mut page, subcommand.get_name(), &about)?;
    }
    for subcommand in shown_subcommands(&command) {
        render_subcommand(&mut page, subcommand, &format!("observer {}", subcommand.get_name()))?;
    }
    writeln!(page, ".SH \"EXIT STATUS\"")?;
    for (exit, meaning) in EXIT_CODES {
        render_item(&mut page, &(exit as u8).to_string(), meaning)?;
    }
    writeln!(page, ".SH ENVIRONMENT")?;
    render_item(&mut page, LOG_VARIABLE, LOG_LEVELS)?;
    writeln!(page, ".SH GLOSSARY")?;
    for section in SECTIONS {
        writeln!(page, ".SS \"{}\"", roff(section.title))?;
        for term in section.terms {
            render_item(&mut page, term.name, term.meaning)?;
        }
    }
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn shown_subcommands(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set() && subcommand.get_name() != "help")
}

/// Renders a subcommand, or its own subcommands if it has any.
fn render_subcommand(page: &mut Vec<u8>, command: &clap::Command, name: &str) -> io::Result<()> {
    let mut nested = shown_subcommands(command).peekable();
    if nested.peek().is_some() {
        return nested.try_for_each(|nested| render_subcommand(page, nested, &format!("{name} {}", nested.get_name())));
    }
    let man = Man::new(command.clone().bin_name(name));
    let mut sections = Vec::new();
    man.render_synopsis_section(&mut sections)?;
    man.render_description_section(&mut sections)?;
    man.render_options_section(&mut sections)?;
    writeln!(page, ".SH \"{}\"", name.to_uppercase())?;
    // The sections of a subcommand are subsections of the page.
    for line in String::from_utf8_lossy(&sections).lines() {
        let line = line.strip_prefix(".SH ").map_or_else(|| line.to_owned(), |title| format!(".SS {title}"));
        writeln!(page, "{line}")?;
    }
    Ok(())
}

fn render_item(page: &mut Vec<u8>, term: &str, meaning: &str) -> io::Result<()> {
    writeln!(page, ".TP\n.B {}\n{}", roff(term), roff(meaning))
}

/// Escapes what roff would interpret.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_command_and_no_hidden_one() {
        let page = String::from_utf8(man_page().unwrap()).unwrap();
        for command in
            ["LIVE", "RECORD", "REPLAY", "REPORT", "DIFF", "SERVE", "STRESS", "BENCH SWAPIN", "DOCTOR", "COMPLETIONS"]
        {
            assert!(page.contains(&format!(".SH \"OBSERVER {command}\"")), "{command}");
        }
        assert!(page.contains("cgroup"));
        assert!(!page.contains(&crate::launch::SUBCOMMAND.to_uppercase()));
        assert!(!page.contains(crate::launch::SUBCOMMAND));
    }

    #[test]
    fn the_manual_has_the_glossary_the_exit_codes_and_the_environment() {
        let page = String::from_utf8(man_page().unwrap()).unwrap();
        for section in [".SH GLOSSARY", ".SH \"EXIT STATUS\"", ".SH ENVIRONMENT", ".B oversleep"] {
            assert!(page.contains(section), "{section}");
        }
    }

    #[test]
    fn roff_requests_in_text_are_escaped() {
        assert_eq!(roff(".so /etc/passwd -x"), "\\&.so /etc/passwd \\-x");
        assert_eq!(roff(r"a\b"), r"a\eb");
    }
}
