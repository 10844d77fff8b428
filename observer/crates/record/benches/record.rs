//! The cost of recording: bytes and CPU time per event, written and read. `cargo bench -p observer-record --bench
//! record -- [EVENTS] [paced]`. Paced: the events arrive in real time, 100 000 per second, in ten batches per second.

use std::{
    error::Error,
    thread,
    time::{Duration, Instant},
};

use observer_observation::{Context, EndReason, FinalState, Input};
use observer_record::{Creation, Reader, Recorder, Rotation, Target, replay};
use observer_recordings::synthetic::Synthetic;

/// Events per second of recorded time.
const RATE: u64 = 100_000;
/// Inputs per batch. They are made before the batch is timed.
const BATCH: usize = 10_000;

/// Upper bound of bytes per event.
const MAX_BYTES: f64 = 24.0;
/// Lower bound of events replayed per CPU second.
const MIN_RATE: f64 = 1e6;

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds --bench.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let events: u64 = args.first().map_or(Ok(2_000_000), |text| text.parse())?;
    let paced = args.get(1).is_some_and(|word| word == "paced");
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bench.obs");
    let target = Target { path: path.clone(), creation: Creation::New, rotation: Rotation::default() };
    let mut recorder = Recorder::create(target, &Context::default())?;
    let mut source = Synthetic::new(3, RATE, 200_000);
    let (mut written, mut spent, mut longest) = (0, Duration::ZERO, Duration::ZERO);
    let start = Instant::now();
    let mut batches = 0;
    while written < events {
        let batch: Vec<Input> = source.by_ref().take(BATCH).collect();
        if paced {
            batches += 1;
            let due = Duration::from_millis(100) * batches;
            thread::sleep(due.saturating_sub(start.elapsed()));
        }
        let (start, cpu) = (Instant::now(), cpu_time());
        for input in &batch {
            recorder.input(input);
        }
        (spent, longest) = (spent + cpu_time().saturating_sub(cpu), longest.max(start.elapsed()));
        written += batch.iter().filter(|input| matches!(input, Input::Event(_))).count() as u64;
    }
    let elapsed = start.elapsed();
    let done = recorder.finish(&FinalState::unknown(EndReason::Duration))?;
    let bytes = done.bytes as f64 / done.events as f64;
    line("events recorded", &done.events.to_string());
    line("elapsed", &format!("{elapsed:.1?}{}", if paced { ", paced" } else { "" }));
    line("bytes per event", &format!("{bytes:.2} ({} MB in total), limit {MAX_BYTES}", done.bytes / 1_000_000));
    line("written", &rate(done.events, spent));
    line("share of a CPU at 100 000 per second", &format!("{:.2}%", share(done.events, spent)));
    line("longest batch", &format!("{longest:.1?} for {BATCH} inputs, which take 100 ms to arrive"));

    let start = cpu_time();
    let mut reader = Reader::open(&path)?;
    let mut read = 0;
    while let Some(input) = reader.next_input() {
        read += u64::from(matches!(input, Input::Event(_)));
    }
    let decoding = cpu_time().saturating_sub(start);
    line("read", &rate(read, decoding));
    let (cpu, wall) = (cpu_time(), Instant::now());
    let outcome = replay(&path)?;
    let (replaying, wall) = (cpu_time().saturating_sub(cpu), wall.elapsed());
    line("replayed through the engine", &format!("{}, at least {MIN_RATE} per second", rate(read, replaying)));
    line("share of the engine", &format!("{:.0}%", 100.0 - 100.0 * decoding.as_secs_f64() / replaying.as_secs_f64()));
    line("replayed, wall clock", &rate(read, wall));
    line("verdicts", &format!("{:?}", outcome.engine.report().verdicts));
    line("largest resident size", &resident());
    if read != done.events || bytes >= MAX_BYTES {
        return Err("events are missing or too large".into());
    }
    Ok(())
}

/// CPU time of this process. Wall-clock time depends on what else runs.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn line(what: &str, value: &str) {
    println!("{what:<36} {value}");
}

fn rate(events: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    format!(
        "{:.2} million per second, {:.0} ns per event",
        events as f64 / seconds / 1e6,
        seconds * 1e9 / events as f64
    )
}

fn share(events: u64, took: Duration) -> f64 {
    100.0 * took.as_secs_f64() * RATE as f64 / events as f64
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or(" unknown").trim().to_owned()
}
