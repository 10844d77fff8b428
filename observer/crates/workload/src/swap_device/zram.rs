//! Loading and unloading the zram module.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use rustix::fs::StatVfsMountFlags;

use crate::{Result, WorkloadError};

/// Exists while zram is available, as a module or built in.
pub(super) const CONTROL: &str = "/sys/class/zram-control";

/// An error if sysfs is read-only, as in a container without privileges: then a device can be added, because that takes
/// a read, but neither used nor removed.
pub(super) fn check_sysfs() -> Result<()> {
    let sysfs = rustix::fs::statvfs("/sys").map_err(|error| WorkloadError::io("look up the mount of /sys", error))?;
    if sysfs.f_flag.contains(StatVfsMountFlags::RDONLY) { Err(WorkloadError::ReadOnlySysfs) } else { Ok(()) }
}

/// An error if this host has no zram; changes nothing.
pub(super) fn check() -> Result<()> {
    if Path::new(CONTROL).exists() {
        return Ok(());
    }
    // Lists the module and its dependencies, inserts nothing; busybox has no other option for that.
    modprobe(&["-D", "zram"])
}

/// Loads the zram module if it is not loaded. True: it was loaded here, and the caller has to [`unload`] it.
pub(super) fn load() -> Result<bool> {
    if Path::new(CONTROL).exists() {
        return Ok(false);
    }
    // No devices are created with the module: the workload adds the only one.
    modprobe(&["zram", "num_devices=0"])?;
    if Path::new(CONTROL).exists() {
        return Ok(true);
    }
    unload();
    Err(no_zram(format!("the module is loaded, but {CONTROL} is missing")))
}

/// Unloads the module, unless it is used by another process by now; a failure is ignored.
pub(super) fn unload() {
    if has_devices() {
        // rmmod would remove devices that are set up but not open at the moment.
        return;
    }
    let outcome = tool("rmmod").arg("zram").stdin(Stdio::null()).output();
    log::debug!("rmmod zram: {outcome:?}");
}

/// An administration command, which is not in a plain user's PATH.
fn tool(name: &str) -> Command {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    let mut command = Command::new(name);
    command.env("PATH", path);
    command
}

fn has_devices() -> bool {
    let Ok(devices) = std::fs::read_dir("/sys/block") else { return true };
    devices.flatten().any(|device| device.file_name().as_encoded_bytes().starts_with(b"zram"))
}

fn modprobe(arguments: &[&str]) -> Result<()> {
    let command = format!("modprobe {}", arguments.join(" "));
    // Its output is captured: standard output of this process belongs to the caller.
    let output = tool("modprobe").args(arguments).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(no_zram(format!("{command}: {}", first_line(&output.stderr)))),
        Err(error) => Err(no_zram(format!("{command}: {error}"))),
    }
}

fn no_zram(detail: String) -> WorkloadError {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    WorkloadError::NoZram { release, detail }
}

/// The first non-empty line of a command's standard error.
fn first_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("failed without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_failed_command_is_its_first_line() {
        assert_eq!(
            first_line(b"\nmodprobe: FATAL: Module zram not found\nusage\n"),
            "modprobe: FATAL: Module zram not found"
        );
        assert_eq!(first_line(b" \n"), "failed without a message");
    }

    #[test]
    fn the_error_has_the_kernel_release() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert!(no_zram("why".into()).to_string().contains(release.trim()));
    }
}
