//! Takes the files that a guest needs out of unpacked kernel packages.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{modinfo::ModInfo, select};
use crate::{
    debian::files_below,
    process::{Purpose, read},
};

/// Fills `kernel` with vmlinuz, config and modules/ from an unpacked `tree`.
pub(super) fn pick(tree: &Path, kernel: &Path) -> Result<()> {
    let files = files_below(tree)?;
    let image = named(&files, "vmlinuz").context("the packages have no vmlinuz; has the packaging changed?")?;
    let config = named(&files, "config").context("the packages have no kernel config; has the packaging changed?")?;
    let modules = kernel.join("modules");
    fs::create_dir_all(&modules).with_context(|| format!("cannot make {}", modules.display()))?;
    copy(image, &kernel.join("vmlinuz"))?;
    copy(config, &kernel.join("config"))?;
    pick_modules(&files, &modules)
}

/// Copies the selected modules and, round by round, their dependencies.
fn pick_modules(files: &[PathBuf], into: &Path) -> Result<()> {
    let available = index(files);
    let mut round: Vec<String> = available.keys().filter(|name| select::is_selected(name)).cloned().collect();
    while !round.is_empty() {
        for name in &round {
            if let Some(file) = available.get(name) {
                copy(file, &into.join(file.file_name().unwrap_or_default()))?;
            }
        }
        decompress(into)?;
        let copied = index(&files_below(into)?);
        let mut next = Vec::new();
        for file in copied.values() {
            let depends = ModInfo::read(file)?.depends;
            next.extend(depends.into_iter().filter(|name| !copied.contains_key(name) && available.contains_key(name)));
        }
        next.sort();
        next.dedup();
        round = next;
    }
    Ok(())
}

/// Module files by name, with the underscores that `depends=` uses.
fn index(files: &[PathBuf]) -> HashMap<String, PathBuf> {
    let name = |file: &PathBuf| Some(select::module_name(file.file_name()?.to_str()?)?.replace('-', "_"));
    files.iter().filter_map(|file| Some((name(file)?, file.clone()))).collect()
}

/// Busybox cannot load compressed modules.
fn decompress(modules: &Path) -> Result<()> {
    let compressed: Vec<PathBuf> =
        files_below(modules)?.into_iter().filter(|file| file.extension().is_some_and(|end| end == "xz")).collect();
    if compressed.is_empty() {
        return Ok(());
    }
    let purpose =
        Purpose { what: "decompressing kernel modules", by_hand: "run `cargo xtask setup` to get xz, then try again" };
    read(Command::new("xz").args(["--decompress", "--force", "--"]).args(&compressed), purpose).map(drop)
}

/// The file called `stem` in a modules folder, or `stem-VERSION` in /boot.
fn named<'a>(files: &'a [PathBuf], stem: &str) -> Option<&'a PathBuf> {
    let in_boot = format!("{stem}-");
    let matches = |name: &str, file: &Path| {
        name == stem && file.components().any(|part| part.as_os_str() == "modules")
            || name.starts_with(&in_boot) && file.parent().is_some_and(|dir| dir.ends_with("boot"))
    };
    files.iter().find(|file| file.file_name().and_then(|name| name.to_str()).is_some_and(|name| matches(name, file)))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display())).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_in_both_layouts() {
        let old = ["t/boot/vmlinuz-5.10.0", "t/boot/config-5.10.0", "t/usr/share/doc/config"].map(PathBuf::from);
        assert_eq!(named(&old, "vmlinuz"), Some(&old[0]));
        assert_eq!(named(&old, "config"), Some(&old[1]));
        let new = ["t/usr/lib/modules/7.3/vmlinuz", "t/usr/lib/modules/7.3/config"].map(PathBuf::from);
        assert_eq!(named(&new, "vmlinuz"), Some(&new[0]));
        assert_eq!(named(&new, "config"), Some(&new[1]));
        assert_eq!(named(&new, "System.map"), None);
    }

    #[test]
    fn modules_are_indexed_by_the_name_that_depends_uses() {
        let files = ["a/lzo-rle.ko.xz", "a/zram.ko", "a/modules.order"].map(PathBuf::from);
        let index = index(&files);
        assert_eq!(index.len(), 2);
        assert_eq!(index.get("lzo_rle"), Some(&files[0]));
    }
}
