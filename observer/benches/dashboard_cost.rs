//! What the dashboard costs: `dashboard_cost [SECONDS [EVENTS_PER_SECOND]]`, in a terminal. Made-up contended events come in
//! real time, once with nobody looking and once with the dashboard; prints the share of one CPU that each took.

use std::{error::Error, time::Duration};

use observer_engine::Engine;
use observer_observation::{EndReason, FinalState, Sample};
use observer_probe::UserTime;

use observer::session::SessionObserver;

use observer::session::View;

use observer_observation::input::Input;

use observer::dashboard::Live;
use tokio::time::{Instant, interval};

use observer_recordings::{synthetic, unfixed};

/// As the session's.
const TICK: Duration = Duration::from_millis(100);
const SAMPLE_NS: u64 = 200_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| args.get(index).map_or(Ok(default), |text| text.parse());
    let (seconds, rate) = (number(0, 20)?, number(1, 1_000)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let alone = runtime.block_on(run(&mut (), seconds, rate));
    let looked_at = {
        let _guard = runtime.enter();
        let mut live = Live::open(&unfixed::context(), false, "made-up events")?;
        runtime.block_on(run(&mut live, seconds, rate))
    };
    println!("{rate} events/s for {seconds} s: engine alone {alone:.2}% of a CPU, with the dashboard {looked_at:.2}%");
    Ok(())
}

/// Feeds events as they are due. Gives the share of a CPU that it took, in percent.
async fn run(session_observer: &mut impl SessionObserver, seconds: u64, rate: u64) -> f64 {
    let (context, ending) = (unfixed::context(), FinalState::unknown(EndReason::Running));
    let (mut engine, mut sample, mut now) = (Engine::default(), Sample::default(), synthetic::START);
    let mut source = synthetic::Synthetic::new(7, rate, 5_000);
    let mut ticks = interval(TICK);
    let (start, before) = (Instant::now(), cpu());
    while start.elapsed() < Duration::from_secs(seconds) {
        tokio::select! {
            biased;
            _ = ticks.tick() => {}
            () = session_observer.asked() => break,
        }
        session_observer.prepare(&mut engine);
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
                Input::Sample(_) => {}
            }
        }
        if now.is_multiple_of(SAMPLE_NS) {
            sample.at = now;
        }
        let view = View { context: &context, engine: &engine, sample: &sample, now, ending: &ending, widening: None };
        if session_observer.tick(&view).is_break() {
            break;
        }
    }
    100.0 * (cpu() - before) / start.elapsed().as_secs_f64()
}

/// CPU time of this process so far, seconds.
fn cpu() -> f64 {
    let time = UserTime::now();
    (time.user_ns + time.system_ns) as f64 / 1e9
}
