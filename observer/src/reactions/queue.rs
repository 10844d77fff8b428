//! Which finding gets a command next, and what became of the others. Pure: the time is passed in, and the caller starts
//! the commands.

use observer_engine::{event::Nanos, verdict::Verdict};
use observer_observation::{CommandFailure, NotRun, OnFinding};
use observer_text::Name;

/// Commands that may start at once after a quiet time.
const BURST: u64 = 10;
/// After a burst one command may start in this time.
const INTERVAL: Nanos = 1_000_000_000;
/// Commands that run at once.
const MAX_RUNNING: usize = 4;
/// Findings that wait for a command.
const MAX_WAITING: usize = 64;

/// `T` is what the command needs of a finding.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// The lowest verdict that gets a command.
    least: Verdict,
    /// In the order of their arrival.
    waiting: Vec<(Verdict, T)>,
    running: usize,
    /// Commands that may start now.
    starts: u64,
    /// Up to when `starts` was raised.
    raised: Nanos,
    counts: OnFinding,
}

impl<T> Queue<T> {
    pub(super) fn new(command: Name, least: Verdict) -> Self {
        let counts = OnFinding { command, ..OnFinding::default() };
        Self { least, waiting: Vec::new(), running: 0, starts: BURST, raised: 0, counts }
    }

    /// Whether a finding with this verdict gets a command.
    pub(super) fn takes(&self, verdict: Verdict) -> bool {
        verdict >= self.least
    }

    /// Adds a finding. In a full queue it takes the place of the newest one with the lowest verdict, if that is below its
    /// own. `item` is called only if it has a place.
    pub(super) fn add(&mut self, verdict: Verdict, item: impl FnOnce() -> T) {
        if !self.takes(verdict) {
            return;
        }
        self.counts.findings += 1;
        if self.waiting.len() >= MAX_WAITING {
            self.skip(1, NotRun::RateLimited);
            let lowest = self.waiting.iter().enumerate().rev().min_by_key(|(_, (verdict, _))| *verdict);
            match lowest.map(|(at, (lowest, _))| (at, *lowest)) {
                Some((at, lowest)) if lowest < verdict => self.waiting.remove(at),
                _ => return,
            };
        }
        self.waiting.push((verdict, item()));
    }

    /// The finding whose command is to start now: the oldest of the highest verdict. The caller starts it.
    pub(super) fn next(&mut self, now: Nanos) -> Option<T> {
        self.raise(now);
        let highest = self.waiting.iter().map(|(verdict, _)| *verdict).max()?;
        // The last place and the last start are kept for a stale install, which may come any time.
        let kept = usize::from(highest < Verdict::StaleInstall);
        if self.starts <= kept as u64 || self.running + kept >= MAX_RUNNING {
            return None;
        }
        let at = self.waiting.iter().position(|(verdict, _)| *verdict == highest)?;
        self.starts -= 1;
        self.running += 1;
        Some(self.waiting.remove(at).1)
    }

    /// A command has ended.
    pub(super) fn ended(&mut self, result: Result<(), CommandFailure>) {
        self.running = self.running.saturating_sub(1);
        match result {
            Ok(()) => self.counts.succeeded += 1,
            Err(cause) => *self.counts.failed.entry(cause).or_default() += 1,
        }
    }

    pub(super) const fn running(&self) -> usize {
        self.running
    }

