//! The life of a workload's process: a swap device is set up, the workload plays on it, the device is removed; what
//! happens is told in messages.

use std::io::Write;

use super::device::{SwapDevice, SwapOptions};
use super::memory::pin_process;
use super::messages::{Done, Message, MessageWriter};
use super::{Result, StressError, signals};

/// Sets up the device, has `play` play on it, and reports to `out`.
///
/// Made for a process of its own: it handles this process's signals and locks its memory. The thread that starts that
/// process has to outlive it (`PR_SET_PDEATHSIG`). A signal that asks to stop is no error. Whatever happens, the swap
/// device is removed first, then the last message sent. `play` unmaps all memory that may be swapped before it returns.
pub(super) fn run<W: Write>(
    swap: SwapOptions,
    out: W,
    play: impl FnOnce(&SwapDevice, &mut MessageWriter<W>, &mut Done) -> Result<()>,
) -> Result<()> {
    let mut out = MessageWriter::new(out);
    let mut done = Done::default();
    let outcome = match signals::watch()
        .and_then(|()| signals::watch_parent())
        .and_then(|()| on_device(swap, &mut out, &mut done, play))
    {
        Err(StressError::Interrupted { signal }) => {
            done.interrupted = Some(signal);
            Ok(())
        }
        outcome => outcome,
    };
    match outcome {
        Ok(()) => out.send(&Message::Done(done)),
        Err(error) => {
            // The parent may be what is missing; the error itself is the caller's either way.
            let _ = out.send(&Message::Failed { error: error.to_string(), refusal: error.is_refusal() });
            Err(error)
        }
    }
}

/// Everything between the first and the last message.
fn on_device<W: Write>(
    swap: SwapOptions,
    out: &mut MessageWriter<W>,
    done: &mut Done,
    play: impl FnOnce(&SwapDevice, &mut MessageWriter<W>, &mut Done) -> Result<()>,
) -> Result<()> {
    let mut device = SwapDevice::set_up(swap, |claim| out.send(&Message::Claimed(claim.clone())))?;
    let played = signals::check().and_then(|()| pin_process()).and_then(|()| play(&device, out, done));
    // An error of the run says more than one of the tidying up that may follow from it, unless it is only a signal.
    match (played, device.tear_down()) {
        (Ok(()) | Err(StressError::Interrupted { .. }), Err(error)) => Err(error),
        (played, _) => played,
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::parse;
    use super::*;

    #[test]
    fn a_refused_run_says_so_and_changes_nothing() {
        let swap = SwapOptions { slots: 1, allow_other_swap: false, compressor: None };
        let mut out = MessageWriter::new(Vec::new());
        let outcome = on_device(swap, &mut out, &mut Done::default(), |_, _, _| panic!("there is no device"));
        assert!(matches!(outcome, Err(StressError::OutOfRange { .. })));
    }

    #[test]
    fn failure_is_the_last_message() {
        let text = serde_json::to_string(&Message::Failed { error: "no".into(), refusal: true }).unwrap();
        assert!(matches!(parse(&text), Ok(Message::Failed { .. })));
    }
}
