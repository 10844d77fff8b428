//! The static busybox of a guest: this machine's own, or the package of another processor family.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use object::{Object as _, read::elf::ElfFile64};

use crate::{
    arch::Arch,
    debian::{self, AptRoot, Suite, Workspace},
    paths,
};

/// The installed busybox, if it is static: an initramfs has no libraries.
pub(crate) fn installed() -> Option<PathBuf> {
    let known = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from);
    known.into_iter().chain(paths::find_program("busybox")).find(|file| is_static(file))
}

/// The busybox of another family, downloaded if it is not in the cache.
pub(super) fn fetched(arch: Arch) -> Result<PathBuf> {
    let cache = paths::kernels().join(arch.debian());
    let file = cache.join("busybox");
    let _lock = debian::lock(&cache)?;
    if file.is_file() {
        return Ok(file);
    }
    let what = format!("busybox-static for {arch}");
    eprintln!("fetching {what}");
    let work = Workspace::new(&cache)?;
    let (packages, tree) = (work.folder("packages")?, work.folder("tree")?);
    let apt = AptRoot::new(&cache.join("apt"), arch, Suite::Trixie);
    apt.download(&what, "busybox-static", &packages)?;
    debian::unpack(&packages, &tree)?;
    let found = ["usr/bin/busybox", "bin/busybox"].map(|name| tree.join(name)).into_iter().find(|file| file.is_file());
    let found = found.context("the package busybox-static has no busybox; has the packaging changed?")?;
    fs::rename(&found, &file).with_context(|| format!("cannot move busybox to {}", file.display()))?;
    Ok(file)
}

fn is_static(file: &Path) -> bool {
    use object::read::elf::ProgramHeader as _;
    let Ok(bytes) = fs::read(file) else { return false };
    let Ok(elf) = ElfFile64::<object::Endianness>::parse(bytes.as_slice()) else { return false };
    let endian = elf.endianness();
    !elf.elf_program_headers().iter().any(|header| header.p_type(endian) == object::elf::PT_INTERP) && elf.entry() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_not_a_static_program() {
        assert!(!is_static(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/vm/init.sh"))));
        assert!(!is_static(Path::new("/nonexistent")));
    }
}
