//! Decides whether KVM is used. It may be present and hang every guest, so one probe boot has to succeed first.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;

use super::qemu::Engine;
use crate::{kernels::Kernel, paths};

/// How a guest's instructions are executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Accel {
    /// KVM if a probe boot shows that it works, else emulation in one thread
    #[default]
    Auto,
    /// Emulation in one thread
    Tcg,
    /// Emulation with a thread for each vCPU: the guest may execute code that its kernel has half patched, and die of it
    TcgMulti,
    /// KVM, without a probe boot
    Kvm,
}

/// A guest boots in about a second with KVM. One that takes longer than this is no faster than emulation.
pub(super) const PROBE_LIMIT: Duration = Duration::from_secs(8);

/// The engine for a guest with `kernel`. `boots` tries KVM with it; its result is recorded.
pub(super) fn choose(accel: Accel, kernel: &Kernel, boots: impl FnOnce() -> Result<bool>) -> Result<Engine> {
    match accel {
        Accel::Tcg => Ok(Engine::Tcg),
        Accel::TcgMulti => Ok(Engine::TcgMulti),
        _ if kernel.arch.name().replace('-', "_") != std::env::consts::ARCH => Ok(Engine::Tcg),
        Accel::Kvm => Ok(Engine::Kvm),
        Accel::Auto if !Path::new("/dev/kvm").exists() => Ok(Engine::Tcg),
        Accel::Auto => probed(kernel, boots),
    }
}

fn probed(kernel: &Kernel, boots: impl FnOnce() -> Result<bool>) -> Result<Engine> {
    let result_file = result_file(&kernel.release);
    let host = host();
    if let Some(engine) = fs::read_to_string(&result_file).ok().and_then(|text| parse(&text, &host)) {
        return Ok(engine);
    }
    eprintln!("probing KVM with kernel {}", kernel.release);
    let engine = if boots()? { Engine::Kvm } else { Engine::Tcg };
    if engine == Engine::Tcg {
        eprintln!("KVM does not work here; guests are emulated (`cargo xtask vm --accel kvm` shows the reason)");
    }
    // If the result cannot be written, the next guest probes again.
    let _ = fs::create_dir_all(paths::guests()).and_then(|()| fs::write(&result_file, format(engine, &host)));
    Ok(engine)
}

fn result_file(release: &str) -> PathBuf {
    paths::guests().join(format!("accel-{release}"))
}

/// The boot id: a result is valid for one boot of one host.
fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn format(engine: Engine, host: &str) -> String {
    format!("{host} {}\n", if engine == Engine::Kvm { "kvm" } else { "tcg" })
}

fn parse(text: &str, host: &str) -> Option<Engine> {
    match text.trim().strip_prefix(host)?.trim() {
        "kvm" => Some(Engine::Kvm),
        "tcg" => Some(Engine::Tcg),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_result_is_valid_for_one_boot() {
        for engine in [Engine::Kvm, Engine::Tcg] {
            assert_eq!(parse(&format(engine, "boot-1"), "boot-1"), Some(engine));
            assert_eq!(parse(&format(engine, "boot-1"), "boot-2"), None);
        }
        assert_eq!(parse("", "boot-1"), None);
        assert_eq!(parse("boot-1 perhaps", "boot-1"), None);
    }
}
