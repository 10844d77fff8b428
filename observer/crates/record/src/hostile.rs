//! Files that are cut, damaged, made up or endless: always an error in words or a part that says it is one, in bounded
//! memory and time.

use std::io::{self, Read};

use proptest::prelude::*;

use super::{
    frame::{self, Kind},
    tests::{inputs, read, recording, same},
    *,
};
use observer_observation::input::Input;

/// How many inputs can be read of some bytes, and whether the end was reached as it should be.
fn outcome_of(bytes: &[u8]) -> Result<(Vec<Input>, bool), OpenError> {
    let mut reader = Reader::new(bytes)?;
    let inputs = std::iter::from_fn(|| reader.next_input()).collect();
    Ok((inputs, matches!(reader.end(), Some(End::Whole(_)))))
}

#[test]
fn a_file_cut_at_any_byte_is_good_up_to_the_last_whole_frame() {
    let all = inputs(400);
    let bytes = recording("cut", &all);
    let (whole, _) = read(&bytes);
    let mut best = 0;
    for len in 0..bytes.len() {
        match outcome_of(&bytes[..len]) {
            Err(OpenError::Empty) => assert_eq!(len, 0),
            Err(OpenError::NotARecording) => assert!(len < MAGIC.len()),
            Err(OpenError::Header(Damage::Cut(_))) => assert_eq!(best, 0, "{len}"),
            Err(other) => panic!("{len}: {other}"),
            Ok((part, is_whole)) => {
                assert!(!is_whole, "{len} of {} bytes are not the whole file", bytes.len());
                assert!(same(&part, &whole[..part.len()]) && part.len() >= best, "{len}");
                best = part.len();
            }
        }
    }
    // Only the footer was missing in the end.
    assert_eq!(best, whole.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bits flip: what is read was written, or there is an error. Nothing is made up, nothing panics.
    #[test]
    fn flipped_bits_are_noticed(flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8u8), 1..4)) {
        static BYTES: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| recording("flips", &inputs(300)));
        static WHOLE: std::sync::LazyLock<Vec<Input>> = std::sync::LazyLock::new(|| read(&BYTES).0);
        let mut bytes = BYTES.clone();
        for (index, bit) in &flips {
            bytes[index.index(BYTES.len())] ^= 1 << bit;
        }
        // The minor version and the four spare bytes carry no meaning yet.
        let matters = bytes[..10] != BYTES[..10] || bytes[16..] != BYTES[16..];
        match outcome_of(&bytes) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok((part, is_whole)) => {
                prop_assert!(same(&part, &WHOLE[..part.len()]));
                prop_assert!(!matters || !is_whole);
            }
        }
    }

    /// Frames whose checksums fit but whose content is anything: made by somebody who means harm.
    #[test]
    fn made_up_content_does_no_harm(content in prop::collection::vec(any::<u8>(), 0..2_000), kind in 0..6u8) {
        let mut bytes = recording("made-up", &[]);
        let kind = [Kind::Header, Kind::Events, Kind::Sample, Kind::Footer, Kind::Unknown(9), Kind::Events][kind as usize];
        let at = first_frame_end(&bytes);
        bytes.truncate(at);
        frame::write(&mut bytes, kind, &content).unwrap();
        let (inputs, is_whole) = outcome_of(&bytes).unwrap();
        // Every input takes at least two bytes.
        prop_assert!(inputs.len() <= content.len() / 2 + 1);
        prop_assert!(!is_whole);
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        prop_assert!(outcome_of(&bytes).is_err());
        let mut prefixed = MAGIC.to_vec();
        prefixed.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        prefixed.extend(&bytes);
        prop_assert!(outcome_of(&prefixed).is_err());
    }
}

/// Where the header ends.
fn first_frame_end(bytes: &[u8]) -> usize {
    let len = u32::from_le_bytes(bytes[PREAMBLE + 4..PREAMBLE + 8].try_into().unwrap());
    PREAMBLE + 16 + len as usize
}

