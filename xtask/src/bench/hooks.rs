//! What each hook costs that an uncontended direct swap-in passes: empty, and with its own program.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{
    counted::Counted,
    markdown::{table, whole},
    overhead::Overhead,
    sets::WORKLOAD,
};

/// What `observer bench swapin --rows hooks --json` tells; in instructions here, since a guest nanosecond is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hooks {
    /// A page swapped in with nothing attached.
    pub untraced_ns: f64,
    /// One for each hook, and for some together.
    pub rows: Vec<HookRow>,
    /// Hooks that are attached and were not passed.
    pub elsewhere: Vec<String>,
}

/// One hook, or several together; everything is for each page swapped in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HookRow {
    /// What for, how, and where.
    pub name: String,
    /// How often its program ran.
    pub runs: f64,
    /// What an empty program adds there.
    pub empty_ns: f64,
    /// What its own adds; `None`: it has nothing to do alone, nor the others without it.
    pub real_ns: Option<f64>,
    /// Against what: `nothing`, or `all_others` attached.
    pub real_against: Option<String>,
    /// The body of its own program, by the kernel's count.
    pub body_ns: f64,
}

#[derive(Debug, Deserialize)]
struct Told {
    hooks: Option<Hooks>,
    notes: Vec<String>,
}

/// Measures the full set's hooks in one guest.
pub(super) fn measure(guest: &Counted<'_>) -> Result<Hooks> {
    let told: Vec<Told> = guest.run(&format!("{WORKLOAD} --rows hooks"))?;
    let told = told.into_iter().next().context("the benchmark gave no figures")?;
    told.hooks.with_context(|| format!("the benchmark gave no rows for hooks: {}", told.notes.join("; ")))
}

/// All kernels' hooks; empty: nobody measured them.
pub(super) fn tables(all: &[Overhead]) -> String {
    let with: Vec<_> = all.iter().filter_map(|kernel| Some((&kernel.kernel, kernel.hooks.as_ref()?))).collect();
    if with.is_empty() {
        return String::new();
    }
    let head = ["kernel", "hook", "real is against", "runs", "empty", "real", "body"];
    let rows = with.iter().flat_map(|(kernel, hooks)| hooks.rows.iter().map(|row| cells(kernel, row)));
    let mut text = table(&head, 3, &rows.collect::<Vec<_>>());
    for (kernel, hooks) in with {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "\n{kernel}, attached and not passed: {}.", hooks.elsewhere.join("; "));
    }
    text
}

fn cells(kernel: &str, row: &HookRow) -> Vec<String> {
    let against = row.real_against.as_deref().map_or("-".to_owned(), |against| against.replace('_', " "));
    vec![
        kernel.to_owned(),
        row.name.clone(),
        against,
        format!("{:.2}", row.runs),
        whole(row.empty_ns),
        row.real_ns.map_or_else(|| "-".to_owned(), whole),
        whole(row.body_ns),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = r#"{"rows":[],"hooks":{"untraced_ns":22770.0,"untraced_spread":0.001,"rows":[
        {"name":"fault start: fentry do_swap_page","runs":1.0,"empty_ns":131.7,"real_ns":null,"real_against":null,"body_ns":240.0},
        {"name":"pin try: fexit swapcache_prepare","runs":1.0,"empty_ns":193.0,"real_ns":402.0,"real_against":"all_others","body_ns":180.0}],
        "elsewhere":["lock try: fentry __folio_lock_or_retry"]},"notes":[]}"#;

    #[test]
    fn what_was_told_becomes_rows_and_a_hook_without_a_figure_has_none() {
        let hooks = serde_json::from_str::<Told>(TOLD).unwrap().hooks;
        let text = tables(&[Overhead { kernel: "6.12.117".into(), hooks, ..Overhead::default() }]);
        assert!(text.contains("| fault start: fentry do_swap_page | - | 1.00 | 132 | - | 240 |"), "{text}");
        assert!(text.contains("| pin try: fexit swapcache_prepare | all others | 1.00 | 193 | 402 | 180 |"), "{text}");
        assert!(text.contains("6.12.117, attached and not passed: lock try: fentry __folio_lock_or_retry."), "{text}");
    }

    #[test]
    fn without_hooks_there_is_no_table() {
        assert!(tables(&[Overhead::default()]).is_empty());
    }
}
