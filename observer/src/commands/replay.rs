//! `observer replay`: a recording in the dashboard.

use std::cell::OnceCell;

use anyhow::{Context as _, bail};

use super::{input::open, output, runtime::runtime, selection};
use crate::{
    cli::ReplayArgs,
    dashboard::{self, terminal},
};
use observer_observation::exit::Exit;
use observer_record::player::{Keep, Move, Player};
use observer_report::{
    formats::text,
    selection::{Selection, Selector},
    summary::Summary,
    units, words,
};
use observer_text::Name;
use observer_tui::app::prompt::target;

/// Plays until the user quits. Summary and exit code are those of all events played, whatever is selected.
///
/// # Errors
/// When there is no terminal, the configuration cannot be used, the file cannot be read at all, or it has no name of the selection.
pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let file = Name::from(&args.file);
    let selected = args.selection.selection();
    selection::check(&selected)?;
    let mut player = Player::open_selecting(&args.file, keep(&selected)).with_context(|| file.to_string())?;
    if !terminal::is_there() {
        bail!("replay needs a terminal on standard output, and one to read keys from; use `observer report {file}`");
    }
    let settings = args.dashboard.settings()?;
    if selected.has_names() {
        // Only all of it shows that a name is in none of it.
        selection::observed(open(std::slice::from_ref(&args.file))?, &selected)?;
    }
    player.set_speed(args.speed);
    if let Some(at) = args.at {
        player.apply(Move::To(target(at, player.context().clocks)));
    }
    let options = selected.options(player.context().clocks);
    let shown = (!options.is_empty()).then(|| words::selection_of(&options));
    let player = runtime()?.block_on(dashboard::replay(player, shown, settings))?;
    let summary = Summary::new(player.known());
    output::print(text::summary(&summary))?;
    let transport = player.transport();
    if !transport.ended {
        let played = units::duration(transport.position_ns);
        eprintln!("observer: this covers the first {played}, which were played; `observer report {file}` covers all");
    }
    Ok(summary.exit())
}

/// What the tables are limited to; `None`: nothing.
fn keep(selected: &Selection) -> Option<Keep> {
    let selected = selected.clone();
    let selector = OnceCell::new();
    (!selected.is_empty()).then(|| -> Keep {
        Box::new(move |reported, replay| {
            let selector = selector.get_or_init(|| Selector::new(&selected, replay.context().clocks));
            selector.selects(reported, selection::seen(replay))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_observation::{Context, Known};
    use observer_record::replay;

    #[test]
    fn a_wait_over_the_budget_of_the_recording_decides_the_exit_code() {
        let file = observer_recordings::released("v1.1-locks-7.3.obs");
        let outcome = replay(&file).unwrap();
        let played = |budget_ns| {
            let context = Context { budget_ns, ..outcome.context.clone() };
            Summary::new(Known { context: &context, ..Known::from(&outcome) }).exit()
        };
        assert_eq!(played(Some(1)), Exit::OverBudget);
        assert_ne!(played(None), Exit::OverBudget);
    }
}
