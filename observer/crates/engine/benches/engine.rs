//! How many events a second the engine takes on one core, from memory: `cargo bench -p observer --bench engine`.
//!
//! Wall time tells little on a machine that others use; `ENGINE_SAMPLES=5` measures in CPU time instead: five million
//! events through one engine, each thousand made just before it is taken in, as a session decodes them, and not counted.
//!
//! With `ENGINE_EVENTS=100000000` instead: that many events through one engine, and what memory that took.

use observer_event_streams::stream;

use divan::{Bencher, counter::ItemsCount};
use observer_engine::{Engine, event::Event};
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

/// 100 ms worth of events, made beforehand, through an engine that has taken some in already.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn hundred_milliseconds(bencher: Bencher<'_, '_>) {
    let mut engine = Engine::default();
    let mut stream = Stream::default();
    feed(&mut engine, stream.by_ref().take(BATCH));
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| stream.by_ref().take(BATCH).collect::<Vec<Event>>())
        .bench_local_values(|events| feed(&mut engine, events.into_iter()));
}

/// A million events through one engine, `samples` times: made a thousand at a time, and only taking them in is timed.
fn in_cpu_time(samples: u32) {
    const MADE: usize = 1_000;
    let mut engine = Engine::default();
    let mut stream = Stream::default();
    let mut made = Vec::with_capacity(MADE);
    for sample in 1..=samples {
        let mut took = 0.0;
        for batch in 1..=1_000_000 / MADE {
            made.extend(stream.by_ref().take(MADE));
            let now = made.last().map_or(0, Event::at);
            let started = cpu_seconds();
            made.drain(..).for_each(|event| engine.feed(event));
            if batch.is_multiple_of(BATCH / MADE) {
                engine.advance(now);
            }
            took += cpu_seconds() - started;
        }
        println!("{sample}: {:.2} M events per second of CPU time", 1.0 / took);
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
    let started = cpu_seconds();
    for row in 1..=ROWS {
        let share = usize::try_from(events / ROWS).unwrap_or(usize::MAX);
        feed(&mut engine, stream.by_ref().take(share));
        let rate = engine.report().events as f64 / (cpu_seconds() - started) / 1e6;
        let held = engine.held();
        println!(
            "{row}: {} events, {rate:.2} M events per second of CPU time, making them included, {held:?}, RSS {}",
            engine.report().events,
            rss()
        );
    }
    engine.finish();
    println!("{:?} {:?}", engine.report().verdicts, engine.report().dropped);
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