#[test]
fn another_version_is_refused_by_name() {
    let mut bytes = recording("version", &[]);
    bytes[8] = 2;
    let Err(error) = outcome_of(&bytes) else { panic!("read") };
    assert!(error.to_string().contains("version 2"), "{error}");
    // A newer minor version is read.
    bytes[8] = 1;
    bytes[10] = 7;
    assert!(outcome_of(&bytes).unwrap().1);
}

#[test]
fn what_a_newer_minor_version_adds_is_passed_over() {
    let bytes = recording("newer", &inputs(50));
    let at = first_frame_end(&bytes);
    let mut newer = bytes[..at].to_vec();
    frame::write(&mut newer, Kind::Unknown(77), b"of tomorrow").unwrap();
    newer.extend(&bytes[at..]);
    let (inputs, is_whole) = outcome_of(&newer).unwrap();
    assert!(is_whole && same(&inputs, &read(&bytes).0));
}

#[test]
fn lengths_that_cannot_be_are_refused_before_memory_is_taken() {
    let whole = recording("lengths", &[]);
    for (stored, raw) in [(u32::MAX, u32::MAX), (8, u32::MAX), (u32::MAX, 8), (9, 8)] {
        let mut bytes = whole[..PREAMBLE].to_vec();
        bytes.extend([2, 1, 0, 0]);
        bytes.extend(stored.to_le_bytes());
        bytes.extend(raw.to_le_bytes());
        bytes.extend([0; 64]);
        let Err(error) = outcome_of(&bytes) else { panic!("read") };
        assert!(matches!(error, OpenError::Header(Damage::Broken { .. })), "{error}");
    }
}

/// Fails the test when more is read than a reader should need.
struct Endless {
    head: Vec<u8>,
    given: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.given < 4 * MAX_RAW, "reads on and on");
        let len = buffer.len().min(4_096);
        for byte in &mut buffer[..len] {
            *byte = self.head.get(self.given).copied().unwrap_or(0);
            self.given += 1;
        }
        Ok(len)
    }
}

#[test]
fn endless_input_ends() {
    assert!(matches!(Reader::new(io::repeat(0)), Err(OpenError::NotARecording)));
    let head = recording("endless", &[])[..PREAMBLE].to_vec();
    assert!(matches!(Reader::new(Endless { head, given: 0 }), Err(OpenError::Header(_))));
    // A whole file with zeros behind it: nobody looks there.
    let mut reader = Reader::new(Endless { head: recording("zeros", &inputs(20)), given: 0 }).unwrap();
    while reader.next_input().is_some() {}
    assert!(matches!(reader.end(), Some(End::Whole(_))));
}

#[test]
fn a_full_disk_stops_the_recording_and_keeps_it_readable() {
    use observer_engine::event::Event;
    // A limit on the size of files stands for the disk: a child of its own, because the limit is the process's.
    let Some(path) = std::env::var_os("OBSERVER_TEST_FULL_DISK") else {
        let path = std::env::temp_dir().join(format!("observer-full-{}", std::process::id()));
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "record::hostile::a_full_disk_stops_the_recording_and_keeps_it_readable", "--nocapture"])
            .env("OBSERVER_TEST_FULL_DISK", &path)
            .status();
        assert!(status.unwrap().success());
        let left = std::fs::read(file::beside(&path)).unwrap();
        let (part, is_whole) = outcome_of(&left).unwrap();
        assert!(
            !is_whole && part.iter().filter(|input| matches!(input, Input::Event(Event::Ended(_)))).count() > 1_000
        );
        let End::Early(Damage::Cut(at)) = read(&left).1 else { panic!("not cut") };
        assert_eq!(at, left.len() as u64, "the frame that did not fit was taken back");
        std::fs::remove_file(file::beside(&path)).unwrap();
        return;
    };
    let limit = rustix::process::Rlimit { current: Some(200_000), maximum: Some(200_000) };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    // SAFETY: ignoring a signal touches no memory; the write then fails with an error instead.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let mut recorder = tests::create(std::path::Path::new(&path), Creation::New).unwrap();
    for input in inputs(60_000) {
        recorder.input(&input);
    }
    assert!(recorder.failed().is_some());
    let error = recorder.finish(&tests::ending()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
}
