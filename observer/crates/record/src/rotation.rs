//! Rotation of an observation over several files: when the next part starts, what it is called, which parts are kept.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

/// When a new file starts. Checked whenever counters are written, once a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes after which a file is followed by another.
    pub size: Option<u64>,
    /// Age after which a file is followed by another.
    pub every: Option<Duration>,
    /// Number of complete files that are kept; older ones are removed. `None`: all.
    pub keep: Option<u32>,
}

impl Rotation {
    pub(crate) const fn is_on(&self) -> bool {
        self.size.is_some() || self.every.is_some()
    }

    pub(crate) fn is_due(&self, bytes: u64, age_ns: u64) -> bool {
        self.size.is_some_and(|size| bytes >= size)
            || self.every.is_some_and(|every| u128::from(age_ns) >= every.as_nanos())
    }

    /// The part to remove when part `number` is complete.
    pub(crate) fn outdated(&self, number: u32) -> Option<u32> {
        number.checked_sub(self.keep?).filter(|number| *number > 0)
    }
}

/// Path of part `number`: `swap.obs` becomes `swap.000001.obs`.
pub(crate) fn part_path(path: &Path, number: u32) -> PathBuf {
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
        assert_eq!(part_path(Path::new("/a.d/swap.obs"), 3), Path::new("/a.d/swap.000003.obs"));
        assert_eq!(part_path(Path::new("swap"), 12), Path::new("swap.000012"));
    }

    #[test]
    fn a_part_is_due_by_size_or_age() {
        let rotation = Rotation { size: Some(100), every: Some(Duration::from_secs(5)), keep: Some(2) };
        assert!(!rotation.is_due(99, 4_999_999_999));
        assert!(rotation.is_due(100, 0));
        assert!(rotation.is_due(0, 5_000_000_000));
        assert!(!Rotation::default().is_due(u64::MAX, u64::MAX));
    }

    #[test]
    fn the_newest_complete_parts_are_kept() {
        let rotation = Rotation { keep: Some(2), ..Rotation::default() };
        assert_eq!(rotation.outdated(2), None);
        assert_eq!(rotation.outdated(3), Some(1));
        assert_eq!(Rotation::default().outdated(9), None);
    }
}
