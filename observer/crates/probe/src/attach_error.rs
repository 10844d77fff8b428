//! The refusal that follows from a failed attach.

use observer_kernel::{
    host::Host,
    survey::{
        Refusal,
        refusal::{Cause, Obstacle, Remedy},
    },
    tree::Tree,
};

use crate::error::{LoadError, chain};

/// The kernel accepted the trial programs and refuses the real ones. Any other error is no refusal.
pub fn at_attach(error: LoadError) -> anyhow::Error {
    match error {
        LoadError::Map { .. } => error.into(),
        error => {
            let Host { release, perf_event_paranoid, .. } = Host::gather(&Tree::system());
            not_attached(&error, release.text, perf_event_paranoid).into()
        }
    }
}

fn not_attached(error: &LoadError, release: String, perf_event_paranoid: Option<i32>) -> Refusal {
    let mut causes = vec![Cause::AttachError { detail: chain(error) }];
    let denied = matches!(error, LoadError::Program { source, .. } if source.is_denied("perf_event_open"));
    let on_trampoline = matches!(error, LoadError::Program { target, .. } if target.place.is_trampoline());
    // Debian's and Android's kernels know a level 3, at which perf, and so a kprobe, needs CAP_SYS_ADMIN.
    let remedies = if denied && perf_event_paranoid.is_some_and(|level| level > 2) {
        causes.push(Cause::PerfEventParanoid);
        vec![Remedy::LowerPerfEventParanoid, Remedy::GrantSysAdmin]
    } else if on_trampoline {
        vec![Remedy::UseKprobes, Remedy::ReadVerifierLog]
    } else {
        vec![Remedy::ReadVerifierLog, Remedy::UseTestHost]
    };
    Refusal { release, obstacle: Obstacle::NotAttached, causes, remedies }
}

#[cfg(test)]
mod tests {
    use std::io;

    use aya::{programs::ProgramError, sys::SyscallError};

    use super::*;
    use crate::error::{Place, Target};
    use observer_kernel::plan::Backend;

    /// As 5.10.223 of Debian answers a process with `CAP_BPF` and `CAP_PERFMON`.
    fn denied() -> LoadError {
        let io_error = io::Error::from_raw_os_error(libc::EACCES);
        refused(ProgramError::SyscallError(SyscallError { call: "perf_event_open", io_error }))
    }

    fn refused(error: ProgramError) -> LoadError {
        refused_on(Backend::Kretprobe, error)
    }

    fn refused_on(backend: Backend, error: ProgramError) -> LoadError {
        let symbol = "swapcache_prepare".to_owned();
        let target = Target { program: "pin_try_kretprobe", place: Place::Function(backend), symbol };
        LoadError::Program { target, source: error.into() }
    }

    /// As 6.12.117 answers the twentieth observer.
    #[test]
    fn where_a_trampoline_is_refused_kprobes_are_the_remedy() {
        let remedies = |backend| {
            let io_error = io::Error::from_raw_os_error(libc::E2BIG);
            let error = ProgramError::SyscallError(SyscallError { call: "bpf_raw_tracepoint_open", io_error });
            not_attached(&refused_on(backend, error), String::new(), Some(2)).remedies
        };
        assert_eq!(remedies(Backend::Fentry).first(), Some(&Remedy::UseKprobes));
        assert_eq!(remedies(Backend::Fexit).first(), Some(&Remedy::UseKprobes));
        assert!(!remedies(Backend::Kprobe).contains(&Remedy::UseKprobes));
    }

    #[test]
    fn a_kernel_that_needs_more_than_perfmon_is_refused_with_its_setting() {
        let remedies = |error: &LoadError, level| not_attached(error, String::new(), level).remedies;
        assert!(remedies(&denied(), Some(3)).contains(&Remedy::LowerPerfEventParanoid));
        for (error, level) in [(denied(), Some(2)), (denied(), None), (refused(ProgramError::NotLoaded), Some(3))] {
            assert!(!remedies(&error, level).contains(&Remedy::LowerPerfEventParanoid), "{error} {level:?}");
        }
    }

    #[test]
    fn the_message_has_the_kernel_s_answer() {
        let expected = "the kernel refuses the program pin_try_kretprobe (kretprobe swapcache_prepare): \
            `perf_event_open` failed: Permission denied (os error 13)";
        let refusal = not_attached(&denied(), String::new(), Some(3));
        assert_eq!(refusal.causes[0], Cause::AttachError { detail: expected.to_owned() });
    }
}
