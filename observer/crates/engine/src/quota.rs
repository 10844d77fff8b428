//! Which findings have a place in the list of evidence.

use super::{KEPT, verdict::Verdict};

/// How many findings are in the list, by verdict.
#[derive(Debug, Default)]
pub(super) struct Quota {
    lesser: usize,
    stale_installs: usize,
}

impl Quota {
    /// Takes a place in the list if there is one. Windows and reuses are many times as frequent as what they may end in, and
    /// an hour of them fills the list: stale installs have as many places of their own.
    pub(super) fn take(&mut self, verdict: Verdict) -> bool {
        let of_verdict = if verdict == Verdict::StaleInstall { &mut self.stale_installs } else { &mut self.lesser };
        let room = *of_verdict < KEPT;
        *of_verdict += usize::from(room);
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_reuses_leave_room_for_what_they_may_end_in() {
        let mut listed = Quota::default();
        let mut taken = |verdict, times: usize| (0..times).filter(|_| listed.take(verdict)).count();
        assert_eq!(taken(Verdict::Window, KEPT - 1), KEPT - 1);
        assert_eq!(taken(Verdict::Reuse, 2), 1, "as many of both together");
        assert_eq!(taken(Verdict::StaleInstall, KEPT + 1), KEPT);
        assert_eq!(taken(Verdict::Window, 1), 0);
    }
}
