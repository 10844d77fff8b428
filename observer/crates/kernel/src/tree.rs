//! The file tree that facts are read from: `/`, or a temporary one in tests.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use observer_text::Name;

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

    /// A file's content. What contains names or paths must be read with this: they can hold any byte.
    pub fn bytes(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        fs::read(self.path(path))
    }

    /// As [`read_text`].
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<String> {
        read_text(&self.path(path))
    }

    /// The name that a file holds, without the end of its line; `None` if it is missing or unreadable.
    pub fn name(&self, path: impl AsRef<Path>) -> Option<Name> {
        self.bytes(path).ok().map(|bytes| bytes.strip_suffix(b"\n").unwrap_or(&bytes).into())
    }

    /// A file's text without surrounding white space; `None` if it is missing or unreadable.
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

/// A file of the kernel as text. The names in it can hold any byte; one that is not text is replaced, and the rest of
/// the file can still be read.
pub fn read_text(path: &Path) -> io::Result<String> {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of a list.
pub fn lines(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.strip_suffix(b"\n").unwrap_or(list).split(|byte| *byte == b'\n')
}
