//! Paging out with a check: a request to page out may fail silently, and the pagemap has the outcome.

use std::time::{Duration, Instant};

use crate::{
    Result, WorkloadError,
    cpus::on_every_cpu,
    memory::Mapping,
    pagemap::{Pagemap, Place, SwapEntry},
    signals,
};

/// An emulated guest beside others is slow.
const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);
/// Every fourth request is made on each CPU in turn.
const ALL_CPUS_EVERY: u32 = 4;

/// Pages out the pages `0..pages` of `memory` and returns their entries, in page order.
///
/// # Errors
/// When some are still in memory after 30 s, or when a signal arrives.
pub(crate) fn page_all_out(memory: &Mapping, pages: usize) -> Result<Vec<SwapEntry>> {
    let pagemap = Pagemap::open()?;
    let end = Instant::now() + LIMIT;
    let mut attempt = 1_u32;
    loop {
        signals::check()?;
        request(memory, pages, attempt)?;
        let out = swapped(memory, pages, &pagemap)?;
        if out.len() == pages {
            return Ok(out);
        }
        if Instant::now() >= end {
            return Err(WorkloadError::NotPagedOut { left: pages.saturating_sub(out.len()), pages, limit: LIMIT });
        }
        attempt = attempt.wrapping_add(1);
        std::thread::sleep(PAUSE);
    }
}

/// Requests that the pages be paged out, sometimes from each CPU in turn.
///
/// A page that was just touched is in a per-CPU folio batch (`lru_add` and others), from which it cannot be reclaimed.
/// `MADV_PAGEOUT` drains only the batches of the CPU that it runs on: if the scheduler has moved this thread since, the
/// pages stay in the batch until something else drains it.
fn request(memory: &Mapping, pages: usize, attempt: u32) -> Result<()> {
    let request = || memory.page_out(0, pages);
    if attempt.is_multiple_of(ALL_CPUS_EVERY) { on_every_cpu(request) } else { request() }
}

/// The entries of the pages that are swapped out.
fn swapped(memory: &Mapping, pages: usize, pagemap: &Pagemap) -> Result<Vec<SwapEntry>> {
    let mut out = Vec::with_capacity(pages);
    for page in 0..pages {
        if let Place::Swapped(entry) = pagemap.place(memory.address(page))? {
            out.push(entry);
        }
    }
    Ok(out)
}
