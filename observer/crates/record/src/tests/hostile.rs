//! Files that are cut, damaged, malicious or endless: the reader always returns an error or the intact part, in bounded
//! memory and time.

use std::io::{self, Read};

use proptest::prelude::*;

use super::*;
use crate::frame::{self, Kind};
use observer_observation::Defect;

/// The inputs that can be read, and whether the recording is complete.
fn read_any(bytes: &[u8]) -> Result<(Vec<Input>, bool), OpenError> {
    let mut reader = Reader::new(bytes)?;
    let inputs = std::iter::from_fn(|| reader.next_input()).collect();
    Ok((inputs, matches!(reader.end(), Some(End::Complete(_)))))
}

#[test]
fn a_cut_file_is_read_up_to_its_last_complete_frame() {
    let all = inputs(400);
    let bytes = recording(&all);
    let (whole, _) = read(&bytes);
    let mut best = 0;
    for len in 0..bytes.len() {
        match read_any(&bytes[..len]) {
            Err(OpenError::Empty) => assert_eq!(len, 0),
            Err(OpenError::NotARecording) => assert!(len < MAGIC.len()),
            Err(OpenError::Header(FileDamage::Cut { .. })) => assert_eq!(best, 0, "{len}"),
            Err(other) => panic!("{len}: {other}"),
            Ok((part, is_complete)) => {
                assert!(!is_complete, "{len} of {} bytes", bytes.len());
                assert!(same(&part, &whole[..part.len()]), "{len}");
                assert!(part.len() >= best, "{len}");
                best = part.len();
            }
        }
    }
    // The longest cut file lacks only the footer.
    assert_eq!(best, whole.len());
}

/// A frame whose checksum is right and whose content is not that of its kind.
#[test]
fn content_that_cannot_be_decoded_is_a_defect_of_its_kind() {
    let whole = recording(&[]);
    let stored = u32::from_le_bytes(whole[PREAMBLE + 4..PREAMBLE + 8].try_into().unwrap());
    let header = &whole[..PREAMBLE + 16 + stored as usize];
    for (kind, expected) in [
        (Kind::Header, Defect::SecondHeader),
        (Kind::Events, Defect::Event),
        (Kind::Sample, Defect::Sample),
        (Kind::Areas, Defect::Areas),
        (Kind::Cgroup, Defect::Cgroup),
        (Kind::Footer, Defect::Footer),
    ] {
        let mut bytes = header.to_vec();
        frame::write(&mut bytes, kind, b"{").unwrap();
        let (inputs, end) = read(&bytes);
        assert!(inputs.is_empty());
        let End::Damaged(FileDamage::Broken { defect, .. }) = end else { panic!("{kind:?}: {end:?}") };
        assert_eq!(defect, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The inputs that are read were written, and the damage is reported.
    #[test]
    fn flipped_bits_are_detected(flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8u8), 1..4)) {
        static BYTES: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| recording(&inputs(300)));
        static WHOLE: std::sync::LazyLock<Vec<Input>> = std::sync::LazyLock::new(|| read(&BYTES).0);
        let mut bytes = BYTES.clone();
        for (index, bit) in &flips {
            bytes[index.index(BYTES.len())] ^= 1 << bit;
        }
        // The preamble has no checksum. Another minor version reads the same bytes by other names, and the last four
        // bytes are ignored.
        bytes[10..PREAMBLE].copy_from_slice(&BYTES[10..PREAMBLE]);
        let is_damaged = bytes != *BYTES;
        match read_any(&bytes) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok((part, is_complete)) => {
                prop_assert!(same(&part, &WHOLE[..part.len()]));
                prop_assert!(!(is_damaged && is_complete));
            }
        }
    }

    /// Frames with valid checksums and arbitrary content, as an attacker would write them.
    #[test]
    fn arbitrary_content_is_rejected(content in prop::collection::vec(any::<u8>(), 0..2_000), kind in 0..5u8) {
        let mut bytes = recording(&[]);
        let kinds = [Kind::Header, Kind::Events, Kind::Sample, Kind::Footer, Kind::Unknown(9)];
        let at = first_frame_end(&bytes);
        bytes.truncate(at);
        frame::write(&mut bytes, kinds[kind as usize], &content).unwrap();
        let (inputs, is_complete) = read_any(&bytes).unwrap();
        // Every input takes at least two bytes.
        prop_assert!(inputs.len() <= content.len() / 2 + 1);
        prop_assert!(!is_complete);
    }

    #[test]
    fn arbitrary_bytes_are_rejected(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        prop_assert!(read_any(&bytes).is_err());
        let mut prefixed = MAGIC.to_vec();
        prefixed.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        prefixed.extend(&bytes);
        prop_assert!(read_any(&prefixed).is_err());
    }
}

/// Where the header ends.
fn first_frame_end(bytes: &[u8]) -> usize {
    let len = u32::from_le_bytes(bytes[PREAMBLE + 4..PREAMBLE + 8].try_into().unwrap());
    PREAMBLE + 16 + len as usize
}

#[test]
fn another_major_version_is_rejected() {
    let mut bytes = recording(&[]);
    bytes[8] = 2;
    let Err(error) = read_any(&bytes) else { panic!("read") };
    assert!(error.to_string().contains("version 2"), "{error}");
}

#[test]
fn a_newer_minor_version_is_read() {
    let mut bytes = recording(&[]);
    bytes[10] = 7;
    assert!(read_any(&bytes).unwrap().1);
}

#[test]
fn frames_of_unknown_kind_are_skipped() {
    let bytes = recording(&inputs(50));
    let at = first_frame_end(&bytes);
    let mut newer = bytes[..at].to_vec();
    frame::write(&mut newer, Kind::Unknown(77), b"from a newer version").unwrap();
    newer.extend(&bytes[at..]);
    let (inputs, is_complete) = read_any(&newer).unwrap();
    assert!(is_complete);
    assert!(same(&inputs, &read(&bytes).0));
}

#[test]
fn impossible_lengths_are_rejected_before_memory_is_allocated() {
    let whole = recording(&[]);
    for (stored, raw) in [(u32::MAX, u32::MAX), (8, u32::MAX), (u32::MAX, 8), (9, 8)] {
        let mut bytes = whole[..PREAMBLE].to_vec();
        bytes.extend([2, 1, 0, 0]);
        bytes.extend(stored.to_le_bytes());
        bytes.extend(raw.to_le_bytes());
        bytes.extend([0; 64]);
        let Err(error) = read_any(&bytes) else { panic!("read") };
        assert!(matches!(error, OpenError::Header(FileDamage::Broken { .. })), "{error}");
    }
}

/// Zeros after `head`. Fails the test if a reader takes more than it should need.
struct Endless {
    head: Vec<u8>,
    read: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.read < 4 * MAX_RAW, "the reader does not stop");
        let len = buffer.len().min(4_096);
        for byte in &mut buffer[..len] {
            *byte = self.head.get(self.read).copied().unwrap_or(0);
            self.read += 1;
        }
        Ok(len)
    }
}

#[test]
fn endless_input_is_rejected() {
    assert!(matches!(Reader::new(io::repeat(0)), Err(OpenError::NotARecording)));
    let head = recording(&[])[..PREAMBLE].to_vec();
    assert!(matches!(Reader::new(Endless { head, read: 0 }), Err(OpenError::Header(_))));
    // Bytes behind a complete recording are ignored.
    let mut reader = Reader::new(Endless { head: recording(&inputs(20)), read: 0 }).unwrap();
    while reader.next_input().is_some() {}
    assert!(matches!(reader.end(), Some(End::Complete(_))));
}
