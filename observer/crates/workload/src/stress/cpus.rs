//! The CPUs that a thread may run on.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::{Result, StressError};

/// The CPUs that the calling thread may run on, in ascending order.
pub(crate) fn allowed_cpus() -> Result<Vec<usize>> {
    let set = allowed()?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

/// Keeps the calling thread on one CPU.
pub(crate) fn pin_to(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(|e| StressError::io(format!("stay on CPU {cpu}"), e))
}

/// Does something on each CPU that the calling thread may run on, one after the other. The thread may run on all of
/// them again afterwards, however that ends.
pub(crate) fn on_every_cpu(mut what: impl FnMut() -> Result<()>) -> Result<()> {
    let before = allowed()?;
    let done = allowed_cpus()?.into_iter().try_for_each(|cpu| pin_to(cpu).and_then(|()| what()));
    sched_setaffinity(None, &before).map_err(|e| StressError::io("restore the CPU affinity", e))?;
    done
}

fn allowed() -> Result<CpuSet> {
    sched_getaffinity(None).map_err(|e| StressError::io("read the CPU affinity", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowed_cpu_is_visited_and_all_are_allowed_again() {
        let before = allowed_cpus().unwrap();
        let mut visited = Vec::new();
        on_every_cpu(|| {
            visited.extend(allowed_cpus()?);
            Ok(())
        })
        .unwrap();
        assert_eq!(visited, before);
        assert_eq!(allowed_cpus().unwrap(), before);
    }

    #[test]
    fn after_an_error_all_are_allowed_again() {
        let before = allowed_cpus().unwrap();
        let refused = || Err(StressError::format("test", "an error"));
        assert!(on_every_cpu(refused).is_err());
        assert_eq!(allowed_cpus().unwrap(), before);
    }
}
