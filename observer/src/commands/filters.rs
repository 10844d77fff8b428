//! What `--device`, `--pid`, `--comm` and `--cgroup` ask for, in the terms of the programs.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::comm_bytes;
use crate::cli::FilterArgs;
use observer_kernel::{host::mount_point, tree::Tree};
use observer_observation::Swap;
use observer_probe::Only;

/// A filter that fits nothing on this host: wrong usage.
#[derive(Debug, thiserror::Error)]
#[error("{option}: {reason}")]
pub(crate) struct FilterError {
    option: &'static str,
    reason: String,
}

/// The filters, resolved on this host; `swaps` are its swap areas.
///
/// # Errors
/// [`FilterError`]: one of them fits nothing.
pub(crate) fn resolve(args: &FilterArgs, swaps: &[Swap], tree: &Tree) -> Result<Only, FilterError> {
    let wrong = |option| move |reason| FilterError { option, reason };
    let types = args.device.iter().try_fold(0, |types, name| Ok(types | type_of(name, swaps)?));
    let pid = args.pid.map(|pid| process(pid, tree).map_err(wrong("--pid"))).transpose()?;
    let cgroup = args.cgroup.as_deref().map(|path| cgroup(path, tree).map_err(wrong("--cgroup"))).transpose()?;
    Ok(Only {
        types: if args.device.is_empty() { u32::MAX } else { types.map_err(wrong("--device"))? },
        pid: pid.unwrap_or(0),
        comm: comm_bytes(args.comm.as_deref()),
        cgroup: cgroup.map(Arc::new),
    })
}

/// The filters as every output names them.
pub(crate) fn named(args: &FilterArgs) -> BTreeMap<String, String> {
    let given = [
        ("device", (!args.device.is_empty()).then(|| args.device.join(", "))),
        ("pid", args.pid.map(|pid| pid.to_string())),
        ("comm", args.comm.clone()),
        ("cgroup", args.cgroup.as_ref().map(|path| path.display().to_string())),
    ];
    given.into_iter().filter_map(|(option, value)| Some((option.to_owned(), value?))).collect()
}

/// The bit of the type that a swap device's entries have.
fn type_of(name: &str, swaps: &[Swap]) -> Result<u32, String> {
    let found = swaps.iter().find(|swap| swap.path == name || swap.path.rsplit('/').next() == Some(name));
    match found {
        // Of two areas one alone may be asked for; which type it has must then be known for sure.
        Some(swap) if !swap.kind_seen && swaps.len() > 1 => Err(format!(
            "this kernel does not show which entries are {name}'s: it has {} swap areas, and programs may not look at them",
            swaps.len()
        )),
        Some(swap) if !swap.kind_seen => Ok(u32::MAX),
        Some(swap) => {
            1u32.checked_shl(swap.kind).ok_or_else(|| format!("{name} has the impossible type {}", swap.kind))
        }
        None if swaps.is_empty() => Err(format!("no swap device {name}: none is in use")),
        None => {
            let known: Vec<_> = swaps.iter().map(|swap| swap.path.as_str()).collect();
            Err(format!("no swap device {name}; in use: {}", known.join(", ")))
        }
    }
}

/// The inode of the pid namespace that the kernel boots with (`PROC_PID_INIT_INO`).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// A process that there is.
fn process(pid: u32, tree: &Tree) -> Result<u32, String> {
    if tree.link("/proc/self/ns/pid").is_some_and(|namespace| namespace != FIRST_PID_NAMESPACE) {
        return Err(
            "process numbers of a container mean nothing to the kernel: run this outside, or use --cgroup".to_owned()
        );
    }
    let Ok(status) = tree.read(format!("/proc/{pid}/status")) else {
        return Err(format!("there is no process {pid}"));
    };
    match status.lines().find_map(|line| line.strip_prefix("Tgid:")).map(str::trim) {
        Some(group) if group != pid.to_string() => {
            Err(format!("{pid} is a thread of process {group}: give --pid {group}"))
        }
        _ => Ok(pid),
    }
}

