//! `observer completions` and `observer man`.

use anyhow::Context as _;

use super::output;
use crate::cli::{CompletionsArgs, manual};
use observer_observation::exit::Exit;

/// # Errors
/// When standard output cannot be written.
pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    output::print_own(&manual::completions(args))?;
    Ok(Exit::Clean)
}

/// # Errors
/// When standard output cannot be written.
pub(crate) fn man() -> anyhow::Result<Exit> {
    output::print_own(&manual::man_page().context("cannot make the manual page")?)?;
    Ok(Exit::Clean)
}
