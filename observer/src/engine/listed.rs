//! Which findings have a place in the list of evidence.

use super::{KEPT, verdict::Verdict};

/// How many findings are in the list, by verdict.
#[derive(Debug, Default)]
pub(super) struct Listed {
    windows: usize,
    reuses: usize,
    stale_installs: usize,
}

impl Listed {
    /// Takes a place in the list if there is one. Windows and reuses are many times as frequent as what they may end in, and
    /// an hour of them would fill the list: each has a third of it at most.
    pub(super) fn take(&mut self, verdict: Verdict) -> bool {
        let all = self.windows + self.reuses + self.stale_installs;
        let (of_verdict, most) = match verdict {
            Verdict::StaleInstall => (&mut self.stale_installs, KEPT),
            Verdict::Reuse => (&mut self.reuses, KEPT / 3),
            _ => (&mut self.windows, KEPT / 3),
        };
        let room = all < KEPT && *of_verdict < most;
        *of_verdict += usize::from(room);
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_reuses_leave_room_for_what_they_may_end_in() {
        let mut listed = Listed::default();
        let mut taken = |verdict, times: usize| (0..times).filter(|_| listed.take(verdict)).count();
        assert_eq!(taken(Verdict::Window, 2 * KEPT), KEPT / 3);
        assert_eq!(taken(Verdict::Reuse, 2 * KEPT), KEPT / 3);
        assert_eq!(taken(Verdict::StaleInstall, KEPT), KEPT - 2 * (KEPT / 3), "what is left");
        assert_eq!(taken(Verdict::StaleInstall, 1), 0);
    }

    #[test]
    fn stale_installs_alone_may_fill_it() {
        let mut listed = Listed::default();
        assert_eq!((0..2 * KEPT).filter(|_| listed.take(Verdict::StaleInstall)).count(), KEPT);
        assert!(!listed.take(Verdict::Window));
    }
}
