//! The CPUs that a thread may run on.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::{Result, WorkloadError};

/// The CPUs that the calling thread may run on, in ascending order.
pub fn allowed_cpus() -> Result<Vec<usize>> {
    let set = allowed()?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

/// Keeps the calling thread on one CPU.
pub(crate) fn pin_to(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(|e| WorkloadError::io(format!("run on CPU {cpu} only"), e))
}

/// Calls `action` on each CPU that the calling thread may run on, one after the other. The affinity is restored
/// afterwards, also after an error.
pub(crate) fn on_every_cpu(mut action: impl FnMut() -> Result<()>) -> Result<()> {
    let before = allowed()?;
    let done = allowed_cpus()?.into_iter().try_for_each(|cpu| pin_to(cpu).and_then(|()| action()));
    sched_setaffinity(None, &before).map_err(|e| WorkloadError::io("restore the CPU affinity", e))?;
    done
}

fn allowed() -> Result<CpuSet> {
    sched_getaffinity(None).map_err(|e| WorkloadError::io("read the CPU affinity", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowed_cpu_is_visited_and_the_affinity_is_restored() {
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
    fn the_affinity_is_restored_after_an_error() {
        let before = allowed_cpus().unwrap();
        assert!(on_every_cpu(|| Err(WorkloadError::Panicked)).is_err());
        assert_eq!(allowed_cpus().unwrap(), before);
    }
}
