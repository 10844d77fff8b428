//! Loading and unloading the zram module.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Result, StressError};

/// Exists as long as zram is there, as a module or built in.
pub(super) const CONTROL: &str = "/sys/class/zram-control";

/// Refuses a host without zram; changes nothing.
pub(super) fn check() -> Result<()> {
    if Path::new(CONTROL).exists() {
        return Ok(());
    }
    // Finds the module and what it depends on, inserts nothing; busybox knows no other way of asking.
    modprobe(&["-D", "zram"])
}

/// Makes sure zram is there. True when that took loading the module, which is then up to [`unload`] to undo.
pub(super) fn ensure() -> Result<bool> {
    if Path::new(CONTROL).exists() {
        return Ok(false);
    }
    // No device that comes with the module: the one to use is added, and belongs to nobody else.
    modprobe(&["zram", "num_devices=0"])?;
    if Path::new(CONTROL).exists() {
        return Ok(true);
    }
    unload();
    Err(no_zram(format!("the module is loaded, but {CONTROL} is missing")))
}

/// Removes the module again, unless somebody else has come to use it meanwhile; a failure is ignored.
pub(super) fn unload() {
    if has_devices() {
        // rmmod would take away devices that are set up but not open right now.
        return;
    }
    let outcome = tool("rmmod").arg("zram").stdin(Stdio::null()).output();
    log::debug!("rmmod zram: {outcome:?}");
}

/// A command of the system's administration: where PATH is that of a plain user, these are not on it.
fn tool(name: &str) -> Command {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    let mut command = Command::new(name);
    command.env("PATH", path);
    command
}

fn has_devices() -> bool {
    let Ok(devices) = std::fs::read_dir("/sys/block") else { return true };
    devices.flatten().any(|device| device.file_name().to_string_lossy().starts_with("zram"))
}

fn modprobe(arguments: &[&str]) -> Result<()> {
    let command = format!("modprobe {}", arguments.join(" "));
    // The output is kept: stdout of this process is the message channel of whoever reads it.
    let output = tool("modprobe").args(arguments).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(no_zram(format!("{command}: {}", first_line(&output.stderr)))),
        Err(error) => Err(no_zram(format!("{command}: {error}"))),
    }
}

fn no_zram(detail: String) -> StressError {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    StressError::NoZram { release, detail }
}

/// The first line of what a command said on its way out.
fn first_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("failed without a word").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_and_silence_is_named() {
        assert_eq!(
            first_line(b"\nmodprobe: FATAL: Module zram not found\nusage\n"),
            "modprobe: FATAL: Module zram not found"
        );
        assert_eq!(first_line(b" \n"), "failed without a word");
    }

    #[test]
    fn the_error_names_the_kernel() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert!(no_zram("why".into()).to_string().contains(release.trim()));
    }
}
