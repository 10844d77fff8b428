//! An observation that goes over several files: when the next one starts, how they are called, which are kept.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

/// When a new file starts. Looked at whenever counters are written, once a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// When the file has this many bytes.
    pub size: Option<u64>,
    /// When the file is this old.
    pub every: Option<Duration>,
    /// How many files that are complete are kept; older ones are removed. `None`: all.
    pub keep: Option<u32>,
}

impl Rotation {
    /// Whether files are changed at all.
    pub const fn is_on(&self) -> bool {
        self.size.is_some() || self.every.is_some()
    }

    /// Whether a file of this many bytes and nanoseconds is to be followed by another.
    pub(super) fn is_due(&self, bytes: u64, age_ns: u64) -> bool {
        self.size.is_some_and(|size| bytes >= size)
            || self.every.is_some_and(|every| u128::from(age_ns) >= every.as_nanos())
    }

    /// The part that goes when part `number` is complete.
    pub(super) fn outdated(&self, number: u32) -> Option<u32> {
        number.checked_sub(self.keep?).filter(|number| *number > 0)
    }
}

/// What part `number` is called: `swap.obs` becomes `swap.000001.obs`.
pub(super) fn name(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path.file_stem().unwrap_or_default());
    name.push(format!(".{number:06}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_numbered_before_the_extension() {
        assert_eq!(name(Path::new("/a.d/swap.obs"), 3), Path::new("/a.d/swap.000003.obs"));
        assert_eq!(name(Path::new("swap"), 12), Path::new("swap.000012"));
    }

    #[test]
    fn a_part_is_due_by_size_or_age() {
        let rotation = Rotation { size: Some(100), every: Some(Duration::from_secs(5)), keep: Some(2) };
        assert!(!rotation.is_due(99, 4_999_999_999));
        assert!(rotation.is_due(100, 0) && rotation.is_due(0, 5_000_000_000));
        assert!(!Rotation::default().is_due(u64::MAX, u64::MAX));
        assert_eq!((rotation.outdated(2), rotation.outdated(3)), (None, Some(1)));
    }
}
