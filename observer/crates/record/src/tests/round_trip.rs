use super::*;
use crate::{
    event::{Decoder, Encoder},
    varint::Input as Bytes,
};
use observer_engine::event::{Comm, Event, Fault, Task};
use observer_observation::{AreaReading, CgroupPath, Engine, FaultTimes, Swap};

#[test]
fn events_are_decoded_as_they_were_encoded() {
    let events: Vec<Event> = inputs(50_000)
        .into_iter()
        .filter_map(|input| match input {
            Input::Event(event) => Some(event),
            _ => None,
        })
        .collect();
    let mut encoder = Encoder::default();
    for event in &events {
        encoder.event(event);
    }
    let mut bytes = Bytes::new(encoder.bytes());
    let mut decoder = Decoder::default();
    for event in &events {
        let Some(Input::Event(decoded)) = decoder.next(&mut bytes) else { panic!("no event") };
        assert_eq!(decoded, *event);
    }
    assert!(bytes.is_empty());
}

#[test]
fn names_of_any_bytes_are_recorded() {
    let comms = [&b"a\xff\x1b\n\xc3"[..], br"a\x1b", &[0xff; 15], "\u{202e}\u{9b}".as_bytes(), b"plain", b""];
    let by = |(tid, comm): (u32, &[u8])| Task { tid, pid: 1, comm: Comm::from_bytes(comm) };
    let tasks: Vec<Task> = (1..).zip(comms).map(by).collect();
    let mut encoder = Encoder::default();
    for task in &tasks {
        encoder.event(&Event::Ended(Fault { task: task.clone(), nr: 1, start: 5, end: 9, ..Fault::default() }));
    }
    let mut bytes = Bytes::new(encoder.bytes());
    let mut decoder = Decoder::default();
    for task in tasks {
        let Some(Input::Event(Event::Ended(fault))) = decoder.next(&mut bytes) else { panic!("no event") };
        assert_eq!(fault.task, task);
    }
    let odd = Context { host: b"h\xff\x1b"[..].into(), command: br"\x1b \"[..].into(), ..context() };
    let json = serde_json::to_string(&odd).unwrap();
    assert_eq!(serde_json::from_str::<Context>(&json).unwrap(), odd);
}

#[test]
fn a_recording_is_read_as_it_was_written() {
    let mut all = inputs(30_000);
    let mut times = FaultTimes::default();
    times.by_path[0].saturating_record_n(1_234, 5);
    let mut sample = Sample { at: 9, fault_times: Some(times.clone()), ..Sample::default() };
    sample.snapshot.counters.started = 17;
    let swaps = vec![Swap { path: b"/dev/\xff"[..].into(), until_ns: Some(3), ..Swap::default() }];
    all.insert(600, Input::Areas(AreaReading { before_ns: 3, at_ns: 4, swaps: None }));
    all.insert(700, Input::Areas(AreaReading { before_ns: 1, at_ns: 2, swaps: Some(swaps) }));
    all.insert(800, Input::Cgroup(CgroupPath { id: u64::MAX, path: "/a\u{1b}".into() }));
    all.insert(500, Input::Sample(Box::new(sample.clone())));
    sample.snapshot.counters.ended = 16;
    sample.clocks = Some(clocks(START + 9, 5));
    all.insert(900, Input::Sample(Box::new(Sample { fault_times: None, ..sample.clone() })));
    times.by_path[0].saturating_record_n(5_678, 2);
    times.by_path[2].saturating_record_n(1, 1);
    all.insert(990, Input::Sample(Box::new(Sample { fault_times: Some(times), ..sample })));
    let (inputs, end) = read(&recording(&all));
    assert!(same(&inputs, &all));
    assert_eq!(end, End::Complete(Box::new(ending())));
}

#[test]
fn a_replay_reaches_the_verdicts_of_the_live_run() {
    let all = inputs(60_000);
    let bytes = recording(&all);
    let run = |inputs: Vec<Input>| {
        let mut engine = Engine::default();
        for input in inputs {
            match input {
                Input::Event(event) => engine.feed(event),
                Input::Advance(until) => engine.advance(until),
                Input::Sample(_) | Input::Areas(_) | Input::Cgroup(_) => {}
            }
        }
        engine.finish();
        engine
    };
    let replayed = run(read(&bytes).0);
    let live = run(all);
    let (live, replayed) = (live.report(), replayed.report());
    assert!(live.verdicts.stale_install > 10, "{:?}", live.verdicts);
    assert!(live.verdicts.pin_wait > 100, "{:?}", live.verdicts);
    assert!(live.verdicts.overlap > 1_000, "{:?}", live.verdicts);
    assert_eq!(live.verdicts, replayed.verdicts);
    assert_eq!(live.findings, replayed.findings);
    assert_eq!(live.dropped, replayed.dropped);
    let (live, replayed) = (&live.distributions, &replayed.distributions);
    assert_eq!(live.overlap.histogram(), replayed.overlap.histogram());
    assert_eq!(live.pin_wait.histogram(), replayed.pin_wait.histogram());
}

#[test]
fn an_event_takes_less_than_24_bytes() {
    let all = inputs(200_000);
    let events = all.iter().filter(|input| matches!(input, Input::Event(_))).count();
    let bytes = recording(&all).len();
    assert!(bytes < events * 24, "{bytes} bytes for {events} events");
}
