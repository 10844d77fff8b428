//! Tracing tools for guests: Debian's package with all that it needs, of which only the program and its libraries are kept.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use object::{
    Endianness,
    elf::DT_NEEDED,
    read::elf::{Dyn as _, ElfFile64},
};

use super::{Scratch, apt::AptRoot, extract, lock, table::Suite};
use crate::{arch::Arch, paths, vm::GuestFile};

/// A program of Debian's for guests.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// What it is called in a guest, and in the cache.
    pub name: &'static str,
    /// The package that has it.
    package: &'static str,
    /// Where the package has it, from the root of a file system.
    path: &'static str,
}

/// bpftrace.
pub const BPFTRACE: Tool = Tool { name: "bpftrace", package: "bpftrace", path: "usr/bin/bpftrace" };

/// One histogram of how long one function takes.
pub const FUNCLATENCY: Tool =
    Tool { name: "funclatency", package: "libbpf-tools", path: "usr/sbin/funclatency-libbpf" };

/// Where packages keep libraries, from the root of a file system.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// Who loads them: the kernel looks for it there.
const LOADER: (&str, &str) = ("ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2");

impl Tool {
    /// The files that a guest needs to run it, fetched if need be. Only for x86-64.
    ///
    /// # Errors
    /// [`Unavailable`](super::Unavailable) where apt does not have it; else when it cannot be unpacked.
    pub fn files(self, arch: Arch) -> Result<Vec<GuestFile>> {
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

    /// Where a guest finds a file of the cache.
    fn target(self, file: &str) -> String {
        match file {
            program if program == self.name => format!("/usr/bin/{program}"),
            loader if loader == LOADER.0 => LOADER.1.to_owned(),
            library => format!("/lib/x86_64-linux-gnu/{library}"),
        }
    }

    /// As with kernels, the folder appears when it is whole.
    fn fetch(self, arch: Arch, dir: &Path) -> Result<()> {
        let cache = paths::kernels();
        fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
        let _one_at_a_time = lock(&cache.join(".lock"))?;
        if dir.is_dir() {
            return Ok(());
        }
        eprintln!("fetching {} and what it needs", self.name);
        let scratch = Scratch::new(&cache, self.name)?;
        let (debs, tree, made) = (scratch.folder("debs")?, scratch.folder("tree")?, scratch.folder("made")?);
        let root = AptRoot::new(&cache.join("apt"), arch, Suite::Trixie);
        root.download_with_dependencies(self.name, self.package, &debs)?;
        extract::unpack(&debs, &tree)?;
        self.pick(&tree, &made)?;
        fs::rename(&made, dir).with_context(|| format!("cannot put {} into {}", self.name, dir.display()))
    }

    /// Copies the program, and every library that it needs or that one of those needs, under the name that is asked for.
    fn pick(self, tree: &Path, into: &Path) -> Result<()> {
        let mut open = vec![(self.name.to_owned(), tree.join(self.path))];
        let mut known = BTreeSet::new();
        while let Some((name, file)) = open.pop() {
            if !known.insert(name.clone()) {
                continue;
            }
            let bytes = fs::read(&file).with_context(|| {
                format!("the packages hold no {}; were they packaged in another way?", file.display())
            })?;
            let needs = needed(&bytes).with_context(|| format!("{} is no program or library", file.display()))?;
            open.extend(needs.into_iter().map(|name| (name.clone(), library(tree, &name))));
            let copy = into.join(&name);
            fs::copy(&file, &copy).with_context(|| format!("cannot make {}", copy.display()))?;
        }
        Ok(())
    }
}

fn library(tree: &Path, name: &str) -> PathBuf {
    tree.join(LIBRARIES).join(name)
}

/// The names of the libraries that a program or library says it needs.
fn needed(bytes: &[u8]) -> Result<Vec<String>> {
    let elf = ElfFile64::<Endianness>::parse(bytes)?;
    let (endian, sections) = (elf.endian(), elf.elf_section_table());
    let Some((entries, link)) = sections.dynamic(endian, bytes)? else { return Ok(Vec::new()) };
    let strings = sections.strings(endian, bytes, link)?;
    let of_libraries = entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED);
    of_libraries.map(|entry| Ok(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_needs_the_c_library_and_it_is_no_path() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = needed(&own).unwrap();
        assert!(needs.iter().any(|name| name.starts_with("libc.so.")), "{needs:?}");
        assert!(needs.iter().all(|name| !name.contains('/')), "{needs:?}");
        assert!(needed(b"#!/bin/sh\n").is_err());
    }

    #[test]
    fn the_loader_lies_where_the_kernel_looks_for_it() {
        assert_eq!(BPFTRACE.target("bpftrace"), "/usr/bin/bpftrace");
        assert_eq!(FUNCLATENCY.target("funclatency"), "/usr/bin/funclatency");
        assert_eq!(BPFTRACE.target("ld-linux-x86-64.so.2"), "/lib64/ld-linux-x86-64.so.2");
        assert_eq!(BPFTRACE.target("libelf.so.1"), "/lib/x86_64-linux-gnu/libelf.so.1");
    }
}
