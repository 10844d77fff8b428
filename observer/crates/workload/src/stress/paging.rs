//! Getting pages out and being sure of it: paging out is a request, and the pagemap is the witness of what came of it.

use std::time::{Duration, Instant};

use super::{
    Result, StressError,
    cpus::on_every_cpu,
    memory::Mapping,
    pagemap::{Pagemap, Place, SwapEntry},
    signals,
};

/// How long pages get to go out: an emulated guest beside others can be slow.
const LIMIT: Duration = Duration::from_secs(30);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(5);
/// Each try of this number asks on every CPU in turn.
const EVERYWHERE: u32 = 4;

/// Pages `0..pages` of `memory` all out: where each of them went.
///
/// # Errors
/// When some are still in memory after 30 s, with their number; when a signal asks to stop.
pub(crate) fn page_all_out(memory: &Mapping, pages: usize) -> Result<Vec<SwapEntry>> {
    let pagemap = Pagemap::open()?;
    let end = Instant::now() + LIMIT;
    let mut attempt = 1_u32;
    loop {
        signals::check()?;
        ask(memory, pages, attempt)?;
        let out = swapped(memory, pages, &pagemap)?;
        if out.len() == pages {
            return Ok(out);
        }
        if Instant::now() >= end {
            return Err(StressError::NotOut { left: pages.saturating_sub(out.len()), pages, limit: LIMIT });
        }
        attempt = attempt.wrapping_add(1);
        std::thread::sleep(PAUSE);
    }
}

/// Asks for the pages to be paged out: at some attempts on each CPU in turn.
///
/// A page that was just touched is in a list of the CPU where that happened (`lru_add` and its kin), and cannot be taken
/// from there. `MADV_PAGEOUT` empties only the lists of the CPU that it runs on: when the scheduler has moved this
/// thread in between, the pages stay where they are for as long as nothing else happens on that CPU.
fn ask(memory: &Mapping, pages: usize, attempt: u32) -> Result<()> {
    let ask = || memory.page_out(0, pages);
    if attempt.is_multiple_of(EVERYWHERE) { on_every_cpu(ask) } else { ask() }
}

/// Where those went that are out.
fn swapped(memory: &Mapping, pages: usize, pagemap: &Pagemap) -> Result<Vec<SwapEntry>> {
    let mut out = Vec::with_capacity(pages);
    for page in 0..pages {
        if let Place::Swapped(entry) = pagemap.place(memory.address(page))? {
            out.push(entry);
        }
    }
    Ok(out)
}
