//! Several things at a time: a guest under emulation keeps about one CPU busy.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use anyhow::Result;

/// Guests at most, whatever the machine: each takes a gigabyte.
const MOST: usize = 4;

/// How many guests this machine runs at a time.
pub fn guests_at_once() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(MOST)
}

/// Works through `jobs`, `at_once` at a time and in their order, and hands each result over as it comes, with the job's
/// place. An error of `taken` keeps those that have not started from start.
///
/// # Errors
/// The first error of `taken`, after those in progress have ended.
pub fn run<J: Send, T: Send>(
    jobs: Vec<J>,
    at_once: usize,
    work: impl Fn(J) -> T + Sync,
    mut taken: impl FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    let queue: Mutex<VecDeque<(usize, J)>> = Mutex::new(jobs.into_iter().enumerate().collect());
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..at_once.max(1) {
            let (queue, work, sender) = (&queue, &work, sender.clone());
            scope.spawn(move || {
                while let Some((place, job)) = next(queue) {
                    // Nobody listens any more after an error.
                    let _ = sender.send((place, work(job)));
                }
            });
        }
        drop(sender);
        let result = receiver.iter().try_for_each(|(place, result)| taken(place, result));
        if result.is_err() {
            queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        result
    })
}

fn next<J>(queue: &Mutex<VecDeque<J>>) -> Option<J> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use anyhow::bail;

    use super::*;

    #[test]
    fn every_job_is_done_once_and_told_with_its_place() {
        let mut told = [0; 20];
        let squares = run(
            (0..20).collect(),
            3,
            |n: usize| n * n,
            |place, square| {
                told[place] = square;
                Ok(())
            },
        );
        assert!(squares.is_ok());
        assert!(told.iter().enumerate().all(|(place, square)| *square == place * place));
    }

    #[test]
    fn an_error_keeps_the_rest_from_start() {
        let started = AtomicUsize::new(0);
        let work = |n: usize| {
            started.fetch_add(1, Ordering::Relaxed);
            n
        };
        let stopped = run((0..1_000_000).collect(), 1, work, |_, _| bail!("stop"));
        assert_eq!(stopped.unwrap_err().to_string(), "stop");
        assert!(started.load(Ordering::Relaxed) < 1_000_000);
    }
}
