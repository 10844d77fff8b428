//! The files of one run, under the target folder. Console logs are kept for a while, the others are removed with the
//! run.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result};

use crate::paths;

const LOGS_KEPT: usize = 50;

/// Paths of the files of one run.
#[derive(Debug)]
pub(super) struct Scratch {
    /// The root file system.
    pub(super) initrd: PathBuf,
    /// The disk that returns /out; made by [`make_disk`](Self::make_disk).
    pub(super) disk: PathBuf,
    /// The console log.
    pub(super) log: PathBuf,
}

impl Scratch {
    pub(super) fn new(release: &str) -> Result<Self> {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let run = format!("{release}-{}-{}", process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let (files, logs) = (paths::guests().join("runs"), paths::guests().join("logs"));
        for dir in [&files, &logs] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        sweep(&files);
        prune(&logs);
        let file = |end| files.join(format!("{run}.{end}"));
        Ok(Self { initrd: file("cpio"), disk: file("out"), log: logs.join(format!("{run}.log")) })
    }

    /// Makes the disk, large enough for everything that fits into a guest of `mem` MiB. The file is sparse.
    pub(super) fn make_disk(&self, mem: u32) -> Result<&Path> {
        let bytes = (u64::from(mem) + 64) << 20;
        let make = || File::create(&self.disk)?.set_len(bytes);
        make().with_context(|| format!("cannot make {}, the guest's disk", self.disk.display()))?;
        Ok(&self.disk)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that cannot be removed now is removed by a later run.
        for file in [&self.initrd, &self.disk] {
            let _ = fs::remove_file(file);
        }
    }
}

/// Removes the files of runs that were killed.
fn sweep(files: &Path) {
    let Ok(entries) = fs::read_dir(files) else { return };
    for file in entries.flatten().map(|entry| entry.path()) {
        let process = file.file_name().and_then(|name| process_of(name.to_str()?));
        if process.is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists()) {
            let _ = fs::remove_file(file);
        }
    }
}

/// The process id in `RELEASE-PROCESS-NUMBER.END`.
fn process_of(name: &str) -> Option<u32> {
    let (run, _) = name.rsplit_once('.')?;
    run.rsplit('-').nth(1)?.parse().ok()
}

/// Removes the oldest logs beyond [`LOGS_KEPT`]. Errors are ignored: they do not affect the guest.
fn prune(logs: &Path) {
    let Ok(entries) = fs::read_dir(logs) else { return };
    let dated = entries.flatten().filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
    let mut files: Vec<_> = dated.collect();
    files.sort();
    for (_, file) in files.iter().rev().skip(LOGS_KEPT) {
        let _ = fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_contain_the_process_id() {
        assert_eq!(process_of("5.10.223-4711-0.cpio"), Some(4711));
        assert_eq!(process_of("6.1-rc1-4711-12.out"), Some(4711));
        assert_eq!(process_of("other"), None);
    }
}
