//! The workload's process: sets up a swap device, runs the workload on it, removes the device, and sends messages.

use std::io::Write;

use super::messages::{Done, Message, MessageWriter};
use crate::{
    Failure, Result, WorkloadError,
    memory::lock_process,
    signals,
    swap_device::{SwapDevice, SwapOptions},
};

/// Sets up the device, runs `workload` on it, and reports to `out`.
///
/// Call it in a process that does nothing else: it handles this process's signals and locks its memory. The thread that
/// starts that process must outlive it (`PR_SET_PDEATHSIG`). A signal that stops the workload is no error. In any case
/// the swap device is removed before the last message is sent. `workload` must unmap all memory that may be swapped
/// before it returns.
pub(super) fn run<W: Write>(
    swap: SwapOptions,
    out: W,
    workload: impl FnOnce(&SwapDevice, &mut MessageWriter<W>, &mut Done) -> Result<()>,
) -> Result<()> {
    let mut out = MessageWriter::new(out);
    let mut done = Done::default();
    let outcome = match signals::watch()
        .and_then(|()| signals::watch_parent())
        .and_then(|()| on_device(swap, &mut out, &mut done, workload))
    {
        Err(WorkloadError::Interrupted { signal }) => {
            done.interrupted = Some(signal);
            Ok(())
        }
        outcome => outcome,
    };
    match outcome {
        Ok(()) => out.send(&Message::Done(done)),
        Err(error) => {
            // The parent may be gone; the caller gets the error in any case.
            let _ = out.send(&Message::Failed(Failure::from(&error)));
            Err(error)
        }
    }
}

/// Everything between the first message and the last.
fn on_device<W: Write>(
    swap: SwapOptions,
    out: &mut MessageWriter<W>,
    done: &mut Done,
    workload: impl FnOnce(&SwapDevice, &mut MessageWriter<W>, &mut Done) -> Result<()>,
) -> Result<()> {
    let mut device = SwapDevice::set_up(swap, |claim| out.send(&Message::Claimed(claim.clone())))?;
    let outcome = signals::check().and_then(|()| lock_process()).and_then(|()| workload(&device, out, done));
    // An error of the workload takes precedence over one of the removal, which may follow from it; a signal does not.
    match (outcome, device.tear_down()) {
        (Ok(()) | Err(WorkloadError::Interrupted { .. }), Err(error)) => Err(error),
        (outcome, _) => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workload_does_not_run_without_a_device() {
        let swap = SwapOptions { slots: 1, allow_other_swap: false, compressor: None };
        let mut out = MessageWriter::new(Vec::new());
        let outcome = on_device(swap, &mut out, &mut Done::default(), |_, _, _| panic!("there is no device"));
        assert!(matches!(outcome, Err(WorkloadError::OutOfRange { .. })));
    }
}
