//! Throughput of the engine on one core, from memory: `cargo bench -p observer-observation --bench engine`.
//!
//! - Without variables: wall time of 100 ms worth of events. Other load on the machine distorts it.
//! - `ENGINE_SAMPLES=5`: CPU time. Each sample is a million events through one engine. A thousand events at a time are
//!   generated just before they are fed, as a session decodes them; generating them is not timed.
//! - `ENGINE_EVENTS=100000000`: this many events through one engine, with the memory that it takes.

use divan::{Bencher, counter::ItemsCount};
use observer_engine::event::Event;
use observer_event_streams::{EventStream, STEP};
use observer_observation::Engine;
use rustix::time::{ClockId, clock_gettime};

/// Events between two calls of [`Engine::advance`]: 100 ms worth, as in a session.
const BATCH: usize = 200_000;

fn main() {
    if let Some(samples) = std::env::var("ENGINE_SAMPLES").ok().and_then(|samples| samples.parse().ok()) {
        return cpu_time(samples);
    }
    match std::env::var("ENGINE_EVENTS").map(|events| events.parse::<u64>()) {
        Ok(Ok(events)) => long_run(events),
        Ok(Err(error)) => eprintln!("ENGINE_EVENTS: {error}"),
        Err(_) => divan::main(),
    }
}

/// The engine has processed some events before.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn hundred_milliseconds(bencher: Bencher<'_, '_>) {
    let mut engine = Engine::default();
    let mut stream = EventStream::default();
    feed(&mut engine, stream.by_ref().take(BATCH));
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| stream.by_ref().take(BATCH).collect::<Vec<Event>>())
        .bench_local_values(|events| feed(&mut engine, events.into_iter()));
}

fn cpu_time(samples: u32) {
    const CHUNK: usize = 1_000;
    let mut engine = Engine::default();
    let mut stream = EventStream::default();
    let mut chunk = Vec::with_capacity(CHUNK);
    for sample in 1..=samples {
        let mut seconds = 0.0;
        for batch in 1..=1_000_000 / CHUNK {
            chunk.extend(stream.by_ref().take(CHUNK));
            let now = chunk.last().map_or(0, Event::at);
            let started = cpu_seconds();
            chunk.drain(..).for_each(|event| engine.feed(event));
            if batch.is_multiple_of(BATCH / CHUNK) {
                engine.advance(now);
            }
            seconds += cpu_seconds() - started;
        }
        println!("{sample}: {:.2} M events per second of CPU time", 1.0 / seconds);
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

fn long_run(events: u64) {
    const ROWS: u64 = 10;
    let mut engine = Engine::default();
    let mut stream = EventStream::default();
    let started = cpu_seconds();
    for row in 1..=ROWS {
        let share = usize::try_from(events / ROWS).unwrap_or(usize::MAX);
        feed(&mut engine, stream.by_ref().take(share));
        let rate = engine.report().events as f64 / (cpu_seconds() - started) / 1e6;
        println!(
            "{row}: {} events, {rate:.2} M events per second of CPU time including their generation, {:?}, RSS {}",
            engine.report().events,
            engine.footprint(),
            resident_memory()
        );
    }
    engine.finish();
    println!("{:?} {:?}", engine.report().verdicts, engine.report().dropped);
}

/// CPU time of this process, which does not depend on other load.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// `VmRSS` of `/proc/self/status`.
fn resident_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned())
}
