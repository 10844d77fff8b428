//! bpftrace for guests: Debian's package with all that it needs, of which only its program and its libraries are kept.

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

/// The program in the package, and in the cache.
const PROGRAM: &str = "bpftrace";
/// Where packages keep libraries, from the root of a file system.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// Who loads them: the kernel looks for it there.
const LOADER: (&str, &str) = ("ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2");

/// The files that a guest needs to run it, fetched if need be. Only for x86-64.
///
/// # Errors
/// [`Unavailable`](super::Unavailable) where apt does not have it; else when it cannot be unpacked.
pub fn files(arch: Arch) -> Result<Vec<GuestFile>> {
    let dir = paths::kernels().join("bpftrace");
    if !dir.is_dir() {
        fetch(arch, &dir)?;
    }
    let mut names: Vec<String> = fs::read_dir(&dir)
        .with_context(|| format!("cannot read {}", dir.display()))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names.into_iter().map(|name| GuestFile { source: dir.join(&name), target: target(&name) }).collect())
}

/// Where a guest finds a file of the cache.
fn target(name: &str) -> String {
    match name {
        PROGRAM => format!("/usr/bin/{PROGRAM}"),
        name if name == LOADER.0 => LOADER.1.to_owned(),
        library => format!("/lib/x86_64-linux-gnu/{library}"),
    }
}

/// As with kernels, the folder appears when it is whole.
fn fetch(arch: Arch, dir: &Path) -> Result<()> {
    let cache = paths::kernels();
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let _one_at_a_time = lock(&cache.join(".lock"))?;
    if dir.is_dir() {
        return Ok(());
    }
    eprintln!("fetching bpftrace and what it needs");
    let scratch = Scratch::new(&cache, PROGRAM)?;
    let (debs, tree, made) = (scratch.folder("debs")?, scratch.folder("tree")?, scratch.folder("made")?);
    AptRoot::new(&cache.join("apt"), arch, Suite::Trixie).download_with_dependencies(PROGRAM, PROGRAM, &debs)?;
    extract::unpack(&debs, &tree)?;
    pick(&tree, &made)?;
    fs::rename(&made, dir).with_context(|| format!("cannot put bpftrace into {}", dir.display()))
}

/// Copies the program, and every library that it needs or that one of those needs, under the name that is asked for.
fn pick(tree: &Path, into: &Path) -> Result<()> {
    let mut open = vec![(PROGRAM.to_owned(), tree.join("usr/bin").join(PROGRAM))];
    let mut known = BTreeSet::new();
    while let Some((name, file)) = open.pop() {
        if !known.insert(name.clone()) {
            continue;
        }
        let bytes = fs::read(&file)
            .with_context(|| format!("the packages hold no {}; were they packaged in another way?", file.display()))?;
        let needs = needed(&bytes).with_context(|| format!("{} is no program or library", file.display()))?;
        open.extend(needs.into_iter().map(|name| (name.clone(), library(tree, &name))));
        let copy = into.join(&name);
        fs::copy(&file, &copy).with_context(|| format!("cannot make {}", copy.display()))?;
    }
    Ok(())
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
    let of_libraries = entries.iter().filter(|entry| entry.tag32(endian) == Some(DT_NEEDED));
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
        assert_eq!(target("bpftrace"), "/usr/bin/bpftrace");
        assert_eq!(target("ld-linux-x86-64.so.2"), "/lib64/ld-linux-x86-64.so.2");
        assert_eq!(target("libelf.so.1"), "/lib/x86_64-linux-gnu/libelf.so.1");
    }
}
