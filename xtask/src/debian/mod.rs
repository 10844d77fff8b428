//! Debian packages for guests: downloaded with apt from any suite, and unpacked without being installed.

mod apt;
mod index;
mod mirror;
mod version;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use thiserror::Error;

pub(crate) use self::{
    apt::{AptRoot, Wanted},
    index::Package,
    version::{compare, upstream},
};
use crate::process::{Purpose, read};

/// A package that apt cannot download here. Tests and benchmarks skip what needs it and name it.
#[derive(Debug, Error)]
#[error("{what} is not available: {reason}\n  what to do: {remedy}")]
pub(crate) struct Unavailable {
    /// What the packages make up: "kernel 5.10.223".
    pub(crate) what: String,
    pub(crate) reason: String,
    pub(crate) remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// Debian 11.
    Bullseye,
    /// Security updates of Debian 12, which have its newest kernels.
    Bookworm,
    /// Debian 13.
    Trixie,
    /// Newer kernels for Debian 13.
    TrixieBackports,
}

impl Suite {
    /// The name in a sources list.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm-security",
            Self::Trixie => "trixie",
            Self::TrixieBackports => "trixie-backports",
        }
    }

    fn is_security(self) -> bool {
        self == Self::Bookworm
    }
}

/// A work folder inside a cache, removed on every way out.
pub(crate) struct Workspace(tempfile::TempDir);

/// Hidden, so that lists of the cache skip it.
const PREFIX: &str = ".fetch-";

impl Workspace {
    /// The caller holds the lock of `cache`, so work folders found there belong to processes that were killed; they are
    /// removed.
    pub(crate) fn new(cache: &Path) -> Result<Self> {
        for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(cache);
        dir.map(Self).with_context(|| format!("cannot make a work folder in {}", cache.display()))
    }

    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let dir = self.0.path().join(name);
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(dir)
    }
}

/// Waits for the lock that keeps two processes from changing one cache, and takes it.
pub(crate) fn lock(cache: &Path) -> Result<File> {
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let path = cache.join(".lock");
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Unpacks every package in `packages` into `tree`.
pub(crate) fn unpack(packages: &Path, tree: &Path) -> Result<()> {
    let is_package = |file: &PathBuf| file.extension().is_some_and(|end| end == "deb");
    let found: Vec<PathBuf> = files_below(packages)?.into_iter().filter(is_package).collect();
    if found.is_empty() {
        bail!("apt downloaded no package into {}; try again", packages.display());
    }
    for package in found {
        let purpose = Purpose { what: "unpacking a package", by_hand: "check the free disk space, then try again" };
        read(Command::new("dpkg-deb").arg("-x").arg(&package).arg(tree), purpose)?;
    }
    Ok(())
}

/// All plain files below `dir`. Links are not followed: a package's link may point outside it.
pub(crate) fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut remaining = vec![dir.to_path_buf()];
    while let Some(dir) = remaining.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let entry = entry.with_context(|| format!("cannot read {}", dir.display()))?;
            let kind = entry.file_type().with_context(|| format!("cannot read {}", entry.path().display()))?;
            if kind.is_dir() {
                remaining.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}
