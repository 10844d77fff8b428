//! Files read from real kernels (`tests/fixtures/kernels/RELEASE/`), and file trees made up for one test.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::{btf::Btf, plan::Machine, symbols::Symbols, tree::Tree};

/// The kernels that fixtures were read from: Debian's cloud images, x86-64.
pub(crate) const KERNELS: [&str; 11] = [
    "5.10.223", "6.1.192", "6.12.117", "6.16.12", "6.17.13", "6.18.15", "6.19.14", "7.0.13", "7.1.13", "7.2.12",
    "7.3.4",
];

/// The same, arm64.
pub(crate) const ARM64: [&str; 4] = ["arm64/5.10.223", "arm64/6.1.192", "arm64/6.12.117", "arm64/7.3.4"];

/// A fixture's bytes.
pub(crate) fn read(kernel: &str, file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kernels").join(kernel).join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A fixture's text.
pub(crate) fn text(kernel: &str, file: &str) -> String {
    String::from_utf8(read(kernel, file)).unwrap()
}

/// The types of a kernel, cut down by `examples/btf_prune.rs`.
pub(crate) fn btf(kernel: &str) -> Btf {
    Btf::parse(read(kernel, "btf.bin")).unwrap()
}

/// The wanted symbols of a kernel; its fixture holds every symbol that has to do with swapping in.
pub(crate) fn symbols(kernel: &str, wanted: &[&str]) -> Symbols {
    Symbols::parse(Cursor::new(read(kernel, "kallsyms")), wanted).unwrap()
}

/// What the host of a kernel says of itself.
pub(crate) fn machine(kernel: &str) -> Machine<'static> {
    match kernel.strip_prefix("arm64/") {
        // What Debian's own kernels of these releases answered.
        Some(release) => Machine {
            arch: "aarch64",
            uffd_wp: Some(release.starts_with("6.12") || release.starts_with('7')),
            version: None,
        },
        None => Machine { arch: "x86_64", uffd_wp: None, version: None },
    }
}

/// A file tree that stands for `/`, removed at the end of the test.
pub(crate) struct TempTree(PathBuf);

impl TempTree {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("observer-tree-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file, with the folders it needs.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.place(path);
        fs::write(path, text).unwrap();
        self
    }

    /// Makes a symbolic link.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        std::os::unix::fs::symlink(target, self.place(path)).unwrap();
        self
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree::at(&self.0)
    }

    fn place(&self, path: &str) -> PathBuf {
        let path = self.0.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }
}

impl Drop for TempTree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
