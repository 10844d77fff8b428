//! `observer replay`: a recording in the dashboard.

use anyhow::{Context as _, bail};

use super::runtime::runtime;
use crate::{
    cli::ReplayArgs,
    dashboard::{self, terminal},
};
use observer_observation::{Context, EndReason, FinalState, Known, Report, Sample, Swap, WallClock, exit::Exit};
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
        bail!("replay needs a terminal on standard output; use `observer report {file}`");
    }
    let player = runtime()?.block_on(dashboard::replay(player, args.ascii))?;
    Ok(exit(player.context(), player.swaps(), player.engine().report(), player.sample(), player.wall_clock()))
}

fn exit(context: &Context, swaps: &[Swap], report: &Report, sample: &Sample, wall_clock: &WallClock) -> Exit {
    let ending = FinalState::unknown(EndReason::Observer);
    Summary::without_command(Known {
        context,
        swaps,
        report,
        sample,
        wall_clock,
        ending: &ending,
        damage: &[],
        notes: &[],
    })
    .exit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_record::replay;

    #[test]
    fn a_wait_over_the_budget_of_the_recording_decides_the_exit_code() {
        let file = observer_recordings::released("v1.1-locks-7.3.obs");
        let outcome = replay(&file).unwrap();
        let played = |budget_ns| {
            let context = Context { budget_ns, ..outcome.context.clone() };
            exit(&context, &[], outcome.engine.report(), &outcome.sample, &outcome.wall_clock)
        };
        assert_eq!(played(Some(1)), Exit::OverBudget);
        assert_ne!(played(None), Exit::OverBudget);
    }
}
