//! `observer replay`: the dashboard over a recording.

use anyhow::{Context as _, bail};

use crate::{
    cli::ReplayArgs,
    exit::{Exit, Weighed},
    export::losses,
    tui::{player::Player, run, terminal},
};

/// Plays until somebody quits. The exit code is that of what was played.
///
/// # Errors
/// When there is no terminal, or the file cannot be read at all.
pub fn run(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let file = args.file.display();
    let player = Player::open(&args.file).with_context(|| file.to_string())?;
    if !terminal::is_there() {
        bail!("a replay needs a terminal, and standard output is none; use `observer report {file}`");
    }
    let player = super::runtime()?.block_on(run::replay(player, &args.file, args.ascii))?;
    let report = player.engine().report();
    let lost = losses::total(&losses::collect(player.sample(), &report.losses));
    Ok(Exit::of_observation(Weighed {
        stale_installs: report.verdicts.stale_install,
        losses: lost,
        ..Weighed::default()
    }))
}
