//! Resolves `--device`, `--pid`, `--comm` and `--cgroup` on this host.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::cli::FilterArgs;
use observer_kernel::{host::mount_point, namespaces::shows_kernel_ids, swaps::device_name, tree::Tree};
use observer_observation::Swap;
use observer_probe::Filter;
use observer_text::{Name, joined};

/// A filter that matches nothing on this host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    #[error("--device: there is no swap device {name}: no swap is in use")]
    NoSwap { name: Name },
    #[error("--device: there is no swap device {name}; in use: {in_use}")]
    NoDevice { name: Name, in_use: Name },
    #[error("--device: {name} is the name of {first} and of {second}; give the path")]
    SameName { name: Name, first: Name, second: Name },
    #[error(
        "--device: the swap type of {name} is not known: {areas} swap areas are in use, and programs may not read \
         their types on this kernel"
    )]
    TypeNotKnown { name: Name, areas: usize },
    #[error("--device: {name} has the swap type {kind}, which is out of range")]
    TypeOutOfRange { name: Name, kind: u32 },
    #[error("--pid: process IDs of a container are not those of the kernel; run observer outside, or use --cgroup")]
    PidNamespace,
    #[error("--pid: there is no process {pid}")]
    NoProcess { pid: u32 },
    #[error("--pid: {pid} is a thread of process {group}; use --pid {group}")]
    Thread { pid: u32, group: u32 },
    #[error("--cgroup: cannot read /proc/mounts")]
    Mounts(#[source] io::Error),
    #[error("--cgroup: no cgroup v2 hierarchy is mounted")]
    NoCgroups,
    #[error("--cgroup: cannot open {path}")]
    Cgroup {
        path: Name,
        #[source]
        error: io::Error,
    },
    #[error("--cgroup: {path} is not a control group")]
    NotCgroup { path: Name },
}

/// The paths of the areas of `--device`, as in `swaps`.
///
/// # Errors
/// When there is none with a name.
pub(super) fn devices(args: &FilterArgs, swaps: &[Swap]) -> Result<Vec<Name>, FilterError> {
    args.device.iter().map(|name| Ok(area_named(name, swaps)?.path.clone())).collect()
}

/// The filters in the form that the programs use. `swaps`: the swap areas of this host.
///
/// # Errors
/// When a filter matches nothing.
pub(super) fn resolve(args: &FilterArgs, swaps: &[Swap], tree: &Tree) -> Result<Filter, FilterError> {
    let types = args.device.iter().try_fold(0, |types, name| Ok(types | type_mask(name, swaps)?))?;
    let pid = args.pid.map(|pid| process(pid, tree)).transpose()?;
    let cgroup = args.cgroup.as_deref().map(|path| cgroup(path, tree)).transpose()?;
    Ok(Filter {
        types: if args.device.is_empty() { u32::MAX } else { types },
        pid: pid.unwrap_or(0),
        comm: args.comm.as_ref().map_or([0; 16], comm_bytes),
        cgroup: cgroup.map(Arc::new),
    })
}

/// The filters as given, by option.
pub(super) fn by_option(args: &FilterArgs) -> BTreeMap<String, Name> {
    let given = [
        ("device", (!args.device.is_empty()).then(|| joined(&args.device, ", "))),
        ("pid", args.pid.map(|pid| pid.to_string().into())),
        ("comm", args.comm.clone()),
        ("cgroup", args.cgroup.as_ref().map(Name::from)),
    ];
    given.into_iter().filter_map(|(option, value)| Some((option.to_owned(), value?))).collect()
}

/// A task's name in the kernel: at most 15 bytes, zero-padded.
pub(super) fn comm_bytes(comm: &Name) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (target, byte) in bytes.iter_mut().zip(comm.as_bytes().iter().copied().take(15)) {
        *target = byte;
    }
    bytes
}

/// The bit of a device's swap type. All bits if the type is not known and there is no other device.
fn type_mask(name: &Name, swaps: &[Swap]) -> Result<u32, FilterError> {
    let swap = area_named(name, swaps)?;
    let name = name.clone();
    match swap.kind_seen {
        false if swaps.len() > 1 => Err(FilterError::TypeNotKnown { name, areas: swaps.len() }),
        false => Ok(u32::MAX),
        true => 1u32.checked_shl(swap.kind).ok_or(FilterError::TypeOutOfRange { name, kind: swap.kind }),
    }
}

