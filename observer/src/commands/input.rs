//! The recordings that a command reads: files, or standard input.

use std::{
    fs::File,
    io::{self, IsTerminal as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use super::error::UsageError;
use crate::cli::STANDARD_STREAM;
use observer_record::{Reader, Replay, chains};
use observer_text::Name;

/// Opens recordings and joins the files of one observation.
///
/// # Errors
/// [`UsageError`] where standard input cannot be what is meant; otherwise when a file cannot be read at all.
pub(super) fn open(files: &[PathBuf]) -> anyhow::Result<Vec<Replay>> {
    if files.iter().filter(|path| is_standard_stream(path)).count() > 1 {
        bail!(UsageError::StandardInputTwice);
    }
    let readers = files.iter().map(|path| reader(path));
    let replays = chains(readers.collect::<Result<_, _>>()?);
    if replays.is_empty() {
        bail!("no recording given");
    }
    Ok(replays)
}

/// Whether a path stands for standard input or output. A file of that name is `./-`.
pub(super) fn is_standard_stream(path: &Path) -> bool {
    path.as_os_str() == STANDARD_STREAM
}

fn reader(path: &Path) -> anyhow::Result<Reader<File>> {
    if is_standard_stream(path) {
        let input = standard_input()?;
        return Reader::new(input).context("standard input");
    }
    Reader::open(path).with_context(|| Name::from(path).to_string())
}

/// Nothing else reads standard input, so none of it is in a buffer.
fn standard_input() -> anyhow::Result<File> {
    let input = io::stdin();
    if input.is_terminal() {
        bail!(UsageError::TerminalAsInput);
    }
    Ok(input.as_fd().try_clone_to_owned().context("standard input")?.into())
}
