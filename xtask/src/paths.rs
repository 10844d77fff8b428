//! Where things are. Everything that xtask makes lies in the workspace's target folder, so `cargo clean` removes it.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The workspace's root, as it was when xtask was compiled: cargo recompiles it when the workspace moves.
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// Cargo's target folder: `CARGO_TARGET_DIR` if set, else the workspace's own.
pub fn target() -> PathBuf {
    let root = workspace();
    env::var_os("CARGO_TARGET_DIR")
        .filter(|dir| !dir.is_empty())
        .map_or_else(|| root.join("target"), |dir| root.join(dir))
}

/// The cache of guest kernels, one folder per release.
pub fn kernels() -> PathBuf {
    target().join("kernels")
}

/// Logs and scratch files of guests.
pub fn guests() -> PathBuf {
    target().join("vm")
}

/// The first file called `name` in the folders of `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
