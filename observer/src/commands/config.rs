//! `observer config`: the default configuration file, or the one that is read.

use anyhow::Context as _;

use super::output;
use crate::{
    cli::ConfigArgs,
    config::{self, ConfigError},
};
use observer_observation::exit::Exit;
use observer_text::Name;

/// # Errors
/// When standard output cannot be written, or the file that is checked cannot be used.
pub(crate) fn run(args: &ConfigArgs) -> anyhow::Result<Exit> {
    if !args.path && !args.check {
        output::print(config::defaults())?;
        return Ok(Exit::Clean);
    }
    let location = config::location().context(
        "no configuration file is read here: there is no HOME and no XDG_CONFIG_HOME; give a file with --config FILE",
    )?;
    let path = Name::from(location.path.as_path());
    if args.path {
        output::print(format!("{path}\n"))?;
        return Ok(Exit::Clean);
    }
    output::print(checked(&path, config::check())?)?;
    Ok(Exit::Clean)
}

fn checked(path: &Name, check: Result<bool, ConfigError>) -> Result<String, ConfigError> {
    let verdict = if check? { "valid" } else { "does not exist; the defaults are in force" };
    Ok(format!("{path}: {verdict}\n"))
}
