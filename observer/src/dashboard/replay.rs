//! The dashboard over a recording that it plays.

use std::{io, time::Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::{Dashboard, FRAME, Request};
use crate::signals::StopSignals;
use observer_record::player::Player;
use observer_tui::{
    model_builder::{ModelBuilder, Source},
    settings::Settings,
};

/// Plays a recording until the user quits. Returns the player, which has what was played. `selection`: what the tables
/// are limited to.
///
/// # Errors
/// When the terminal or the file fails.
pub async fn replay(mut player: Player, selection: Option<String>, settings: Settings) -> io::Result<Player> {
    let mut stops = StopSignals::new()?;
    let mut builder = ModelBuilder::replay(player.context()).selecting(selection);
    let mut dashboard = Dashboard::open(settings)?;
    let mut ticks = interval(FRAME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut last = Instant::now();
    loop {
        let request = tokio::select! {
            biased;
            () = stops.any() => return Ok(player),
            _ = ticks.tick() => {
                let start = Instant::now();
                let elapsed = u64::try_from((start - last).as_nanos()).unwrap_or(u64::MAX);
                last = start;
                // The other half of the time is for keys.
                if player.tick(elapsed, || start.elapsed() < FRAME / 2).map_err(io::Error::other)? {
                    builder.reset();
                }
                let source = Source {
                    engine: player.engine(),
                    known: player.known(),
                    now: player.now(),
                    devices: None,
                    spent: None,
                    transport: Some(player.transport()),
                    delay_injection: None,
                };
                let model = builder.build(source);
                dashboard.update(model);
                Dashboard::is_over().then_some(Request::Quit)
            }
            request = dashboard.input() => request,
        };
        match request {
            None | Some(Request::SwitchDelayInjection(_)) => {}
            Some(Request::Quit) => return Ok(player),
            Some(Request::ClearTally) => {
                player.engine_mut().clear_tally();
                builder.reset();
            }
            Some(Request::Transport(command)) => player.apply(command),
        }
    }
}
