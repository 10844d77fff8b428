//! CPU time of the dashboard: `cargo bench -p observer --bench dashboard_cost -- [SECONDS [EVENTS_PER_SECOND]]`, in a
//! terminal. Feeds synthetic contended events in real time, first to the engine alone and then with the dashboard open,
//! and prints the share of one CPU of each.

use std::{error::Error, time::Duration};

use tokio::time::{Instant, interval};

use observer::{
    dashboard::Live,
    session::{Observer, View},
};
use observer_observation::{CgroupPaths, EndReason, Engine, FinalState, History, Input, Sample, WallClock};
use observer_probe::CpuTime;
use observer_recordings::{synthetic, vulnerable};
use observer_tui::settings::Settings;

/// The session's.
const TICK: Duration = Duration::from_millis(100);
const SAMPLE_NS: u64 = 200_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |index: usize, default: u64| args.get(index).map_or(Ok(default), |text| text.parse());
    let (seconds, rate) = (number(0, 20)?, number(1, 1_000)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let alone = runtime.block_on(run(&mut (), seconds, rate));
    let with_dashboard = {
        let _guard = runtime.enter();
        let mut live = Live::open(&vulnerable::context(), Settings::default(), "synthetic events")?;
        runtime.block_on(run(&mut live, seconds, rate))
    };
    println!(
        "{rate} events/s for {seconds} s: engine alone {alone:.2}% of a CPU, with the dashboard {with_dashboard:.2}%"
    );
    Ok(())
}

/// Feeds events in real time. Returns the CPU time, percent of one CPU.
async fn run(observer: &mut impl Observer, seconds: u64, rate: u64) -> f64 {
    let (context, ending) = (vulnerable::context(), FinalState::unknown(EndReason::Running));
    let (mut engine, mut sample, mut now) = (Engine::default(), Sample::default(), synthetic::START);
    let mut source = synthetic::Synthetic::new(7, rate, 5_000);
    let mut ticks = interval(TICK);
    let (start, before) = (Instant::now(), cpu());
    while start.elapsed() < Duration::from_secs(seconds) {
        tokio::select! {
            biased;
            _ = ticks.tick() => {}
            () = observer.stop_requested() => break,
        }
        observer.prepare(&mut engine);
        for input in source.by_ref() {
            match input {
                Input::Event(event) => {
                    sample.snapshot.counters.read_direct += 20;
                    engine.feed(event);
                }
                Input::Advance(until) => {
                    engine.advance(until);
                    now = until;
                    break;
                }
                Input::Sample(_) | Input::Areas(_) | Input::Cgroup(_) => {}
            }
        }
        if now.is_multiple_of(SAMPLE_NS) {
            sample.at = now;
        }
        let view = View {
            context: &context,
            swaps: &context.swaps,
            engine: &engine,
            sample: &sample,
            wall_clock: &WallClock::default(),
            cgroups: &CgroupPaths::default(),
            history: &History::default(),
            now,
            ending: &ending,
            widening: None,
        };
        if observer.tick(&view).is_break() {
            break;
        }
    }
    100.0 * (cpu() - before) / start.elapsed().as_secs_f64()
}

/// CPU time of this process, seconds.
fn cpu() -> f64 {
    let time = CpuTime::now();
    (time.user_ns + time.system_ns) as f64 / 1e9
}
