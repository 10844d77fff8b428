//! `observer completions` and `observer man`.

use std::{fs, path::Path};

use anyhow::Context as _;

use super::output;
use crate::cli::{CompletionsArgs, ManArgs, manual};
use observer_observation::exit::Exit;
use observer_text::Name;

/// # Errors
/// When standard output cannot be written.
pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    output::print_own(&manual::completions(args))?;
    Ok(Exit::Clean)
}

/// Prints one page, or writes all of them to a folder.
///
/// # Errors
/// When standard output or a file cannot be written.
pub(crate) fn man(args: &ManArgs) -> anyhow::Result<Exit> {
    match &args.dir {
        Some(dir) => write_all(dir)?,
        None => output::print_own(&manual::page(args.command.as_deref()).context(CANNOT_MAKE)?)?,
    }
    Ok(Exit::Clean)
}

const CANNOT_MAKE: &str = "cannot make the manual page";

fn write_all(dir: &Path) -> anyhow::Result<()> {
    for page in manual::pages().context(CANNOT_MAKE)? {
        let path = dir.join(page.file);
        fs::write(&path, page.roff).with_context(|| format!("cannot write {}", Name::from(path.as_path())))?;
    }
    Ok(())
}
