//! A process whose second thread executes the rest of the command line: it gets the number of the first thread.

use std::{convert::Infallible, ffi::OsString, os::unix::process::CommandExt as _, process::Command, thread};

use observer_text::Name;

use crate::failure::{Failure, Result};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Returns only on failure.
pub(crate) fn exec(options: &Options) -> Result<Infallible> {
    let Some((program, arguments)) = options.command.split_first() else {
        return Err(Failure::new("executing", "no command", "give one"));
    };
    let execute = || Command::new(program).args(arguments).exec();
    let error = thread::scope(|scope| scope.spawn(execute).join());
    let error = error.map_or_else(|_| "the thread panicked".to_owned(), |error| error.to_string());
    Err(Failure::new(
        format!("executing {}", Name::from(program.as_os_str())),
        error,
        "give a program that can be executed",
    ))
}
