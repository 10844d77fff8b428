use std::io::Read as _;

use super::*;
use crate::frame::{Frames, Kind};
use observer_kernel::plan::{Backend, Consequence, HookSet, Instead, Layout, Meaning, NoKprobe, State};
use observer_observation::{CommandFailure, Defect, NotRun};

/// Preamble and frames of a file. Frames are decompressed, because the compressor may change and the format does not.
fn frames(path: &Path) -> (Vec<u8>, Vec<(Kind, Vec<u8>)>) {
    let mut file = fs::File::open(path).unwrap();
    let mut preamble = vec![0; PREAMBLE];
    file.read_exact(&mut preamble).unwrap();
    let mut reader = Frames::new(file, PREAMBLE as u64);
    let next = || reader.next().ok().map(|(kind, content)| (kind, content.to_vec()));
    (preamble, std::iter::from_fn(next).collect())
}

#[test]
fn recordings_have_the_format_of_their_minor_version() {
    let released = observer_recordings::released(&format!("v{MAJOR}.{MINOR}.obs"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("now.obs");
    observer_recordings::pinned::record(&path, 3_000, 1_500, 1).unwrap();
    let (released, now) = (frames(&released), frames(&path));
    assert_eq!(released.0, now.0, "preamble");
    for (place, (released, now)) in released.1.iter().zip(&now.1).enumerate() {
        let text = |frame: &(Kind, Vec<u8>)| String::from_utf8_lossy(&frame.1).into_owned();
        let is_same = released == now;
        assert!(
            is_same,
            "frame {place} differs from that of the released file: raise MINOR, add a file of the new version and \
             describe the change in docs/recording.md\n{}\n{}",
            text(released),
            text(now)
        );
    }
    assert_eq!(released.1.len(), now.1.len());
}

#[test]
fn the_documentation_lists_every_code() {
    let text = include_str!("../../../../../docs/recording.md");
    let codes = State::ALL
        .map(State::code)
        .into_iter()
        .chain(HookSet::ALL.map(HookSet::code))
        .chain(Meaning::ALL.map(Meaning::code))
        .chain(Backend::ALL.map(Backend::code))
        .chain(NoKprobe::ALL.map(NoKprobe::code))
        .chain(Layout::ALL.map(Layout::code))
        .chain(Instead::ALL.map(Instead::code))
        .chain(Consequence::ALL.map(Consequence::code))
        .chain(EndReason::ALL.map(EndReason::code))
        .chain(Defect::ALL.map(Defect::code))
        .chain(CommandFailure::ALL.map(CommandFailure::code))
        .chain(NotRun::ALL.map(NotRun::code));
    for code in codes {
        assert!(text.contains(&format!("`{code}`")), "docs/recording.md lacks `{code}`");
    }
}
