//! Whether KVM can be trusted on this host: it may be there, and hang every guest. So it has to be shown to work once.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;

use super::{Accel, Failure, Guest, Output, qemu::Engine};
use crate::paths;

/// A guest needs about a second with KVM; one that needs longer than this has nothing to offer over emulation.
const PROBE_LIMIT: Duration = Duration::from_secs(8);

/// The engine for `guest`, after a probe boot of the same kernel if need be.
pub(super) fn choose(guest: &Guest) -> Result<Engine> {
    match guest.accel {
        _ if guest.icount => Ok(Engine::Icount),
        Accel::Tcg => Ok(Engine::Tcg),
        // Another family's instructions are always emulated.
        _ if guest.kernel.arch.name().replace('-', "_") != std::env::consts::ARCH => Ok(Engine::Tcg),
        Accel::Kvm => Ok(Engine::Kvm),
        Accel::Auto if !Path::new("/dev/kvm").exists() => Ok(Engine::Tcg),
        Accel::Auto => probed(guest),
    }
}

fn probed(guest: &Guest) -> Result<Engine> {
    let answer = answer_file(&guest.kernel.release);
    let host = host();
    if let Some(engine) = fs::read_to_string(&answer).ok().and_then(|text| recall(&text, &host)) {
        return Ok(engine);
    }
    let engine = if probe(guest)? { Engine::Kvm } else { Engine::Tcg };
    // An answer that cannot be kept is asked for again.
    let _ = fs::create_dir_all(paths::guests()).and_then(|()| fs::write(&answer, record(engine, &host)));
    Ok(engine)
}

/// Whether a guest with the same kernel gets to its end with KVM, soon.
fn probe(guest: &Guest) -> Result<bool> {
    eprintln!("trying KVM with kernel {}, once", guest.kernel.release);
    let mut trial = Guest::new(guest.kernel.clone());
    trial.accel = Accel::Kvm;
    trial.output = Output::Capture;
    trial.timeout = Some(PROBE_LIMIT);
    match trial.run(&["true".to_owned()]) {
        Ok(outcome) => Ok(outcome.code == 0),
        Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => Err(error),
        Err(_) => {
            eprintln!("KVM does not run it here, so it is emulated (`cargo xtask vm --accel kvm` shows why)");
            Ok(false)
        }
    }
}

fn answer_file(release: &str) -> PathBuf {
    paths::guests().join(format!("accel-{release}"))
}

/// What an answer holds for: this boot of this host.
fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn record(engine: Engine, host: &str) -> String {
    format!("{host} {}\n", if engine == Engine::Kvm { "kvm" } else { "tcg" })
}

fn recall(text: &str, host: &str) -> Option<Engine> {
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
    fn an_answer_holds_for_one_boot_of_one_host() {
        for engine in [Engine::Kvm, Engine::Tcg] {
            assert_eq!(recall(&record(engine, "boot-1"), "boot-1"), Some(engine));
            assert_eq!(recall(&record(engine, "boot-1"), "boot-2"), None);
        }
        assert_eq!(recall("", "boot-1"), None);
        assert_eq!(recall("boot-1 perhaps", "boot-1"), None);
    }
}
