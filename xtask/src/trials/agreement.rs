//! Checks that several steps share: counts agree, and nothing was dropped.

use super::step::ensure;
use crate::output::summary::Summary;

/// Fails if an event was dropped, since then no count is exact, or if disturbances are left, which keep the programs
/// slow.
pub(super) fn none_dropped(summary: &Summary) -> Result<(), String> {
    let disturbed = summary.overhead.disturbed.unwrap_or(0);
    ensure(disturbed == 0, || format!("{disturbed} disturbances are left"))?;
    let dropped: Vec<_> = summary.dropped.iter().filter(|(_, count)| **count != 0).collect();
    ensure(dropped.is_empty(), || format!("dropped: {dropped:?}"))
}

/// Number of programs that a preemptible kernel skipped.
pub(super) fn skipped(summary: &Summary) -> u64 {
    summary.dropped.get("program_skipped").copied().unwrap_or(0)
}

/// The number of swap-ins, if those seen and those dropped add up to the kernel's count.
///
/// If programs were skipped and no single program counts every read, the number of dropped swap-ins is an upper bound.
pub(super) fn counts_agree(summary: &Summary) -> Result<u64, String> {
    let swapins = &summary.swapins;
    let (seen, dropped) = (swapins.seen, swapins.dropped.unwrap_or(0));
    let kernel = swapins.kernel.ok_or("the kernel's count is missing")?;
    let is_exact = summary.kernel.is_hooked("read_start") || dropped == 0;
    let right = if is_exact { seen + dropped == kernel } else { (seen..=seen + dropped).contains(&kernel) };
    ensure(right, || format!("{seen} swap-ins seen, {dropped} dropped, the kernel counted {kernel}"))?;
    Ok(seen)
}

/// Whether allocations are not observed: then a verdict may be too low, but never too high.
pub(super) fn misses_allocations(summary: &Summary) -> bool {
    summary.kernel.is_degraded("entry_allocated")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::summary::example;

    fn agrees(seen: u64, dropped: u64, kernel: u64, hooks: &serde_json::Value) -> bool {
        let change =
            json!({ "swapins": { "seen": seen, "dropped": dropped, "kernel": kernel }, "kernel": { "hooks": hooks } });
        counts_agree(&serde_json::from_value(example::with(&change)).unwrap()).is_ok()
    }

    #[test]
    fn dropped_reads_are_exact_with_one_hook_and_an_upper_bound_without() {
        let hooked = json!([{ "meaning": "read_start", "backend": "fentry" }]);
        assert!(agrees(8, 2, 10, &hooked));
        assert!(!agrees(8, 2, 9, &hooked));
        assert!(agrees(8, 2, 9, &json!([])));
        assert!(!agrees(8, 2, 11, &json!([])));
        assert!(!agrees(8, 0, 9, &json!([])));
    }
}