/// The directory of a control group.
fn cgroup(path: &Path, tree: &Tree) -> Result<OwnedFd, String> {
    let mounts = tree.read("/proc/mounts").map_err(|error| format!("cannot read /proc/mounts: {error}"))?;
    let Some(root) = mount_point(&mounts, "cgroup2") else {
        return Err("no control groups of version 2 are mounted here".to_owned());
    };
    let directory = below(Path::new(&root), path);
    let told = |error: io::Error| format!("{}: {error}", directory.display());
    let opened = File::open(tree.path(&directory)).map_err(told)?;
    if opened.metadata().map_err(told)?.is_dir() {
        Ok(opened.into())
    } else {
        Err(format!("{} is not a control group", directory.display()))
    }
}

/// Where a control group lies that was given as a path, or as `/proc/PID/cgroup` shows it.
fn below(root: &Path, given: &Path) -> PathBuf {
    if given.starts_with(root) { given.to_owned() } else { root.join(given.strip_prefix("/").unwrap_or(given)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_kernel::fixtures::TempTree;

    fn swap(path: &str, kind: u32, kind_seen: bool) -> Swap {
        Swap { kind, kind_seen, path: path.to_owned(), ..Swap::default() }
    }

    #[test]
    fn a_device_is_found_by_name_or_path_and_gives_its_type() {
        let swaps = [swap("/dev/sda2", 1, true), swap("/dev/zram0", 3, true), swap("/var/swap file", 31, true)];
        assert_eq!(type_of("zram0", &swaps), Ok(1 << 3));
        assert_eq!(type_of("/dev/sda2", &swaps), Ok(1 << 1));
        assert_eq!(type_of("swap file", &swaps), Ok(1 << 31));
        let wrong = type_of("zram1", &swaps).unwrap_err();
        assert!(wrong.contains("/dev/sda2, /dev/zram0, /var/swap file"), "{wrong}");
        assert!(type_of("zram0", &[]).unwrap_err().contains("none is in use"));
        assert!(type_of("dev", &swaps).is_err());
    }

    #[test]
    fn a_type_that_is_only_guessed_does_not_choose_between_devices() {
        assert_eq!(type_of("zram0", &[swap("/dev/zram0", 0, false)]), Ok(u32::MAX), "there is no other");
        assert!(type_of("b", &[swap("/dev/a", 0, false), swap("/dev/b", 1, false)]).is_err());
    }

    #[test]
    fn a_process_must_exist_and_be_no_thread() {
        let tree = TempTree::new()
            .file("/proc/7/status", "Name:\tx\nTgid:\t7\nPid:\t7\n")
            .file("/proc/8/status", "Name:\tx\nTgid:\t7\nPid:\t8\n");
        assert_eq!(process(7, &Tree::at(tree.root())), Ok(7));
        assert!(process(8, &Tree::at(tree.root())).unwrap_err().contains("--pid 7"));
        assert!(process(9, &Tree::at(tree.root())).unwrap_err().contains("no process 9"));
        let inside = tree.link("/proc/self/ns/pid", "pid:[4026532000]");
        assert!(process(7, &Tree::at(inside.root())).unwrap_err().contains("container"));
    }

    #[test]
    fn a_control_group_is_given_either_way() {
        let root = Path::new("/sys/fs/cgroup");
        for given in ["/sys/fs/cgroup/a/b", "/a/b", "a/b"] {
            assert_eq!(below(root, Path::new(given)), Path::new("/sys/fs/cgroup/a/b"), "{given}");
        }
        let tree = TempTree::new()
            .file("/proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
            .file("/sys/fs/cgroup/a/cgroup.procs", "");
        assert!(cgroup(Path::new("/a"), &Tree::at(tree.root())).is_ok());
        assert!(cgroup(Path::new("/b"), &Tree::at(tree.root())).unwrap_err().contains("/sys/fs/cgroup/b"));
        assert!(
            cgroup(Path::new("/a/cgroup.procs"), &Tree::at(tree.root())).unwrap_err().contains("not a control group")
        );
        let old = TempTree::new().file("/proc/mounts", "cgroup /sys/fs/cgroup cgroup rw 0 0\n");
        assert!(cgroup(Path::new("/a"), &Tree::at(old.root())).unwrap_err().contains("version 2"));
    }

    #[test]
    fn what_was_asked_for_is_told() {
        let args = FilterArgs { device: vec!["a".into(), "b".into()], pid: Some(3), ..FilterArgs::default() };
        let named = named(&args);
        assert_eq!(named.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["device=a, b", "pid=3"]);
    }
}
