//! What does not change while the dashboard is open.

use crate::model::{About, DeviceLine, Exposure};
use observer_kernel::{plan::State, swaps::Synchronous};
use observer_observation::{Context, Swap};

/// From what was known before the first event.
pub(super) fn about(context: &Context, file: &str) -> About {
    let kernel = &context.kernel;
    let (backend, backend_why) = backend(context);
    About {
        release: kernel.release.clone(),
        state: kernel.state.clone(),
        exposure: exposure(&kernel.state),
        backend,
        backend_why,
        tick_ns: kernel.tick_ns,
        file: file.to_owned(),
        command: context.command.clone(),
        filters: context
            .filters
            .iter()
            .map(|(option, value)| format!("--{option} {value}"))
            .chain((context.sample_one_in > 1).then(|| format!("--sample 1/{}, counts scaled", context.sample_one_in)))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// What the words of a state mean here.
fn exposure(state: &str) -> Exposure {
    const PINNED: [State; 3] = [State::PinnedTick, State::PinnedWaitQueue, State::Pinned];
    if state == State::Unfixed.words() {
        Exposure::Unfixed
    } else if PINNED.iter().any(|pinned| pinned.words() == state) {
        Exposure::Pinned
    } else if state == State::NoBypass.words() {
        Exposure::Closed
    } else {
        Exposure::Unknown
    }
}

/// The backends in use with their number of hooks, and why it is not fentry alone, or what is not seen.
fn backend(context: &Context) -> (String, String) {
    let hooks = context.kernel.backend.values().flat_map(|how| how.split(", "));
    let (mut trampolines, mut probes) = (0u32, 0u32);
    for hook in hooks {
        if hook.starts_with('k') { probes += 1 } else { trampolines += 1 }
    }
    let lean = match context.kernel.timed_one_in {
        0 | 1 if context.kernel.is_lean() => ", lean".to_owned(),
        0 | 1 => String::new(),
        one_in => format!(", lean (1 in {one_in} timed)"),
    };
    let used = match (trampolines, probes) {
        (_, 0) => format!("fentry ({})", hooks_of(trampolines)),
        (0, _) => format!("kprobes ({})", hooks_of(probes)),
        _ => format!("fentry ({}), kprobes ({probes})", hooks_of(trampolines)),
    } + &lean;
    let refused = context.kernel.reasons.iter().find(|reason| reason.reason.contains("refuses"));
    let degraded = context.kernel.degraded.first();
    let why = match (refused.filter(|_| probes > 0), degraded) {
        (Some(reason), _) => format!("{}: {}", reason.symbol, reason.reason),
        (None, Some(gap)) => format!("no hook for {}: {}", gap.hook, gap.consequence),
        (None, None) => String::new(),
    };
    (used, why)
}

fn hooks_of(count: u32) -> String {
    if count == 1 { "1 hook".to_owned() } else { format!("{count} hooks") }
}

/// A swap area as a context keeps it.
pub(super) fn device(swap: &Swap) -> DeviceLine {
    let name = swap.path.rsplit('/').next().unwrap_or(&swap.path).to_owned();
    let synchronous = match swap.synchronous.as_str() {
        "yes" => Synchronous::Yes,
        "no" => Synchronous::No,
        _ => Synchronous::Unknown,
    };
    DeviceLine { form: form(&name), name, kind: swap.kind, size_kib: swap.size_kib, used_kib: None, synchronous }
}

/// The driver, as far as a device's name tells it.
pub fn form(name: &str) -> String {
    let driver = name.trim_end_matches(|ch: char| ch.is_ascii_digit());
    match driver {
        "ram" => "brd".to_owned(),
        "zram" | "pmem" | "dm-" | "md" | "loop" => driver.trim_end_matches('-').to_owned(),
        _ if driver.starts_with("nvme") => "nvme".to_owned(),
        _ if driver.starts_with("sd") || driver.starts_with("vd") => "disk".to_owned(),
        _ => "file".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_observation::{Degraded, Kernel, Reason};

    fn context(backend: &[(&str, &str)]) -> Context {
        let backend = backend.iter().map(|(hook, how)| ((*hook).to_owned(), (*how).to_owned())).collect();
        let reason = Reason {
            hook: "entry freed".to_owned(),
            symbol: "swap_entry_free".to_owned(),
            reason: "the trampoline refuses it (EINVAL)".to_owned(),
        };
        let kernel = Kernel { backend, reasons: vec![reason], ..Kernel::default() };
        let swaps = vec![Swap { path: "/dev/zram0".to_owned(), synchronous: "yes".to_owned(), ..Swap::default() }];
        Context { kernel, swaps, ..Context::default() }
    }

    #[test]
    fn says_what_is_hooked_and_why_not_better() {
        let all = context(&[("fault start", "fentry do_swap_page"), ("fault end", "fexit do_swap_page")]);
        assert_eq!(backend(&all), ("fentry (2 hooks)".to_owned(), String::new()));
        let mixed = context(&[("a", "fentry do_swap_page, fentry x"), ("entry freed", "kprobe swap_entry_free")]);
        let (used, why) = backend(&mixed);
        assert_eq!(used, "fentry (2 hooks), kprobes (1)");
        assert!(why.starts_with("swap_entry_free: the trampoline refuses it"));
        let mut lean = all.clone();
        lean.kernel.hooks = "lean".to_owned();
        assert_eq!(backend(&lean).0, "fentry (2 hooks), lean");
        let mut gap = all;
        gap.kernel.degraded = vec![Degraded {
            hook: "read end".to_owned(),
            consequence: "how long a read took is unknown".to_owned(),
            ..Degraded::default()
        }];
        assert_eq!(backend(&gap).1, "no hook for read end: how long a read took is unknown");
    }

    #[test]
    fn every_state_has_its_exposure() {
        let all = [State::Unfixed, State::PinnedTick, State::PinnedWaitQueue, State::Pinned, State::NoBypass];
        let exposures = all.map(|state| exposure(state.words()));
        assert_eq!(
            exposures,
            [Exposure::Unfixed, Exposure::Pinned, Exposure::Pinned, Exposure::Pinned, Exposure::Closed]
        );
        assert_eq!(exposure("something new"), Exposure::Unknown);
    }

    #[test]
    fn devices_by_name() {
        assert_eq!(
            ["zram0", "ram1", "nvme0n1p3", "sda2", "swapfile", "dm-0"].map(form),
            ["zram", "brd", "nvme", "disk", "file", "dm"]
        );
        let device = device(&context(&[]).swaps[0]);
        assert_eq!((device.name.as_str(), device.synchronous), ("zram0", Synchronous::Yes));
    }
}
