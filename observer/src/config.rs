//! The configuration of the dashboard: a file that the user writes, below the options of the command line.

mod defaults;
mod file;
mod locate;
mod read;

use std::path::Path;

pub(crate) use self::{defaults::defaults, read::ConfigError};
use self::{
    locate::{Location, Person},
    read::read,
};
use observer_tui::settings::Settings;

/// Which file is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// That of the user, if there is one.
    Default,
    /// This one, which must exist.
    File(&'a Path),
    Nothing,
}

/// The settings of a file; without one the defaults.
///
/// # Errors
/// When the file cannot be read or trusted, or has a mistake.
pub(crate) fn settings(source: Source<'_>) -> Result<Settings, ConfigError> {
    let text = match source {
        Source::Nothing => None,
        Source::File(path) => Some((path.to_owned(), read(path, &Person::new().trust_of_named())?)),
        Source::Default => default_file()?,
    };
    text.map_or_else(
        || Ok(Settings::default()),
        |(path, text)| file::parse(&text).map_err(|wrong| wrong.of(&path, &text)),
    )
}

/// Path and text of the file of the user; `None`: there is none.
fn default_file() -> Result<Option<(std::path::PathBuf, String)>, ConfigError> {
    let Some(Location { path, trust }) = location() else { return Ok(None) };
    match read(&path, &trust) {
        Err(error) if error.is_absent() => Ok(None),
        text => Ok(Some((path, text?))),
    }
}

/// Where the file of the user is read; `None`: no environment variable and no account has a home folder.
pub(crate) fn location() -> Option<Location> {
    Person::new().location()
}

/// Whether there is a file of the user. It is valid, then.
///
/// # Errors
/// As [`settings`].
pub(crate) fn check() -> Result<bool, ConfigError> {
    let Some((path, text)) = default_file()? else { return Ok(false) };
    file::parse(&text).map_err(|wrong| wrong.of(&path, &text))?;
    Ok(true)
}
