//! Files read from real kernels (`kernels/RELEASE/`), and temporary file trees.

use std::{
    fs,
    path::{Path, PathBuf},
};

use observer_text::Name;

/// Debian's cloud images, x86-64.
pub const KERNELS: [&str; 11] = [
    "5.10.223", "6.1.192", "6.12.117", "6.16.12", "6.17.13", "6.18.15", "6.19.14", "7.0.13", "7.1.13", "7.2.12",
    "7.3.4",
];

/// Debian's cloud images, arm64.
pub const ARM64: [&str; 4] = ["arm64/5.10.223", "arm64/6.1.192", "arm64/6.12.117", "arm64/7.3.4"];

/// Kernels that were not booted: only their types are public. The list of symbols has the functions of the types.
pub const NOT_BOOTED: [&str; 2] = ["arm64/android12-5.10", "arm64/android13-5.10"];

pub fn path(kernel: &str, file: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/kernels")).join(kernel).join(file)
}

/// The content of a file.
///
/// # Panics
/// When there is no such file.
#[expect(clippy::panic, reason = "a test without its file has failed")]
pub fn read(kernel: &str, file: &str) -> Vec<u8> {
    let path = path(kernel, file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", Name::from(&path)))
}

/// The content of a text file.
///
/// # Panics
/// When there is no such file.
pub fn text(kernel: &str, file: &str) -> String {
    String::from_utf8_lossy(&read(kernel, file)).into_owned()
}

/// A file tree that stands for `/`, removed when dropped.
pub struct TempTree(tempfile::TempDir);

#[expect(clippy::expect_used, clippy::new_without_default, reason = "a test that cannot write its files has failed")]
impl TempTree {
    /// An empty tree.
    ///
    /// # Panics
    /// When the temporary folder cannot be created.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// Writes a file, with the folders it needs.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.place(path);
        fs::write(path, content).expect("a file of the tree");
        self
    }

    /// Creates a symbolic link.
    ///
    /// # Panics
    /// When it cannot be created.
    #[must_use]
    pub fn link(self, path: &str, target: &str) -> Self {
        std::os::unix::fs::symlink(target, self.place(path)).expect("a link of the tree");
        self
    }

    /// The folder that stands for `/`.
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    fn place(&self, path: &str) -> PathBuf {
        let path = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap_or(&path)).expect("a folder of the tree");
        path
    }
}