    /// Whether no finding waits and no command runs.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running == 0
    }

    /// Counts the findings that still wait as not run.
    pub(super) fn close(&mut self) {
        let left = self.waiting.len() as u64;
        self.waiting.clear();
        self.skip(left, NotRun::AtEnd);
    }

    pub(super) const fn counts(&self) -> &OnFinding {
        &self.counts
    }

    fn skip(&mut self, findings: u64, cause: NotRun) {
        if findings > 0 {
            *self.counts.not_run.entry(cause).or_default() += findings;
        }
    }

    fn raise(&mut self, now: Nanos) {
        let more = now.saturating_sub(self.raised) / INTERVAL;
        self.starts = self.starts.saturating_add(more).min(BURST);
        self.raised += more * INTERVAL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;
    /// When the queues of these tests start.
    const START: Nanos = 1_000 * SECOND;

    fn queue(least: Verdict) -> Queue<u32> {
        let mut queue = Queue::new("notify".into(), least);
        assert_eq!(queue.next(START), None);
        queue
    }

    /// Starts what may start, and ends it at once.
    fn run(queue: &mut Queue<u32>, now: Nanos) -> Vec<u32> {
        let started = std::iter::from_fn(|| {
            let next = queue.next(now)?;
            queue.ended(Ok(()));
            Some(next)
        });
        started.collect()
    }

    #[test]
    fn findings_below_the_verdict_get_no_command_and_do_not_count() {
        let mut queue = queue(Verdict::Reuse);
        for (verdict, item) in [Verdict::Window, Verdict::Reuse, Verdict::StaleInstall].into_iter().zip(0..) {
            queue.add(verdict, || item);
        }
        assert_eq!(run(&mut queue, START), [2, 1]);
        assert_eq!((queue.counts().findings, queue.counts().succeeded), (2, 2));
    }

    #[test]
    fn the_highest_verdict_is_first_and_of_one_verdict_the_oldest() {
        let mut queue = queue(Verdict::Window);
        let verdicts = [Verdict::Window, Verdict::StaleInstall, Verdict::Reuse, Verdict::StaleInstall, Verdict::Window];
        for (verdict, item) in verdicts.into_iter().zip(0..) {
            queue.add(verdict, || item);
        }
        assert_eq!(run(&mut queue, START), [1, 3, 2, 0, 4]);
    }

    #[test]
    fn after_a_burst_one_command_starts_each_second() {
        let mut queue = queue(Verdict::Window);
        for item in 0..20 {
            queue.add(Verdict::StaleInstall, || item);
        }
        assert_eq!(run(&mut queue, START), (0..10).collect::<Vec<_>>());
        assert_eq!(run(&mut queue, START + SECOND - 1), [0; 0]);
        assert_eq!(run(&mut queue, START + SECOND), [10]);
        assert_eq!(run(&mut queue, START + 7 * SECOND / 2), [11, 12]);
        assert_eq!(run(&mut queue, START + 4 * SECOND), [13], "the half second before counts");
        assert_eq!(run(&mut queue, START + 900 * SECOND), (14..20).collect::<Vec<_>>());
        for item in 20..40 {
            queue.add(Verdict::StaleInstall, || item);
        }
        assert_eq!(run(&mut queue, START + 900 * SECOND).len(), 4, "a long quiet time is worth one burst");
    }

    #[test]
    fn few_commands_run_at_once_and_one_place_and_one_start_are_for_stale_installs() {
        let mut queue = queue(Verdict::Window);
        for item in 0..12 {
            queue.add(Verdict::Window, || item);
        }
        assert_eq!(std::iter::from_fn(|| queue.next(START)).collect::<Vec<_>>(), [0, 1, 2]);
        queue.add(Verdict::StaleInstall, || 99);
        queue.add(Verdict::StaleInstall, || 100);
        assert_eq!((queue.next(START), queue.next(START), queue.running()), (Some(99), None, 4));
        queue.ended(Ok(()));
        assert_eq!((queue.next(START), queue.next(START)), (Some(100), None));
        for _ in 0..4 {
            queue.ended(Ok(()));
        }
        assert_eq!(run(&mut queue, START), [3, 4, 5, 6], "nine of ten starts");
        queue.add(Verdict::StaleInstall, || 101);
        assert_eq!(run(&mut queue, START), [101]);
    }

    #[test]
    fn a_full_queue_drops_the_newest_of_the_lowest_verdict_and_counts_it() {
        let mut queue = queue(Verdict::Window);
        for item in 0..64 {
            queue.add(if item == 5 { Verdict::Reuse } else { Verdict::Window }, || item);
        }
        queue.add(Verdict::Window, || panic!("it has no place"));
        queue.add(Verdict::StaleInstall, || 64);
        let counts = queue.counts();
        assert_eq!((counts.findings, counts.not_run[&NotRun::RateLimited]), (66, 2));
        let mut left = Vec::new();
        for second in 0..100 {
            left.extend(run(&mut queue, START + second * SECOND));
        }
        assert_eq!(left, [vec![64, 5], (0..5).collect(), (6..63).collect()].concat());
        for item in 0..65 {
            queue.add(Verdict::StaleInstall, || item);
        }
        assert_eq!(queue.counts().not_run[&NotRun::RateLimited], 3);
    }

    #[test]
    fn every_finding_is_counted_once() {
        let mut queue = queue(Verdict::Window);
        for item in 0..70 {
            queue.add(Verdict::Window, || item);
        }
        for result in [Ok(()), Err(CommandFailure::TimedOut), Err(CommandFailure::TimedOut)] {
            assert!(queue.next(START).is_some());
            queue.ended(result);
        }
        assert!(!queue.is_idle());
        queue.close();
        assert!(queue.is_idle());
        let OnFinding { findings, succeeded, failed, not_run, .. } = queue.counts().clone();
        assert_eq!((findings, succeeded), (70, 1));
        assert_eq!(failed.into_iter().collect::<Vec<_>>(), [(CommandFailure::TimedOut, 2)]);
        assert_eq!(not_run.into_iter().collect::<Vec<_>>(), [(NotRun::RateLimited, 6), (NotRun::AtEnd, 61)]);
        let mut none = Queue::<u32>::new("notify".into(), Verdict::Window);
        none.close();
        assert!(none.counts().not_run.is_empty());
    }
}
