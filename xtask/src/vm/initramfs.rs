//! Builds the root file system of a guest: busybox, modules, requested files and `/init`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use super::{busybox, file::GuestFile, modules::ModuleSet, newc::Archive, quote, terminal::Window};
use crate::{
    arch::Arch,
    kernels::Kernel,
    process::{self, Purpose},
};

const INIT: &str = include_str!("init.sh");

#[derive(Debug)]
pub(super) struct Contents<'a> {
    /// Its modules are packed.
    pub(super) kernel: &'a Kernel,
    pub(super) files: &'a [GuestFile],
    /// Becomes /bin/observer.
    pub(super) observer: Option<&'a Path>,
    pub(super) command: &'a [String],
    /// Size of the terminal that the command gets, if it gets one.
    pub(super) window: Option<&'a Window>,
    /// Whether /out is copied back.
    pub(super) out: bool,
}

/// The archive is not compressed: in an emulated guest unpacking costs more than reading.
pub(super) fn build(contents: &Contents<'_>) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "etc", "out", "proc", "root", "sbin", "sys", "tmp", "usr/bin", "usr/sbin", "var/tmp"] {
        archive.folder(folder);
    }
    // The kernel opens it for process 1 before devtmpfs is mounted.
    archive.character_device("dev/console", 5, 1);
    archive.file("init", 0o755, INIT.as_bytes());
    archive.file("etc/guest", 0o644, settings(contents.kernel.arch, contents.window, contents.out).as_bytes());
    archive.file("etc/command", 0o644, format!("exec {}\n", quote::line(contents.command)).as_bytes());
    archive.file("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n");
    archive.file("etc/group", 0o644, b"root:x:0:\n");
    match contents.kernel.arch {
        Arch::X86_64 => add_busybox(&mut archive)?,
        // It does not run on this machine, so /init makes the links to its commands.
        other @ Arch::Arm64 => add_file(&mut archive, &busybox::fetched(other)?, "bin/busybox")?,
    }
    add_modules(&mut archive, contents.kernel)?;
    if let Some(observer) = contents.observer {
        add_file(&mut archive, observer, "bin/observer")?;
    }
    for file in contents.files {
        add_file(&mut archive, &file.source, file.target.trim_start_matches('/'))?;
    }
    Ok(archive.finish())
}

/// Shell assignments that `/init` reads.
fn settings(arch: Arch, window: Option<&Window>, out: bool) -> String {
    let [console, stdout, stderr, report] = arch.ports();
    let ports = format!("CONSOLE=/dev/{console}\nSTDOUT=/dev/{stdout}\nSTDERR=/dev/{stderr}\nREPORT=/dev/{report}");
    let mut lines =
        vec![ports, format!("GUEST_OUT={}", u8::from(out)), format!("GUEST_TTY={}", u8::from(window.is_some()))];
    if let Some(window) = window {
        lines.push(format!("GUEST_ROWS={}", window.rows));
        lines.push(format!("GUEST_COLUMNS={}", window.columns));
        lines.push(format!("GUEST_TERM={}", quote::word(&window.term)));
    }
    lines.join("\n") + "\n"
}

fn add_file(archive: &mut Archive, source: &Path, target: &str) -> Result<()> {
    let metadata = fs::metadata(source)
        .with_context(|| format!("cannot read {}, which becomes /{target} in the guest", source.display()))?;
    if !metadata.is_file() {
        bail!("{} is not a plain file; give the files for the guest one by one", source.display());
    }
    let content = fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
    archive.file(target, metadata.permissions().mode(), &content);
    Ok(())
}

fn add_busybox(archive: &mut Archive) -> Result<()> {
    let busybox = busybox::installed()
        .context("no static busybox is installed; run `cargo xtask setup`, which installs busybox-static")?;
    let purpose = Purpose { what: "listing busybox's commands", by_hand: "run `cargo xtask setup`" };
    let applets = process::read(Command::new(&busybox).arg("--list-full"), purpose)?;
    add_file(archive, &busybox, "bin/busybox")?;
    for applet in applets.lines().filter(|applet| !matches!(*applet, "bin/busybox" | "linuxrc" | "")) {
        archive.link(applet, "/bin/busybox");
    }
    Ok(())
}

fn add_modules(archive: &mut Archive, kernel: &Kernel) -> Result<()> {
    let modules = ModuleSet::read(&kernel.modules())?;
    let dir = format!("lib/modules/{}", modules.kernel().with_context(|| format!("kernel {}", kernel.release))?);
    for file in modules.files() {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        add_file(archive, file, &format!("{dir}/{name}"))?;
    }
    archive.file(&format!("{dir}/modules.dep"), 0o644, modules.dep().as_bytes());
    archive.file(&format!("{dir}/modules.alias"), 0o644, modules.alias().as_bytes());
    archive.file(&format!("{dir}/modules.softdep"), 0o644, modules.softdep().as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_quoted_shell_assignments() {
        let ports = "CONSOLE=/dev/ttyAMA0\nSTDOUT=/dev/ttyS0\nSTDERR=/dev/ttyS1\nREPORT=/dev/ttyS2\n";
        assert_eq!(settings(Arch::Arm64, None, true), format!("{ports}GUEST_OUT=1\nGUEST_TTY=0\n"));
        let window = Window { rows: 24, columns: 80, term: "x'; reboot".to_owned() };
        let text = settings(Arch::X86_64, Some(&window), false);
        assert!(text.contains("GUEST_ROWS=24\nGUEST_COLUMNS=80\n"), "{text}");
        assert!(text.contains(r"GUEST_TERM='x'\''; reboot'"), "{text}");
    }

    #[test]
    fn init_is_a_valid_script() {
        let status = Command::new("sh").args(["-n", concat!(env!("CARGO_MANIFEST_DIR"), "/src/vm/init.sh")]).status();
        assert!(status.unwrap().success());
    }
}
