//! Paths of control groups, which the programs know by id only.

use std::collections::BTreeMap;

use observer_text::Name;
use serde::{Deserialize, Serialize};

/// Most bytes of all paths that are kept. Later groups are known by id.
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
#[serde(transparent)]
pub struct CgroupPaths(BTreeMap<u64, Name>);

impl CgroupPaths {
    /// Adds a group, unless it is known or there is no room for it.
    pub fn add(&mut self, CgroupPath { id, path }: CgroupPath) {
        let bytes: usize = self.0.values().map(|path| path.as_bytes().len()).sum();
        if bytes + path.as_bytes().len() <= MAX_BYTES {
            self.0.entry(id).or_insert(path);
        }
    }

    pub fn path(&self, id: u64) -> Option<&Name> {
        self.0.get(&id)
    }

    /// The path, or else the id.
    pub fn name(&self, id: u64) -> String {
        self.path(id).map_or_else(|| id.to_string(), Name::to_string)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
        assert_eq!(paths.0.len(), MAX_BYTES / long.len());
        assert_eq!(paths.name(1_000), "1000");
    }
}
