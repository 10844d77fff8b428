//! Takes the few files that a guest needs out of kernel packages.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::select::{module_name, wanted};
use crate::{
    process::{self, Purpose},
    vm::modinfo::ModInfo,
};

/// Unpacks every package in `debs` into `tree`.
pub(super) fn unpack(debs: &Path, tree: &Path) -> Result<()> {
    let packages: Vec<PathBuf> =
        files_below(debs)?.into_iter().filter(|file| file.extension().is_some_and(|end| end == "deb")).collect();
    if packages.is_empty() {
        bail!("apt downloaded no package into {}; try again, and look there if it stays so", debs.display());
    }
    for package in packages {
        let purpose = Purpose { what: "unpacking a kernel package", by_hand: "check the free space, then try again" };
        process::read(Command::new("dpkg-deb").arg("-x").arg(&package).arg(tree), purpose)?;
    }
    Ok(())
}

/// Fills `kernel` with vmlinuz, config and modules/ from an unpacked `tree`.
pub(super) fn pick(tree: &Path, kernel: &Path) -> Result<()> {
    let files = files_below(tree)?;
    let image =
        named(&files, "vmlinuz").context("the packages hold no vmlinuz; was the kernel packaged in another way?")?;
    let config = named(&files, "config")
        .context("the packages hold no kernel config; was the kernel packaged in another way?")?;
    let modules = kernel.join("modules");
    fs::create_dir_all(&modules).with_context(|| format!("cannot make {}", modules.display()))?;
    copy(image, &kernel.join("vmlinuz"))?;
    copy(config, &kernel.join("config"))?;
    pick_modules(&files, &modules)
}

/// Copies the wanted modules and, round by round, what they depend on.
fn pick_modules(files: &[PathBuf], into: &Path) -> Result<()> {
    let available = index(files);
    let mut round: Vec<String> = available.keys().filter(|name| wanted(name)).cloned().collect();
    while !round.is_empty() {
        for name in &round {
            if let Some(file) = available.get(name) {
                copy(file, &into.join(file.file_name().unwrap_or_default()))?;
            }
        }
        decompress(into)?;
        let have = index(&files_below(into)?);
        let mut next = Vec::new();
        for file in have.values() {
            let needs = ModInfo::read(file)?.depends;
            next.extend(needs.into_iter().filter(|need| !have.contains_key(need) && available.contains_key(need)));
        }
        next.sort();
        next.dedup();
        round = next;
    }
    Ok(())
}

/// Module files by name, with the underscores that `depends=` uses.
fn index(files: &[PathBuf]) -> HashMap<String, PathBuf> {
    let name = |file: &PathBuf| Some(module_name(file.file_name()?.to_str()?)?.0.replace('-', "_"));
    files.iter().filter_map(|file| Some((name(file)?, file.clone()))).collect()
}

/// Busybox cannot load compressed modules, and a guest has no time to unpack them.
fn decompress(modules: &Path) -> Result<()> {
    let compressed: Vec<PathBuf> =
        files_below(modules)?.into_iter().filter(|file| file.extension().is_some_and(|end| end == "xz")).collect();
    if compressed.is_empty() {
        return Ok(());
    }
    let purpose =
        Purpose { what: "decompressing kernel modules", by_hand: "run `cargo xtask setup` to get xz, then try again" };
    process::read(Command::new("xz").args(["--decompress", "--force", "--"]).args(&compressed), purpose).map(drop)
}

/// The file called `stem`, or `stem-VERSION` as in /boot.
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

/// All plain files below `dir`; links are not followed, because a package's link may lead out of it.
fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let entry = entry.with_context(|| format!("cannot read {}", dir.display()))?;
            let kind = entry.file_type().with_context(|| format!("cannot read {}", entry.path().display()))?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
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
