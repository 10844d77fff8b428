//! Contended events per CPU second through the whole path: decoded from the ring's bytes, recorded and judged, as in a
//! session. `cargo bench -p observer --bench pipeline -- [EVENTS]`, in CPU time of all threads. Fails below the
//! required rate.

use std::{error::Error, time::Duration};

use observer_ebpf::record::{self as abi, EntryRecord, FaultRecord};
use observer_engine::event::{Change, ChangeKind, Event, Fault, Path, PinResult, Task};
use observer_event_streams::{EventStream, STEP};
use observer_observation::{Context, EndReason, FinalState, Ingest, Input};
use observer_probe::decode;
use observer_record::{Creation, Recorder, Rotation, Target};

/// Events between two advances of the clock: 100 ms, as in a session.
const BATCH: usize = 200_000;
/// Required events per CPU second.
const REQUIRED: f64 = 1e6;

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds --bench.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let events: usize = args.first().map_or(Ok(4_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let target =
        Target { path: folder.path().join("pipeline.obs"), creation: Creation::New, rotation: Rotation::default() };
    let mut recorder = Recorder::create(target, &Context::default())?;
    let (mut ingest, mut stream) = (Ingest::default(), EventStream::default());
    let (mut done, mut spent, mut decoding) = (0, Duration::ZERO, Duration::ZERO);
    while done < events {
        // The kernel's part, which is not timed.
        let records: Vec<Record> =
            stream.by_ref().take(BATCH.min(events - done)).map(|event| Record::of(&event)).collect();
        let start = cpu_time();
        for record in &records {
            std::hint::black_box(decode(record.bytes())?);
        }
        decoding += cpu_time().saturating_sub(start);
        let (start, mut now) = (cpu_time(), 0);
        for record in &records {
            let event = decode(record.bytes())?;
            now = event.at();
            let input = Input::Event(event);
            recorder.input(&input);
            ingest.feed(input);
        }
        let advance = Input::Advance(now + STEP);
        recorder.input(&advance);
        ingest.feed(advance);
        spent += cpu_time().saturating_sub(start);
        done += records.len();
    }
    let start = cpu_time();
    ingest.finish();
    let report = ingest.engine.report();
    let written = recorder.finish(&FinalState::unknown(EndReason::Duration))?;
    spent += cpu_time().saturating_sub(start);
    let rate = done as f64 / spent.as_secs_f64();
    println!("{done} events, {:.2} million per CPU second, {:.2} times the required rate", rate / 1e6, rate / REQUIRED);
    println!("{:.0} ns per event, of which decoding takes {:.0} ns", ns(spent, done), ns(decoding, done));
    println!("{} bytes recorded, {:?}", written.bytes, report.verdicts);
    if report.events != done as u64 || written.events != done as u64 {
        return Err("events are missing".into());
    }
    if rate < REQUIRED { Err("slower than required".into()) } else { Ok(()) }
}

/// A record as it is in the ring buffer.
enum Record {
    Fault(Box<FaultRecord>),
    Entry(EntryRecord),
}

impl Record {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Fault(record) => bytemuck::bytes_of(record.as_ref()),
            Self::Entry(record) => bytemuck::bytes_of(record),
        }
    }

    /// The inverse of `decode`.
    fn of(event: &Event) -> Self {
        match event {
            Event::Started(fault) => Self::Fault(Box::new(fault_record(abi::FAULT_STARTED, fault))),
            Event::Ended(fault) => Self::Fault(Box::new(fault_record(abi::FAULT_ENDED, fault))),
            Event::Changed(change) => Self::Entry(entry_record(change)),
        }
    }
}

fn fault_record(kind: u32, fault: &Fault) -> FaultRecord {
    let path = match fault.path {
        Path::Direct => abi::F_DIRECT,
        Path::Cached => abi::F_CACHED,
        Path::None => 0,
    };
    let flag = |on: bool, flag: u32| if on { flag } else { 0 };
    let pin_rc = match fault.pin.map(|pin| pin.result) {
        None | Some(PinResult::Taken | PinResult::Failed) => 0,
        Some(PinResult::Held) => -libc::EEXIST,
        Some(PinResult::Gone) => -libc::ENOENT,
    };
    let lost = fault.pin.is_some_and(|pin| pin.result == PinResult::Failed);
    FaultRecord {
        kind,
        flags: path
            | flag(fault.installed, abi::F_INSTALLED)
            | flag(fault.pin.is_some(), abi::F_PIN_TRIED)
            | flag(lost, abi::F_PIN_CONTENDED),
        ts: fault.end,
        entry: fault.entry.0,
        base: fault.base.0,
        address: fault.address,
        mm: fault.mm,
        start: fault.start,
        read_start: fault.read_start.unwrap_or(0),
        read_end: fault.read_end.unwrap_or(0),
        pin_try: fault.pin.map_or(0, |pin| pin.tried),
        pin_drop: fault.pin.and_then(|pin| pin.dropped).unwrap_or(0),
        freed_own: fault.freed.unwrap_or(0),
        cgroup: fault.cgroup,
        tid: fault.task.tid,
        tgid: fault.task.pid,
        nr: fault.nr,
        fault_ret: fault.fault_ret,
        pin_rc,
        pin_failures: fault.pin.map_or(0, |pin| pin.failures),
        slot_starts: fault.slot.starts,
        slot_ends: fault.slot.ends,
        frees_at_read: fault.frees.at_read,
        frees_at_end: fault.frees.at_end,
        changes_at_read: fault.changes.at_read,
        changes_at_end: fault.changes.at_end,
        comm: comm(&fault.task),
        ..FaultRecord::default()
    }
}

fn entry_record(change: &Change) -> EntryRecord {
    let kind = match change.kind {
        ChangeKind::Freed => abi::ENTRY_FREED,
        ChangeKind::Allocated => abi::ENTRY_ALLOCATED,
        ChangeKind::WriteStarted => abi::ENTRY_WRITE_STARTED,
        ChangeKind::Written => abi::ENTRY_WRITTEN,
    };
    EntryRecord {
        kind,
        seq: change.seq,
        ts: change.at,
        entry: change.entry.0,
        tid: change.by.tid,
        tgid: change.by.pid,
        slot_starts: change.slot.starts,
        slot_ends: change.slot.ends,
        comm: comm(&change.by),
    }
}

fn comm(task: &Task) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(task.comm.as_bytes().iter().copied().take(15)) {
        *to = from;
    }
    bytes
}

fn ns(time: Duration, events: usize) -> f64 {
    time.as_secs_f64() * 1e9 / events as f64
}

/// CPU time of this process. Wall-clock time depends on what else runs.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
