//! Paths. Everything that xtask makes is in the workspace's target folder, so `cargo clean` removes it.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The root of the workspace at compile time: cargo recompiles xtask when the workspace moves.
pub(crate) fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// `CARGO_TARGET_DIR` if set, else `target` in the workspace.
pub(crate) fn target() -> PathBuf {
    let root = workspace();
    env::var_os("CARGO_TARGET_DIR")
        .filter(|dir| !dir.is_empty())
        .map_or_else(|| root.join("target"), |dir| root.join(dir))
}

/// The cache of guest kernels, one folder per release.
pub(crate) fn kernels() -> PathBuf {
    target().join("kernels")
}

/// Guest kernels that were built here, one folder per release.
pub(crate) fn built_kernels() -> PathBuf {
    target().join("kernels-built")
}

/// Sources and objects of kernels that are built here.
pub(crate) fn kernel_builds() -> PathBuf {
    target().join("kernels-work")
}

/// Logs and scratch files of guests.
pub(crate) fn guests() -> PathBuf {
    target().join("vm")
}

/// The first file called `name` in the folders of `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
