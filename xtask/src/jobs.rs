//! Runs several jobs at a time: an emulated guest keeps about one CPU busy.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use anyhow::Result;

/// Each guest takes 1 GiB of memory.
const MAX_GUESTS: usize = 4;

pub(crate) fn guests_at_once() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(MAX_GUESTS)
}

/// Runs `jobs` in their order, `at_once` at a time, and calls `done` with the index and result of each as it ends.
/// After an error of `done` no further job is started.
///
/// # Errors
/// The first error of `done`, after the jobs in progress have ended.
pub(crate) fn run<J: Send, T: Send>(
    jobs: Vec<J>,
    at_once: usize,
    work: impl Fn(J) -> T + Sync,
    mut done: impl FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    let queue: Mutex<VecDeque<(usize, J)>> = Mutex::new(jobs.into_iter().enumerate().collect());
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..at_once.max(1) {
            let (queue, work, sender) = (&queue, &work, sender.clone());
            scope.spawn(move || {
                while let Some((index, job)) = next(queue) {
                    // The receiver is gone after an error.
                    let _ = sender.send((index, work(job)));
                }
            });
        }
        drop(sender);
        let result = receiver.iter().try_for_each(|(index, result)| done(index, result));
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
    fn every_job_is_run_once_and_reported_with_its_index() {
        let mut results = [0; 20];
        let squares = run(
            (0..20).collect(),
            3,
            |n: usize| n * n,
            |index, square| {
                results[index] = square;
                Ok(())
            },
        );
        assert!(squares.is_ok());
        assert!(results.iter().enumerate().all(|(index, square)| *square == index * index));
    }

    #[test]
    fn no_job_is_started_after_an_error() {
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
