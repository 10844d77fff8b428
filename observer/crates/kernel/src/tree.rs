//! The file tree that facts are read from: `/`, or a temporary one in tests.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A root directory; every path is taken below it.
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The running system's own tree.
    pub fn system() -> Self {
        Self::at(Path::new("/"))
    }

    /// A tree below another root.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// An absolute path of the system, in this tree.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<String> {
        fs::read_to_string(self.path(path))
    }

    /// A file's text without surrounding white space; `None` if it is missing, unreadable or not text.
    pub fn line(&self, path: impl AsRef<Path>) -> Option<String> {
        self.read(path).ok().map(|text| text.trim().to_owned())
    }

    /// The number that a file holds; `None` if it is missing or holds anything else.
    pub fn number<T: std::str::FromStr>(&self, path: impl AsRef<Path>) -> Option<T> {
        self.line(path)?.parse().ok()
    }

    /// The boolean that a file holds (`0`/`1`, `N`/`Y`); `None` if it is missing or holds anything else.
    pub fn switch(&self, path: impl AsRef<Path>) -> Option<bool> {
        match self.line(path)?.as_str() {
            "0" | "N" | "n" => Some(false),
            "1" | "Y" | "y" => Some(true),
            _ => None,
        }
    }

    pub fn link(&self, path: impl AsRef<Path>) -> Option<String> {
        fs::read_link(self.path(path)).ok()?.into_os_string().into_string().ok()
    }

    /// Symbolic links are followed.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// The names in a directory, sorted; empty if it cannot be read.
    pub fn names(&self, path: impl AsRef<Path>) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(path)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }
}
