//! From the arguments of the process to a command.

use std::ffi::OsString;

use clap::{
    CommandFactory as _, Parser as _,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{Cli, Command, manual::PAGES};

/// Parses the arguments; the first is the name of the program.
///
/// # Errors
/// On wrong usage, and where help or the version is requested.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = Cli::try_parse_from(&args).map_err(|error| match error.kind() {
        ErrorKind::UnknownArgument => unknown_subcommand(&args).unwrap_or(error),
        _ => error,
    })?;
    match foreign_option(&cli) {
        Some(error) => Err(error),
        None => Ok(cli),
    }
}

/// The error about a first word that is no option. The parser takes it for an argument of `live`, which has none without
/// `--`.
fn unknown_subcommand(args: &[OsString]) -> Option<clap::Error> {
    let word = args.get(1)?.to_str().filter(|word| !word.starts_with('-'))?;
    let only_subcommands = clap::Command::new("observer")
        .override_usage("observer [OPTIONS] [-- <CMD>...]\n       observer <COMMAND>")
        .subcommands(PAGES.map(clap::Command::new));
    // Only these: hidden subcommands are not suggested.
    let mut error = only_subcommands.try_get_matches_from(["observer", word]).err()?;
    if error.get(ContextKind::SuggestedSubcommand).is_none() {
        let tip = format!("to observe a command, write 'observer -- {word}'");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    Some(error)
}

/// The error about an option of `stress` that its workload does not have.
fn foreign_option(cli: &Cli) -> Option<clap::Error> {
    let Some(Command::Stress(args)) = &cli.command else { return None };
    let option = args.foreign_option()?;
    let message = format!("'{option}' is an option of 'stress storm': 'stress targeted' does not have it");
    let mut program = Cli::command();
    program.build();
    Some(program.find_subcommand_mut("stress")?.error(ErrorKind::ArgumentConflict, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(args: &[&str]) -> clap::Error {
        parse(std::iter::once(&"observer").chain(args).map(OsString::from)).unwrap_err()
    }

    #[test]
    fn a_mistyped_subcommand_is_corrected() {
        for (typed, meant) in [("reporrt", "report"), ("rekord", "record"), ("doktor", "doctor"), ("strss", "stress")] {
            let error = error(&[typed, "swap.obs"]);
            assert_eq!((error.kind(), error.exit_code()), (ErrorKind::InvalidSubcommand, 2));
            let text = error.to_string();
            assert!(text.contains(&format!("unrecognized subcommand '{typed}'")), "{text}");
            assert!(text.contains("similar subcommand") && text.contains(&format!("'{meant}'")), "{text}");
        }
    }

    #[test]
    fn a_word_that_is_like_no_subcommand_may_be_a_command_to_observe() {
        let text = error(&["./my-workload"]).to_string();
        assert!(text.contains("unrecognized subcommand './my-workload'"), "{text}");
        assert!(text.contains("write 'observer -- ./my-workload'"), "{text}");
        assert!(!text.contains("similar"), "{text}");
    }

    #[test]
    fn hidden_subcommands_are_not_suggested() {
        assert!(!error(&["__workoad"]).to_string().contains("__workload"));
    }

    #[test]
    fn other_unknown_arguments_are_no_subcommands() {
        assert_eq!(error(&["--durtion", "5s"]).kind(), ErrorKind::UnknownArgument);
        assert_eq!(error(&["live", "strss"]).kind(), ErrorKind::UnknownArgument);
    }

    #[test]
    fn options_of_storm_are_refused_by_targeted() {
        for option in [["--duration", "5s"], ["--threads", "8"], ["--pages", "2"], ["--free-slots", "2"]] {
            let error = error(&["stress", "targeted", option[0], option[1]]);
            assert_eq!((error.kind(), error.exit_code()), (ErrorKind::ArgumentConflict, 2));
            assert!(error.to_string().contains(option[0]), "{error}");
            let storm = ["observer", "stress", "storm", option[0], option[1]];
            assert!(parse(storm.map(OsString::from)).is_ok(), "{option:?}");
        }
    }
}
