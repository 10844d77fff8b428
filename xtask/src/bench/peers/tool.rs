//! Tracing tools for guests: Debian packages, of which the program and its libraries are kept.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use object::{
    Endianness,
    elf::DT_NEEDED,
    read::elf::{Dyn as _, ElfFile64},
};

use crate::{
    arch::Arch,
    debian::{self, AptRoot, Suite, Workspace},
    paths,
    vm::GuestFile,
};

#[derive(Clone, Copy, Debug)]
pub(super) struct Tool {
    /// Name in guests and in the cache.
    pub(super) name: &'static str,
    package: &'static str,
    /// Path in the package.
    path: &'static str,
}

pub(super) const BPFTRACE: Tool = Tool { name: "bpftrace", package: "bpftrace", path: "usr/bin/bpftrace" };

pub(super) const FUNCLATENCY: Tool =
    Tool { name: "funclatency", package: "libbpf-tools", path: "usr/sbin/funclatency-libbpf" };

/// Path of libraries in packages.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// Name and path of the dynamic loader.
const LOADER: (&str, &str) = ("ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2");

impl Tool {
    /// The files that a guest needs to run it, fetched if necessary. Only for x86-64.
    ///
    /// # Errors
    /// [`Unavailable`](debian::Unavailable) if apt cannot download it; others if it cannot be unpacked.
    pub(super) fn files(self, arch: Arch) -> Result<Vec<GuestFile>> {
        let dir = paths::kernels().join(self.name);
        if !dir.is_dir() {
            self.fetch(arch, &dir)?;
        }
        let mut names: Vec<String> = fs::read_dir(&dir)
            .with_context(|| format!("cannot read {}", dir.display()))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names.into_iter().map(|name| GuestFile { source: dir.join(&name), target: self.target(&name) }).collect())
    }

    /// Path in the guest of a file in the cache.
    fn target(self, file: &str) -> String {
        match file {
            program if program == self.name => format!("/usr/bin/{program}"),
            loader if loader == LOADER.0 => LOADER.1.to_owned(),
            library => format!("/lib/x86_64-linux-gnu/{library}"),
        }
    }

    /// Fetches into a work folder and renames it at the end, so the cache never has an incomplete tool.
    fn fetch(self, arch: Arch, dir: &Path) -> Result<()> {
        let cache = paths::kernels();
        let _lock = debian::lock(&cache)?;
        if dir.is_dir() {
            return Ok(());
        }
        eprintln!("fetching {} and its libraries", self.name);
        let work = Workspace::new(&cache)?;
        let (packages, tree, complete) = (work.folder("packages")?, work.folder("tree")?, work.folder("tool")?);
        let root = AptRoot::new(&cache.join("apt"), arch, Suite::Trixie);
        root.download_with_dependencies(self.name, self.package, &packages)?;
        debian::unpack(&packages, &tree)?;
        self.pick(&tree, &complete)?;
        fs::rename(&complete, dir).with_context(|| format!("cannot move {} to {}", self.name, dir.display()))
    }

    /// Copies the program and, transitively, its libraries, under the names by which they are loaded.
    fn pick(self, tree: &Path, into: &Path) -> Result<()> {
        let mut remaining = vec![(self.name.to_owned(), tree.join(self.path))];
        let mut copied = BTreeSet::new();
        while let Some((name, file)) = remaining.pop() {
            if !copied.insert(name.clone()) {
                continue;
            }
            let bytes = fs::read(&file)
                .with_context(|| format!("the packages have no {}; has the packaging changed?", file.display()))?;
            let libraries =
                needed(&bytes).with_context(|| format!("{} is not a program or library", file.display()))?;
            remaining.extend(libraries.into_iter().map(|name| (name.clone(), library(tree, &name))));
            let copy = into.join(&name);
            fs::copy(&file, &copy).with_context(|| format!("cannot make {}", copy.display()))?;
        }
        Ok(())
    }
}

fn library(tree: &Path, name: &str) -> PathBuf {
    tree.join(LIBRARIES).join(name)
}

/// The `DT_NEEDED` entries of a program or library.
fn needed(bytes: &[u8]) -> Result<Vec<String>> {
    let elf = ElfFile64::<Endianness>::parse(bytes)?;
    let (endian, sections) = (elf.endian(), elf.elf_section_table());
    let Some((entries, link)) = sections.dynamic(endian, bytes)? else { return Ok(Vec::new()) };
    let strings = sections.strings(endian, bytes, link)?;
    let libraries = entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED);
    libraries.map(|entry| Ok(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_of_this_test_are_found_by_name() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        let libraries = needed(&own).unwrap();
        assert!(libraries.iter().any(|name| name.starts_with("libc.so.")), "{libraries:?}");
        assert!(libraries.iter().all(|name| !name.contains('/')), "{libraries:?}");
        assert!(needed(b"#!/bin/sh\n").is_err());
    }

    #[test]
    fn the_loader_is_where_the_kernel_expects_it() {
        assert_eq!(BPFTRACE.target("bpftrace"), "/usr/bin/bpftrace");
        assert_eq!(FUNCLATENCY.target("funclatency"), "/usr/bin/funclatency");
        assert_eq!(BPFTRACE.target("ld-linux-x86-64.so.2"), "/lib64/ld-linux-x86-64.so.2");
        assert_eq!(BPFTRACE.target("libelf.so.1"), "/lib/x86_64-linux-gnu/libelf.so.1");
    }
}