/// The area with this path, or the only one with this name.
fn area_named<'a>(name: &Name, swaps: &'a [Swap]) -> Result<&'a Swap, FilterError> {
    let found = match swaps.iter().find(|swap| swap.path == *name) {
        Some(swap) => Some(swap),
        None => only_one_named(name, swaps)?,
    };
    found.ok_or_else(|| match swaps {
        [] => FilterError::NoSwap { name: name.clone() },
        _ => FilterError::NoDevice { name: name.clone(), in_use: joined(swaps.iter().map(|swap| &swap.path), ", ") },
    })
}

/// The swap area with this name, or with the name of this path in /dev: swap that was switched on in another mount
/// namespace is listed with another path.
fn only_one_named<'a>(given: &Name, swaps: &'a [Swap]) -> Result<Option<&'a Swap>, FilterError> {
    let name = given.without_prefix("/dev/");
    let mut named = swaps.iter().filter(|swap| device_name(&swap.path) == name);
    match (named.next(), named.next()) {
        (Some(first), Some(second)) => {
            let (first, second) = (first.path.clone(), second.path.clone());
            Err(FilterError::SameName { name: given.clone(), first, second })
        }
        (found, _) => Ok(found),
    }
}

/// `pid`, if it is a process.
fn process(pid: u32, tree: &Tree) -> Result<u32, FilterError> {
    if !shows_kernel_ids(tree) {
        return Err(FilterError::PidNamespace);
    }
    let status = tree.read(format!("/proc/{pid}/status")).map_err(|_| FilterError::NoProcess { pid })?;
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:")).and_then(|group| group.trim().parse().ok());
    match group {
        Some(group) if group != pid => Err(FilterError::Thread { pid, group }),
        _ => Ok(pid),
    }
}

fn cgroup(path: &Path, tree: &Tree) -> Result<OwnedFd, FilterError> {
    let mounts = tree.bytes("/proc/mounts").map_err(FilterError::Mounts)?;
    let root = mount_point(&mounts, "cgroup2").ok_or(FilterError::NoCgroups)?;
    let path = absolute(root.as_path(), path);
    let open = |path: &Path| {
        let file = File::open(tree.path(path))?;
        let is_directory = file.metadata()?.is_dir();
        Ok((file, is_directory))
    };
    match open(&path) {
        Ok((file, true)) => Ok(file.into()),
        Ok((_, false)) => Err(FilterError::NotCgroup { path: Name::from(&path) }),
        Err(error) => Err(FilterError::Cgroup { path: Name::from(&path), error }),
    }
}

