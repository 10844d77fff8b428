//! How many events a second the engine takes on one core, from memory: `cargo bench -p observer --bench engine`.
//!
//! Wall time tells little on a machine that others use; `ENGINE_SAMPLES=5` measures the same in CPU time instead.
//!
//! With `ENGINE_EVENTS=100000000` instead: that many events through one engine, and what memory that took.

#[path = "stream.rs"]
mod stream;

use divan::{Bencher, counter::ItemsCount};
use observer::engine::{Engine, event::Event};
use stream::{STEP, Stream};

/// Events between two looks at the clock: 100 ms worth, as a session does it.
const BATCH: usize = 200_000;

fn main() {
    if let Some(samples) = std::env::var("ENGINE_SAMPLES").ok().and_then(|samples| samples.parse().ok()) {
        return in_cpu_time(samples);
    }
    match std::env::var("ENGINE_EVENTS").map(|events| events.parse::<u64>()) {
        Ok(Ok(events)) => endless(events),
        Ok(Err(error)) => eprintln!("ENGINE_EVENTS: {error}"),
        Err(_) => divan::main(),
    }
}

/// A million events, made beforehand.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn million_events(bencher: Bencher<'_, '_>) {
    const EVENTS: usize = 1_000_000;
    bencher
        .counter(ItemsCount::new(EVENTS))
        .with_inputs(|| Stream::default().take(EVENTS).collect::<Vec<Event>>())
        .bench_local_values(|events| {
            let mut engine = Engine::default();
            feed(&mut engine, events.into_iter());
            engine.finish();
            engine.report().verdicts
        });
}

/// A million events, made beforehand, `samples` times.
fn in_cpu_time(samples: u32) {
    for sample in 1..=samples {
        let events: Vec<Event> = Stream::default().take(1_000_000).collect();
        let mut engine = Engine::default();
        let begun = cpu_seconds();
        feed(&mut engine, events.into_iter());
        engine.finish();
        println!("{sample}: {:.2} M events per second of CPU time", 1.0 / (cpu_seconds() - begun));
    }
}

fn feed(engine: &mut Engine, events: impl Iterator<Item = Event>) {
    let mut now = 0;
    for (number, event) in events.enumerate() {
        now = event.at();
        engine.feed(event);
        if number % BATCH == BATCH - 1 {
            engine.advance(now);
        }
    }
    engine.advance(now + STEP);
}

/// So many events through one engine.
fn endless(events: u64) {
    const ROWS: u64 = 10;
    let mut engine = Engine::default();
    let mut stream = Stream::default();
    let begun = cpu_seconds();
    for row in 1..=ROWS {
        let share = usize::try_from(events / ROWS).unwrap_or(usize::MAX);
        feed(&mut engine, stream.by_ref().take(share));
        let rate = engine.report().events as f64 / (cpu_seconds() - begun) / 1e6;
        let held = engine.held();
        println!(
            "{row}: {} events, {rate:.2} M events per second of CPU time, making them included, {held:?}, RSS {}",
            engine.report().events,
            rss()
        );
    }
    engine.finish();
    println!("{:?} {:?}", engine.report().verdicts, engine.report().losses);
}

/// Time that this process has had on a CPU: right on a busy machine too.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Resident memory, as the kernel tells it.
fn rss() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned())
}
