//! The dashboard over a recording, which it plays.

use std::{io, path::Path, time::Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::{Asked, Dashboard, FRAME};
use crate::session::StopSignals;
use observer_record::player::Player;
use observer_tui::model_builder::{ModelBuilder, Source};

/// Runs the dashboard over a recording until somebody quits. Gives the player back, for the last word.
///
/// # Errors
/// When the terminal or the file fails.
pub async fn replay(mut player: Player, file: &Path, ascii: bool) -> io::Result<Player> {
    let mut stops = StopSignals::new()?;
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    let mut model_builder = ModelBuilder::new(player.context(), &name);
    let mut dashboard = Dashboard::open(ascii)?;
    let mut ticks = interval(FRAME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut last = Instant::now();
    loop {
        let asked = tokio::select! {
            biased;
            () = stops.any() => return Ok(player),
            _ = ticks.tick() => {
                let start = Instant::now();
                let elapsed = u64::try_from((start - last).as_nanos()).unwrap_or(u64::MAX);
                last = start;
                // Half of the time is left for keys.
                player.tick(elapsed, || start.elapsed() < FRAME / 2);
                let source = Source {
                    engine: player.engine(),
                    sample: player.sample(),
                    now: player.now(),
                    devices: None,
                    spent: None,
                    transport: Some(player.transport()),
                    widening: None,
                };
                let model = model_builder.gather(source, &mut ());
                dashboard.sample(model);
                if dashboard.is_over() { Asked::Quit } else { Asked::Nothing }
            }
            asked = dashboard.input() => asked,
        };
        match asked {
            Asked::Nothing | Asked::Widen(_) => {}
            Asked::Quit => return Ok(player),
            Asked::Clear => {
                player.engine_mut().clear_tally();
                model_builder.forget();
            }
            Asked::Transport(order) => {
                if player.apply(order).map_err(io::Error::other)? {
                    model_builder.forget();
                }
            }
        }
    }
}