/// The path of a control group that was given as a path, or as in `/proc/PID/cgroup`.
fn absolute(root: &Path, given: &Path) -> PathBuf {
    if given.starts_with(root) { given.to_owned() } else { root.join(given.strip_prefix("/").unwrap_or(given)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_kernel::fixtures::TempTree;

    fn swap(path: &str, kind: u32, kind_seen: bool) -> Swap {
        Swap { kind, kind_seen, path: path.into(), ..Swap::default() }
    }

    #[test]
    fn a_device_is_found_by_name_or_path_and_gives_its_type() {
        let swaps = [swap("/dev/sda2", 1, true), swap("/dev/zram0", 3, true), swap("/var/swap file", 31, true)];
        assert_eq!(type_mask(&"zram0".into(), &swaps).unwrap(), 1 << 3);
        assert_eq!(type_mask(&"/dev/sda2".into(), &swaps).unwrap(), 1 << 1);
        assert_eq!(type_mask(&"swap file".into(), &swaps).unwrap(), 1 << 31);
        let error = type_mask(&"zram1".into(), &swaps).unwrap_err().to_string();
        assert!(error.contains("/dev/sda2, /dev/zram0, /var/swap file"), "{error}");
        assert!(matches!(type_mask(&"zram0".into(), &[]), Err(FilterError::NoSwap { .. })));
        assert!(matches!(type_mask(&"dev".into(), &swaps), Err(FilterError::NoDevice { .. })));
    }

    #[test]
    fn a_device_of_another_mount_namespace_is_found_by_its_name_in_dev() {
        let swaps = [swap("/zram0", 2, true), swap("/dev/zram1 (deleted)", 3, true), swap("/a/sw", 4, true)];
        for (name, kind) in [("zram0", 2), ("/dev/zram0", 2), ("/zram0", 2), ("zram1", 3), ("/dev/zram1", 3)] {
            assert_eq!(type_mask(&name.into(), &swaps).unwrap(), 1 << kind, "{name}");
        }
        assert!(type_mask(&"/b/sw".into(), &swaps).is_err(), "another file");
        let two = [swap("/zram0", 0, true), swap("/a/zram0", 1, true)];
        assert!(matches!(type_mask(&"zram0".into(), &two), Err(FilterError::SameName { .. })));
        assert_eq!(type_mask(&"/a/zram0".into(), &two).unwrap(), 2);
    }

    #[test]
    fn a_type_that_is_not_known_does_not_select_one_of_several_devices() {
        assert_eq!(type_mask(&"zram0".into(), &[swap("/dev/zram0", 0, false)]).unwrap(), u32::MAX, "there is no other");
        let two = [swap("/dev/a", 0, false), swap("/dev/b", 1, false)];
        assert!(matches!(type_mask(&"b".into(), &two), Err(FilterError::TypeNotKnown { areas: 2, .. })));
    }

    #[test]
    fn a_pid_must_be_a_process_and_not_a_thread() {
        let tree = TempTree::new()
            .link("/proc/self/ns/pid", "pid:[4026531836]")
            .file("/proc/7/status", "Name:\tx\nTgid:\t7\nPid:\t7\n")
            .file("/proc/8/status", "Name:\tx\nTgid:\t7\nPid:\t8\n");
        assert_eq!(process(7, &Tree::at(tree.root())).unwrap(), 7);
        assert!(matches!(process(8, &Tree::at(tree.root())), Err(FilterError::Thread { pid: 8, group: 7 })));
        assert!(matches!(process(9, &Tree::at(tree.root())), Err(FilterError::NoProcess { pid: 9 })));
        let inside = TempTree::new()
            .link("/proc/self/ns/pid", "pid:[4026532000]")
            .file("/proc/7/status", "Name:\tx\nTgid:\t7\nPid:\t7\n");
        assert!(matches!(process(7, &Tree::at(inside.root())), Err(FilterError::PidNamespace)));
        let foreign = TempTree::new().file("/proc/7/status", "Name:\tx\nTgid:\t7\nPid:\t7\n");
        let refused = process(7, &Tree::at(foreign.root()));
        assert!(matches!(refused, Err(FilterError::PidNamespace)), "/proc of another namespace");
    }

    #[test]
    fn a_control_group_is_given_by_path_or_as_in_proc() {
        let root = Path::new("/sys/fs/cgroup");
        for given in ["/sys/fs/cgroup/a/b", "/a/b", "a/b"] {
            assert_eq!(absolute(root, Path::new(given)), Path::new("/sys/fs/cgroup/a/b"), "{given}");
        }
        let tree = TempTree::new()
            .file("/proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
            .file("/sys/fs/cgroup/a/cgroup.procs", "");
        let open = |path: &str| cgroup(Path::new(path), &Tree::at(tree.root()));
        assert!(open("/a").is_ok());
        assert!(open("/b").unwrap_err().to_string().contains("/sys/fs/cgroup/b"));
        assert!(matches!(open("/a/cgroup.procs"), Err(FilterError::NotCgroup { .. })));
        let old = TempTree::new().file("/proc/mounts", "cgroup /sys/fs/cgroup cgroup rw 0 0\n");
        assert!(matches!(cgroup(Path::new("/a"), &Tree::at(old.root())), Err(FilterError::NoCgroups)));
    }

    #[test]
    fn names_of_any_bytes_do_not_disturb_filters() {
        let tree = TempTree::new()
            .file("/proc/mounts", b"x /mnt/\xff\xfe\x1b ext4 rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
            .file("/sys/fs/cgroup/cgroup.procs", "")
            .link("/proc/self/ns/pid", "pid:[4026531836]")
            .file("/proc/7/status", b"Name:\ta\xff\nTgid:\t7\nPid:\t7\n");
        let tree = Tree::at(tree.root());
        assert!(cgroup(Path::new("/"), &tree).is_ok());
        assert_eq!(process(7, &tree).unwrap(), 7);
        let missing = cgroup(Path::new("/a\u{1b}]\n"), &tree).unwrap_err().to_string();
        assert!(missing.ends_with(r"/sys/fs/cgroup/a\x1b]\x0a"), "{missing}");
        let swaps = [swap("/dev/a\u{1b}", 1, true), swap("/b", 2, true)];
        assert_eq!(type_mask(&"a\u{1b}".into(), &swaps).unwrap(), 1 << 1);
        let unknown = type_mask(&"x\n".into(), &swaps).unwrap_err().to_string();
        assert!(unknown.ends_with(r"no swap device x\x0a; in use: /dev/a\x1b, /b"), "{unknown}");
    }

    #[test]
    fn filters_are_listed_by_option() {
        let args = FilterArgs { device: vec!["a".into(), "b".into()], pid: Some(3), ..FilterArgs::default() };
        let filters = by_option(&args);
        assert_eq!(filters.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["device=a, b", "pid=3"]);
    }
}
