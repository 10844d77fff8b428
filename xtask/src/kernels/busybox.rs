//! The static busybox of another processor family: this machine's own is installed, others come from their package.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use super::{Scratch, apt::AptRoot, extract, lock, table::Suite};
use crate::{arch::Arch, paths};

/// Where the busybox of `arch` is, fetched if need be.
pub fn of(arch: Arch) -> Result<PathBuf> {
    let cache = paths::kernels().join(arch.debian());
    let file = cache.join("busybox");
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let _one_at_a_time = lock(&cache.join(".lock"))?;
    if file.is_file() {
        return Ok(file);
    }
    let what = format!("busybox-static for {arch}");
    eprintln!("fetching {what}");
    let scratch = Scratch::new(&cache, "busybox")?;
    let (debs, tree) = (scratch.folder("debs")?, scratch.folder("tree")?);
    AptRoot::new(&cache.join("apt"), arch, Suite::Trixie).download(&what, &["busybox-static".to_owned()], &debs)?;
    extract::unpack(&debs, &tree)?;
    let found = ["usr/bin/busybox", "bin/busybox"].map(|name| tree.join(name)).into_iter().find(|file| file.is_file());
    let found = found.context("the package busybox-static holds no busybox; was it packaged in another way?")?;
    fs::rename(&found, &file).with_context(|| format!("cannot put busybox into {}", file.display()))?;
    Ok(file)
}
