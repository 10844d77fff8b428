//! The command line of QEMU.

use std::{ffi::OsString, os::fd::RawFd, path::Path};

use crate::arch::Arch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// Emulated, all vCPUs in one host thread.
    Tcg,
    /// Emulated, one host thread per vCPU.
    TcgMulti,
    /// Emulated and counted: one guest nanosecond per instruction, one vCPU.
    Icount,
    Kvm,
}

/// Everything that the command line depends on.
#[derive(Clone, Debug)]
pub(super) struct Machine<'a> {
    pub(super) arch: Arch,
    pub(super) engine: Engine,
    /// Number of vCPUs; [`Engine::Icount`] always has one.
    pub(super) smp: u32,
    /// Memory in MiB.
    pub(super) mem: u32,
    pub(super) image: &'a Path,
    /// cpio archive.
    pub(super) initrd: &'a Path,
    /// A raw disk image for the guest's /out.
    pub(super) disk: Option<&'a Path>,
    pub(super) cmdline: &'a str,
    /// Inherited sockets that become the ports of [`Arch::ports`].
    pub(super) ports: &'a [RawFd],
}

impl Machine<'_> {
    /// The arguments for the emulator. Ports are sockets, not paths: QEMU truncates files that it opens.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
        match self.engine {
            Engine::Tcg => add(&["-accel", "tcg,thread=single"]),
            Engine::TcgMulti => add(&["-accel", "tcg,thread=multi"]),
            Engine::Icount => add(&["-accel", "tcg", "-icount", "shift=0,sleep=off"]),
            Engine::Kvm => add(&["-accel", "kvm"]),
        }
        let smp = if self.engine == Engine::Icount { 1 } else { self.smp };
        match self.arch {
            // Without la57: five-level page tables make page walks longer.
            Arch::X86_64 => add(&["-cpu", "max,la57=off"]),
            // The architected pointer authentication algorithm is slow to emulate.
            Arch::Arm64 => add(&["-machine", "virt", "-cpu", "max,pauth-impdef=on"]),
        }
        add(&["-smp", &smp.to_string(), "-m", &self.mem.to_string()]);
        add(&["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-append", self.cmdline]);
        for (number, fd) in self.ports.iter().enumerate() {
            add(&["-chardev", &format!("socket,id=port{number},fd={fd}")]);
            match (self.arch, number) {
                (Arch::X86_64, _) | (_, 0) => add(&["-serial", &format!("chardev:port{number}")]),
                (Arch::Arm64, _) => add(&["-device", &format!("pci-serial,chardev=port{number}")]),
            }
        }
        if let Some(disk) = self.disk {
            // The image is read after QEMU has ended, so it need not be flushed to the host's disk. A comma in the path
            // is doubled.
            let file = disk.to_string_lossy().replace(',', ",,");
            add(&["-drive", &format!("if=none,id=out,format=raw,cache=unsafe,file={file}")]);
            add(&["-device", "virtio-blk-pci,drive=out"]);
        }
        arguments.extend(["-kernel".into(), self.image.into(), "-initrd".into(), self.initrd.into()]);
        arguments
    }
}

/// The kernel command line: a panic ends the guest at once; if the console is the command's terminal, only panics are
/// written to it. `no_timer_check`: an emulated x86-64 kernel on a busy host may find its timer broken and panic.
pub(super) fn cmdline(arch: Arch, tty: bool, append: &str) -> String {
    let quiet = if tty { "quiet loglevel=1" } else { "quiet" };
    let timer = if arch == Arch::X86_64 { " no_timer_check" } else { "" };
    let [console, ..] = arch.ports();
    format!("console={console} {quiet} panic=-1{timer} {append}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(engine: Engine) -> String {
        line_of(Arch::X86_64, engine)
    }

    fn line_of(arch: Arch, engine: Engine) -> String {
        let machine = Machine {
            arch,
            engine,
            smp: 4,
            mem: 512,
            image: Path::new("/k/vmlinuz"),
            initrd: Path::new("/r"),
            disk: Some(Path::new("/d,e")),
            cmdline: "quiet a=b",
            ports: &[7, 9],
        };
        machine.arguments().iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn emulation_has_one_thread_unless_more_are_asked_for() {
        assert!(line(Engine::Tcg).contains("-accel tcg,thread=single -cpu max,la57=off -smp 4 -m 512"));
        assert!(line(Engine::TcgMulti).contains("-accel tcg,thread=multi -cpu max,la57=off -smp 4 -m 512"));
        assert!(line(Engine::Icount).contains("-accel tcg -icount shift=0,sleep=off -cpu max,la57=off -smp 1"));
        assert!(line(Engine::Kvm).contains("-accel kvm"));
    }

    #[test]
    fn ports_are_inherited_sockets_in_order() {
        assert!(line(Engine::Tcg).contains(
            "-chardev socket,id=port0,fd=7 -serial chardev:port0 -chardev socket,id=port1,fd=9 -serial chardev:port1"
        ));
    }

    #[test]
    fn arm64_has_one_built_in_port_and_the_others_on_pci() {
        let line = line_of(Arch::Arm64, Engine::Tcg);
        assert!(line.contains("-machine virt -cpu max,pauth-impdef=on -smp 4"), "{line}");
        assert!(
            line.contains("fd=7 -serial chardev:port0 -chardev socket,id=port1,fd=9 -device pci-serial,chardev=port1")
        );
    }

    #[test]
    fn a_comma_in_the_path_of_the_disk_is_doubled() {
        assert!(line(Engine::Tcg).contains("cache=unsafe,file=/d,,e -device virtio-blk-pci,drive=out"));
    }

    #[test]
    fn a_panic_ends_the_guest_at_once() {
        assert_eq!(cmdline(Arch::X86_64, false, ""), "console=ttyS0 quiet panic=-1 no_timer_check");
        let appended = cmdline(Arch::Arm64, true, "nokaslr");
        assert_eq!(appended, "console=ttyAMA0 quiet loglevel=1 panic=-1 nokaslr");
    }
}
