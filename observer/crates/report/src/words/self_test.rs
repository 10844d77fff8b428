//! The checks of the self-test.

use observer_observation::self_test::CheckKind;

pub(crate) const fn check(check: CheckKind) -> &'static str {
    match check {
        CheckKind::FaultsEnded => "faults ended",
        CheckKind::PagesInstalled => "pages installed",
        CheckKind::EntriesAsInPagemap => "entries as in /proc/self/pagemap",
        CheckKind::EntriesAllocatedOrWritten => "entries allocated or written before the faults",
        CheckKind::EntriesFreed => "entries freed",
        CheckKind::PagesRead => "pages read",
        CheckKind::PagesReadByKernel => "pages read by the kernel's own count (pswpin)",
        CheckKind::PagesReadDirectly => "pages read directly",
        CheckKind::PinsTaken => "pins taken",
    }
}
