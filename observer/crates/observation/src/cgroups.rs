//! Paths of control groups, which the programs know by id only.

use std::collections::BTreeMap;

use observer_text::Name;
use serde::{Deserialize, Serialize};

/// Most groups whose paths are kept. Later ones are known by id.
pub const MAX_CGROUPS: usize = 4_096;

/// Most bytes of all paths as they are written, escaped. The header of a part of a recording has room for them, with all
/// backslashes doubled.
const MAX_BYTES: usize = 256 << 10;

/// A control group (v2) whose path was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CgroupPath {
    /// The inode number of its folder.
    pub id: u64,
    /// As in `/proc/PID/cgroup`, from the root of the observer's cgroup namespace.
    pub path: Name,
}

/// The control groups whose paths are known. An id is never used twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<u64, Name>", into = "BTreeMap<u64, Name>")]
pub struct CgroupPaths {
    paths: BTreeMap<u64, Name>,
    /// Of all paths, as [`MAX_BYTES`].
    bytes: usize,
}

impl From<BTreeMap<u64, Name>> for CgroupPaths {
    fn from(paths: BTreeMap<u64, Name>) -> Self {
        let mut known = Self::default();
        for (id, path) in paths {
            known.add(CgroupPath { id, path });
        }
        known
    }
}

impl From<CgroupPaths> for BTreeMap<u64, Name> {
    fn from(known: CgroupPaths) -> Self {
        known.paths
    }
}

impl CgroupPaths {
    /// Adds a group, unless it is known or there is no room for it.
    pub fn add(&mut self, CgroupPath { id, path }: CgroupPath) {
        let bytes = self.bytes + path.to_string().len();
        if self.paths.len() < MAX_CGROUPS && bytes <= MAX_BYTES && !self.paths.contains_key(&id) {
            self.paths.insert(id, path);
            self.bytes = bytes;
        }
    }

    pub fn path(&self, id: u64) -> Option<&Name> {
        self.paths.get(&id)
    }

    /// All groups, by id.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Name)> {
        self.paths.iter().map(|(id, path)| (*id, path))
    }

    /// The path, or else the id.
    pub fn name(&self, id: u64) -> String {
        self.path(id).map_or_else(|| id.to_string(), Name::to_string)
    }

    pub fn len(&self) -> usize {
        self.paths.len()
    }

    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: u64, path: &str) -> CgroupPath {
        CgroupPath { id, path: path.into() }
    }

    #[test]
    fn a_group_is_named_by_its_path_or_else_by_its_id() {
        let mut paths = CgroupPaths::default();
        paths.add(group(7, "/a"));
        paths.add(group(7, "/b"));
        assert_eq!((paths.name(7), paths.name(8)), ("/a".to_owned(), "8".to_owned()));
    }

    #[test]
    fn paths_are_bounded() {
        let mut paths = CgroupPaths::default();
        let long = format!("/{}", "x".repeat(4_000));
        for id in 1..=1_000 {
            paths.add(group(id, &long));
        }
        assert_eq!(paths.len(), MAX_BYTES / long.len());
        assert_eq!(paths.name(1_000), "1000");
    }

    #[test]
    fn groups_are_bounded_also_without_paths() {
        let mut paths = CgroupPaths::default();
        for id in 1..=2 * MAX_CGROUPS as u64 {
            paths.add(group(id, ""));
        }
        assert_eq!(paths.len(), MAX_CGROUPS);
    }
}
