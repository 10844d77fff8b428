//! The refusal that follows from a failed attach.

use observer_kernel::{
    survey::{Refusal, refusal::ELSEWHERE},
    tree::Tree,
};

use crate::LoadError;

/// The kernel took the trial programs and refuses the real ones; or something else went wrong, which is no refusal.
pub fn at_attach(error: LoadError) -> anyhow::Error {
    if matches!(error, LoadError::Map { .. }) {
        return error.into();
    }
    let paranoid = Tree::system().number("/proc/sys/kernel/perf_event_paranoid");
    not_attached(&error.to_string(), paranoid).into()
}

fn not_attached(error: &str, perf_event_paranoid: Option<i32>) -> Refusal {
    let what = "cannot observe: the programs could not be attached, and none is left attached".to_owned();
    // Debian's and Android's kernels know a level 3, at which perf, and so a kprobe, takes CAP_SYS_ADMIN.
    if error.contains("perf_event_open")
        && error.contains("denied")
        && perf_event_paranoid.is_some_and(|level| level > 2)
    {
        return Refusal {
            what,
            why: vec![
                error.to_owned(),
                "kernel.perf_event_paranoid is above 2: on this kernel CAP_PERFMON is then not enough for a kprobe"
                    .into(),
            ],
            remedy: "sysctl kernel.perf_event_paranoid=2, or run it with CAP_SYS_ADMIN as well".into(),
        };
    }
    Refusal {
        what,
        why: vec![error.to_owned()],
        remedy: format!(
            "see `observer doctor`; OBSERVER_LOG=debug shows what the verifier said, which a bug report should have; or {ELSEWHERE}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 5.10.223 of Debian said it to a process with `CAP_BPF` and `CAP_PERFMON`.
    const DENIED: &str = "the kernel refuses the program pin_try_kretprobe (kretprobe swapcache_prepare): \
                          `perf_event_open` failed: Permission denied (os error 13)";

    #[test]
    fn a_kernel_that_wants_more_than_perfmon_is_named_with_its_switch() {
        assert!(not_attached(DENIED, Some(3)).remedy.contains("perf_event_paranoid=2"));
        for (error, level) in [(DENIED, Some(2)), (DENIED, None), ("the verifier says no", Some(3))] {
            assert!(!not_attached(error, level).remedy.contains("paranoid"), "{error} {level:?}");
        }
    }
}
