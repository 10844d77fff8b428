//! `observer replay`: a recording in the dashboard.

use anyhow::{Context as _, bail};

use super::runtime::runtime;
use crate::{
    cli::ReplayArgs,
    dashboard::{self, terminal},
};
use observer_observation::{EndReason, FinalState, Known, exit::Exit};
use observer_record::player::Player;
use observer_report::summary::Summary;
use observer_text::Name;

/// Plays until the user quits. The exit code is that of the events played.
///
/// # Errors
/// When there is no terminal, or the file cannot be read at all.
pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let file = Name::from(&args.file);
    let player = Player::open(&args.file).with_context(|| file.to_string())?;
    if !terminal::is_there() {
        bail!("replay needs a terminal on standard output, and one to read keys from; use `observer report {file}`");
    }
    let player = runtime()?.block_on(dashboard::replay(player, args.ascii))?;
    let ending = FinalState::unknown(EndReason::Observer);
    Ok(exit(Known {
        context: player.context(),
        swaps: player.swaps(),
        report: player.engine().report(),
        sample: player.sample(),
        wall_clock: player.wall_clock(),
        cgroups: player.cgroups(),
        ending: &ending,
        damage: &[],
        notes: &[],
    }))
}

fn exit(played: Known<'_>) -> Exit {
    Summary::without_command(played).exit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_observation::Context;
    use observer_record::replay;

    #[test]
    fn a_wait_over_the_budget_of_the_recording_decides_the_exit_code() {
        let file = observer_recordings::released("v1.1-locks-7.3.obs");
        let outcome = replay(&file).unwrap();
        let played = |budget_ns| {
            let context = Context { budget_ns, ..outcome.context.clone() };
            exit(Known { context: &context, ..Known::from(&outcome) })
        };
        assert_eq!(played(Some(1)), Exit::OverBudget);
        assert_ne!(played(None), Exit::OverBudget);
    }
}
