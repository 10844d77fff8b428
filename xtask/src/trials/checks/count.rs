//! Every swap-in must be counted, alone and in a crowd.

use serde_json::Value;

use super::{Checked, Finished, counts_agree, ensure, is_degraded, no_losses, number, witness};
use crate::trials::steps::Era;

/// At least 100 000 swap-ins, each counted once.
pub fn counts(_era: Era, finished: &Finished) -> Checked {
    counts_of(100_000, finished)
}

/// The same, of so many swap-ins at least.
pub fn counts_of(least: u64, finished: &Finished) -> Checked {
    let value = finished.json()?;
    no_losses(&value)?;
    let seen = counts_agree(&value)?;
    let witness = witness(finished)?;
    let own = number(&witness, "/pswpin")?;
    ensure(seen == own, || format!("{seen} swap-ins seen, the program measured {own}"))?;
    ensure(seen >= least, || format!("only {seen} swap-ins"))?;
    ensure(number(&witness, "/corrupt")? == 0, || "the program found pages corrupt".to_owned())?;
    if is_degraded(&value) {
        finished.expect_code(0)?;
        return Ok(format!("{seen} swap-ins, all seen; not where entries are handed out"));
    }
    let out = |name: &str| number(&value, &format!("/swapouts/{name}"));
    let (handed_out, written, kernel) = (out("handed_out")?, out("written")?, out("kernel")?);
    ensure(handed_out == kernel && written == kernel, || {
        format!("{handed_out} entries handed out and {written} written, the kernel counted {kernel} swap-outs")
    })?;
    let (begun, ended) = (number(&value, "/flights/begun")?, number(&value, "/flights/ended")?);
    ensure(begun == ended, || format!("{begun} flights begun, {ended} ended"))?;
    finished.expect_code(0)?;
    Ok(format!("{seen} swap-ins and {kernel} swap-outs, all seen"))
}

/// Under contention the counts still agree, and overlaps are seen. A preemptible kernel skips programs then (see
/// docs/decisions/preemption.md): that must be told, and be the exit code.
pub fn crowd(_era: Era, finished: &Finished) -> Checked {
    let value = finished.json()?;
    let seen = counts_agree(&value)?;
    let overlaps = number(&value, "/verdicts/overlap")?;
    ensure(overlaps > 0, || "eight threads on the same pages, and no overlap".to_owned())?;
    let skipped = value.pointer("/losses/program_skipped").and_then(Value::as_u64).unwrap_or(0);
    if skipped == 0 {
        no_losses(&value)?;
    }
    finished.expect_code(if skipped == 0 { 0 } else { 20 })?;
    Ok(format!("{seen} swap-ins, {overlaps} overlaps, {skipped} programs skipped"))
}
