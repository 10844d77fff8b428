//! The targeted workload: makes the ABA of CVE-2024-26759 on purpose, one page, one round at a time.
//!
//! A small swap device is filled until one slot is free. Then, per round: the page goes out to that slot; the victim
//! thread faults on it, reads the old content, and is held up (by the observer's delay_injection; this workload knows nothing
//! of it); meanwhile the main thread swaps the page in, changes it, and has it paged out to the same slot, the only
//! free one. If the victim then installs what it read before, the change is lost. What the page holds in the end is
//! the truth; how it came about does not enter into it.

mod round;

use std::io::Write;
use std::time::Duration;

use rustix::process::getpid;
use rustix::thread::gettid;
use serde::{Deserialize, Serialize};

use super::cpus::{allowed_cpus, pin_to};
use super::device::{SwapDevice, SwapOptions};
use super::memory::Mapping;
use super::messages::{Done, Message, MessageWriter, Ready};
use super::pagemap::Pagemap;
use super::victim::{self, Victim};
use super::{Result, ballast, child, signals};
use round::Stage;

/// Slots left free: the one that the rounds are about.
const FREE: u32 = 1;

/// How to run the workload. The defaults are right for a guest without KVM and a delay of about 20 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetedOptions {
    /// Rounds to play.
    pub rounds: u32,
    /// Usable slots of the swap device, 8..=65536. Small, so that the kernels up to 6.12 keep no freed slots aside.
    pub slots: u32,
    /// From the moment that the victim's read shows until the page is touched; where it starts, it is tuned from there.
    pub lead: Duration,
    /// How often the page is sent out again per round if it came back elsewhere, at least 1.
    pub tries: u32,
    /// Longest that the victim may take for its one access; longer is an error that ends the run.
    pub victim_limit: Duration,
    /// Go on although other swap is in use. On the kernels up to 6.12 that ends in an error if the other swap is large:
    /// their per-CPU slot caches are on then.
    pub allow_other_swap: bool,
}

impl Default for TargetedOptions {
    fn default() -> Self {
        Self {
            rounds: 200,
            slots: 79,
            lead: Duration::from_micros(200),
            tries: 8,
            victim_limit: Duration::from_secs(10),
            allow_other_swap: false,
        }
    }
}

/// Plays the rounds and reports them to `out`, as described in [`messages`](super::messages) and [`child`].
pub fn run_child(options: &TargetedOptions, out: impl Write) -> Result<()> {
    let swap = SwapOptions { slots: options.slots, allow_other_swap: options.allow_other_swap, compressor: None };
    child::run(swap, out, |device, out, done| play(options, device, out, done))
}

/// The rounds, on a device that is there. All memory that may be swapped is unmapped again on return.
fn play<W: Write>(
    options: &TargetedOptions,
    device: &SwapDevice,
    out: &mut MessageWriter<W>,
    done: &mut Done,
) -> Result<()> {
    let cpus = choose_cpus(&allowed_cpus()?);
    if let Some((main, _)) = cpus {
        pin_to(main)?;
    }
    let (_ballast, swap_type) = ballast::fill(device, FREE)?;
    let victim = Victim::start(Mapping::new(victim::PAGES)?, cpus.map(|(_, victim)| victim))?;
    let pagemap = Pagemap::open()?;
    let pid = number(getpid());
    out.send(&Message::Ready(Ready {
        device: device.claim().device.clone(),
        id: device.claim().id,
        slots: device.slots(),
        swap_type,
        pid,
        main_tid: number(gettid()),
        victim_tid: victim.tid(),
        address: victim.page().address(victim::PAGE),
        cpus: if cpus.is_some() { 2 } else { 1 },
        rounds: options.rounds,
    }))?;
    let mut stage = Stage::new(options, device, &victim, &pagemap, pid);
    for round in 1..=options.rounds {
        signals::check()?;
        let truth = stage.play(round)?;
        done.count(&truth);
        out.send(&Message::Round(truth))?;
    }
    Ok(())
}

/// The CPUs of the main thread and of the victim, if there are two.
fn choose_cpus(allowed: &[usize]) -> Option<(usize, usize)> {
    match allowed {
        [main, victim, ..] => Some((*main, *victim)),
        _ => None,
    }
}

/// A process or thread id as a plain number.
fn number(id: rustix::process::Pid) -> u32 {
    id.as_raw_nonzero().get().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cpus_are_the_first_two_allowed() {
        assert_eq!(choose_cpus(&[3, 5, 7]), Some((3, 5)));
        assert_eq!(choose_cpus(&[3]), None);
        assert_eq!(choose_cpus(&[]), None);
    }
}
