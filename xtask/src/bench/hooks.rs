//! What each hook on the path of an uncontended direct swap-in costs: with an empty program, and with its own.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::{
    counted::Counted,
    figures::Overhead,
    markdown::{table, whole},
};
use crate::output::bench::{Command, FULL, HOOKS, HookRow, Hooks, Report};

/// Measures the hooks of the full set in one guest.
pub(super) fn measure(guest: &Counted<'_>) -> Result<Hooks> {
    let reports: Vec<Report> = guest.run(&Command::standard(HOOKS).hook_set(FULL).line())?;
    let report = reports.into_iter().next().context("the benchmark printed nothing")?;
    let notes: Vec<_> = report.notes.iter().map(ToString::to_string).collect();
    report.hooks.with_context(|| format!("the benchmark has no rows for hooks: {}", notes.join("; ")))
}

/// Empty if no kernel has rows.
pub(super) fn tables(all: &[Overhead]) -> String {
    let measured: Vec<_> = all.iter().filter_map(|kernel| Some((&kernel.kernel, kernel.hooks.as_ref()?))).collect();
    if measured.is_empty() {
        return String::new();
    }
    let head = ["kernel", "hook", "base of real", "runs", "empty", "real", "body"];
    let rows = measured.iter().flat_map(|(kernel, hooks)| hooks.rows.iter().map(|row| cells(kernel, row)));
    let mut text = table(&head, 3, &rows.collect::<Vec<_>>());
    for (kernel, hooks) in measured {
        let not_passed: Vec<_> = hooks.not_passed.iter().map(ToString::to_string).collect();
        // Writing into a String cannot fail.
        let _ = writeln!(text, "\n{kernel}, attached but not on this path: {}.", not_passed.join("; "));
    }
    text
}

fn cells(kernel: &str, row: &HookRow) -> Vec<String> {
    vec![
        kernel.to_owned(),
        row.kind.to_string(),
        row.real_against.as_deref().map_or("-".to_owned(), |base| base.replace('_', " ")),
        format!("{:.2}", row.runs),
        whole(row.empty_ns),
        row.real_ns.map_or_else(|| "-".to_owned(), whole),
        whole(row.body_ns),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hook_without_a_figure_has_a_dash() {
        let hooks = json!({ "untraced_ns": 22_770.0, "rows": [
            { "row": "meaning", "meaning": "fault_start", "hooks": [{ "backend": "fentry", "symbol": "do_swap_page" }], "runs": 1.0, "empty_ns": 131.7, "real_ns": null,
                "real_against": null, "body_ns": 240.0 },
            { "row": "meaning", "meaning": "pin_try", "hooks": [{ "backend": "fexit", "symbol": "swapcache_prepare" }], "runs": 1.0, "empty_ns": 193.0, "real_ns": 402.0,
                "real_against": "all_others", "body_ns": 180.0 }],
            "not_passed": [{ "meaning": "lock_try",
                "hooks": [{ "backend": "fentry", "symbol": "__folio_lock_or_retry" }] }] });
        let hooks = Some(serde_json::from_value(hooks).unwrap());
        let text = tables(&[Overhead { kernel: "6.12.117".into(), hooks, ..Overhead::default() }]);
        assert!(text.contains("| fault start: fentry do_swap_page | - | 1.00 | 132 | - | 240 |"), "{text}");
        assert!(text.contains("| pin try: fexit swapcache_prepare | all others | 1.00 | 193 | 402 | 180 |"), "{text}");
        assert!(
            text.contains("6.12.117, attached but not on this path: lock try: fentry __folio_lock_or_retry."),
            "{text}"
        );
    }

    #[test]
    fn without_hooks_there_is_no_table() {
        assert!(tables(&[Overhead::default()]).is_empty());
    }
}
