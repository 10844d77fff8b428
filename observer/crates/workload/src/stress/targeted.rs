//! Reproduces the ABA of CVE-2024-26759 on one page, one round at a time.
//!
//! A small swap device is filled until one slot is free. In each round the page is paged out to that slot. The victim
//! thread faults on it, reads the old content, and is delayed (by the observer's delay injection, of which the workload
//! knows nothing). Meanwhile the main thread swaps the page in, writes it, and pages it out to the only free slot
//! again. If the victim then installs the page that it read before, the write is lost. The content of the page at the
//! end of the round is the ground truth.

mod lead;
mod round;
mod victim;

use std::{io::Write, time::Duration};

use rustix::process::getpid;
use serde::{Deserialize, Serialize};

use self::{round::Rounds, victim::Victim};
use super::{
    ballast, child,
    messages::{Done, Message, MessageWriter, TargetedReady},
};
use crate::{
    Result,
    cpus::{allowed_cpus, pin_to},
    memory::Mapping,
    pagemap::Pagemap,
    signals,
    swap_device::{SwapDevice, SwapOptions},
};

/// The page of the rounds needs the only free slot.
const FREE_SLOTS: u32 = 1;

/// The defaults suit a guest without KVM and a delay of about 20 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetedOptions {
    pub rounds: u32,
    /// Usable slots of the swap device. Few, so that kernels up to 6.12 do not cache freed slots.
    pub slots: u32,
    /// Initial time from the moment when the device has counted the victim's read until the page is touched.
    pub lead: Duration,
    /// How often the page is paged out per round until it has the same entry, at least 1.
    pub tries: u32,
    /// Longest access of the victim; a longer one is an error.
    pub victim_limit: Duration,
    /// Run although other swap is in use. With large other swap this fails on kernels up to 6.12, which cache slots per
    /// CPU then.
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

/// Runs the rounds in this process and reports them to `out` as [`messages`](super::messages).
pub fn run_child(options: &TargetedOptions, out: impl Write) -> Result<()> {
    let swap = SwapOptions { slots: options.slots, allow_other_swap: options.allow_other_swap, compressor: None };
    child::run(swap, out, |device, out, done| run(options, device, out, done))
}

fn run<W: Write>(
    options: &TargetedOptions,
    device: &SwapDevice,
    out: &mut MessageWriter<W>,
    done: &mut Done,
) -> Result<()> {
    let cpus = choose_cpus(&allowed_cpus()?);
    if let Some((main, _)) = cpus {
        pin_to(main)?;
    }
    let _ballast = ballast::fill(device, FREE_SLOTS)?;
    let victim = Victim::start(Mapping::new(victim::PAGES)?, cpus.map(|(_, victim)| victim))?;
    let pagemap = Pagemap::open()?;
    out.send(&Message::TargetedReady(TargetedReady {
        device: device.claim().device.clone(),
        slots: device.slots(),
        rounds: options.rounds,
    }))?;
    let pid = getpid().as_raw_nonzero().get().unsigned_abs();
    let mut rounds = Rounds::new(options, device, &victim, &pagemap, pid);
    for round in 1..=options.rounds {
        signals::check()?;
        let truth = rounds.run(round)?;
        done.count(&truth);
        out.send(&Message::Round(truth))?;
    }
    Ok(())
}

/// The CPUs of the main thread and of the victim. `None`: there is only one CPU, so that the main thread cannot run
/// during the victim's delay.
fn choose_cpus(allowed: &[usize]) -> Option<(usize, usize)> {
    match allowed {
        [main, victim, ..] => Some((*main, *victim)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_allowed_cpus_are_chosen() {
        assert_eq!(choose_cpus(&[3, 5, 7]), Some((3, 5)));
        assert_eq!(choose_cpus(&[3]), None);
        assert_eq!(choose_cpus(&[]), None);
    }
}
