//! The benchmark in a guest.

use serde_json::Value;

use crate::trials::{
    checks::{Checked, Finished, ensure, number},
    steps::Era,
};

/// Every row is there, its pages went the way that the row is about, and threads that raced did wait.
pub(super) fn rows(era: Era, finished: &Finished) -> Checked {
    finished.expect_code(0)?;
    let value = finished.json()?;
    let rows = value.get("rows").and_then(Value::as_array).ok_or("no rows")?;
    let row = |name: &str| {
        let found = rows.iter().find(|row| row.get("name").and_then(Value::as_str) == Some(name));
        found.ok_or_else(|| format!("no row {name}"))
    };
    for name in ["direct", "cached", "contended 0%", "contended 1%", "contended 10%", "contended 50%"] {
        ensure(positive(row(name)?, "/median_ns"), || format!("{name}: no figure"))?;
        let observed = format!("{name}, observed");
        ensure(positive(row(&observed)?, "/median_ns"), || format!("{observed}: no figure"))?;
    }
    // Without the bypass everything goes through the swap cache.
    let direct = row("direct, observed")?;
    let expected = if era == Era::NoBypass { "cached" } else { "direct" };
    only(direct, expected)?;
    only(row("cached, observed")?, "cached")?;
    let contended = [row("contended 1%, observed")?, row("contended 10%, observed")?, row("contended 50%, observed")?];
    let sum = |pointer: &str| contended.iter().map(|row| number(row, pointer)).sum::<Result<u64, _>>();
    let overlaps = sum("/seen/overlaps")?;
    ensure(overlaps > 0, || "nobody met on contended pages".to_owned())?;
    let waits = sum("/seen/pin/wait/count")? + sum("/seen/lock/wait/count")?;
    Ok(format!("{} rows; where pages were contended {overlaps} overlaps and {waits} waits", rows.len()))
}

fn positive(row: &Value, pointer: &str) -> bool {
    row.pointer(pointer).and_then(Value::as_f64).is_some_and(|value| value > 0.0)
}

/// Every page of the row went this way.
fn only(row: &Value, path: &str) -> Result<(), String> {
    let (direct, cached) = (number(row, "/seen/paths/direct")?, number(row, "/seen/paths/cached")?);
    let right = if path == "direct" { direct > 0 && cached == 0 } else { cached > 0 && direct == 0 };
    ensure(right, || format!("{direct} pages were read past the swap cache, {cached} into it; all were to be {path}"))
}

/// Each hook that a swap-in passes ran once for each page (where an entry loses references one by one: as often), and has
/// its figures; the hooks on contended ways were not passed.
pub(super) fn hooks(_era: Era, finished: &Finished) -> Checked {
    finished.expect_code(0)?;
    let value = finished.json()?;
    let rows = value.pointer("/hooks/rows").and_then(Value::as_array).ok_or("no rows for hooks")?;
    let name = |row: &Value| row.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let runs = |row: &Value| row.get("runs").and_then(Value::as_f64).unwrap_or_default();
    for start in ["fault start: ", "fault end: "] {
        let row = rows.iter().find(|row| name(row).starts_with(start)).ok_or_else(|| format!("no row {start}"))?;
        ensure((runs(row) - 1.0).abs() < 0.01, || format!("{start}it ran {} times a page", runs(row)))?;
    }
    for row in rows {
        // Whatever they are: this machine may stop a guest in the middle of an empty program.
        let has = |figure| row.get(figure).is_some_and(Value::is_f64);
        ensure(has("empty_ns") && has("body_ns"), || format!("{}: no figures", name(row)))?;
    }
    let elsewhere = value.pointer("/hooks/elsewhere").map(Value::to_string).unwrap_or_default();
    ensure(elsewhere.contains("lock try: "), || format!("passed by none: {elsewhere}"))?;
    let all = rows.last().filter(|row| name(row) == "all hooks").ok_or("no row for all hooks")?;
    Ok(format!("{} rows; all hooks together ran {:.2} times a page", rows.len(), runs(all)))
}

/// Exit codes in order; and nothing behind them.
pub(super) fn refused(_era: Era, finished: &Finished) -> Checked {
    let lines: Vec<&str> = finished.stdout.lines().collect();
    ensure(lines == ["2", "3", "3", "3"], || format!("{lines:?}; standard error: {}", finished.stderr.trim()))?;
    let told = ["from 1M to 64G", "too little memory", "no zram", "other swap is in use", "nothing was changed"];
    let missing: Vec<_> = told.into_iter().filter(|words| !finished.stderr.contains(words)).collect();
    ensure(missing.is_empty(), || format!("not told: {missing:?}; {}", finished.stderr.trim()))?;
    Ok("no pages, too little memory, no zram, other swap: refused, and nothing left".to_owned())
}

/// It says that it was stopped, and nothing is left.
pub(super) fn interrupted(_era: Era, finished: &Finished) -> Checked {
    let lines: Vec<&str> = finished.stdout.lines().collect();
    ensure(lines == ["4"], || format!("{lines:?}; standard error: {}", finished.stderr.trim()))?;
    ensure(finished.stderr.contains("stopped by signal 15"), || finished.stderr.trim().to_owned())?;
    Ok("stopped by a signal: no swap, no device, no process left".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(stdout: &str, stderr: &str) -> Finished {
        Finished { code: 0, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }

    fn row(name: &str, direct: u64, cached: u64) -> Value {
        serde_json::json!({ "name": name, "median_ns": 1.5, "seen": { "paths": { "direct": direct, "cached": cached },
            "overlaps": 3, "pin": { "wait": { "count": 2 } }, "lock": { "wait": { "count": 0 } } } })
    }

    fn all(direct: (u64, u64), cached: (u64, u64)) -> String {
        let mut rows = vec![row("direct, observed", direct.0, direct.1), row("cached, observed", cached.0, cached.1)];
        for percent in [0, 1, 10, 50] {
            rows.push(row(&format!("contended {percent}%"), 1, 0));
            rows.push(row(&format!("contended {percent}%, observed"), 1, 0));
        }
        rows.extend([row("direct", 1, 0), row("cached", 1, 0)]);
        serde_json::json!({ "rows": rows }).to_string()
    }

    #[test]
    fn pages_must_have_gone_the_way_of_their_row() {
        assert!(rows(Era::Pinned, &ran(&all((9, 0), (0, 9)), "")).is_ok());
        assert!(rows(Era::Pinned, &ran(&all((9, 0), (1, 8)), "")).is_err());
        assert!(rows(Era::Pinned, &ran(&all((0, 9), (0, 9)), "")).is_err());
        assert!(rows(Era::NoBypass, &ran(&all((0, 9), (0, 9)), "")).is_ok());
        assert!(rows(Era::Pinned, &ran(&all((9, 0), (0, 9)).replace("contended 1%\"", "x\""), "")).is_err());
        assert!(rows(Era::Pinned, &ran(&all((9, 0), (0, 9)).replace("\"overlaps\":3", "\"overlaps\":0"), "")).is_err());
    }

    #[test]
    fn a_hook_must_have_run_once_a_page() {
        let told = |runs: f64, elsewhere: &str| {
            let row =
                |name: &str| serde_json::json!({ "name": name, "runs": runs, "empty_ns": 120.0, "body_ns": 200.0 });
            let rows = ["fault start: fentry x", "fault end: fexit x", "all hooks"].map(row);
            let hooks = serde_json::json!({ "rows": rows, "elsewhere": [elsewhere] });
            ran(&serde_json::json!({ "hooks": hooks }).to_string(), "")
        };
        assert!(hooks(Era::Pinned, &told(1.0, "lock try: fentry y")).is_ok());
        assert!(hooks(Era::Pinned, &told(0.9, "lock try: fentry y")).is_err());
        assert!(hooks(Era::Pinned, &told(1.0, "")).is_err());
        assert!(hooks(Era::Pinned, &ran("{}", "")).is_err());
    }

    #[test]
    fn a_device_that_is_left_is_not_overlooked() {
        assert!(interrupted(Era::Pinned, &ran("4\n", "stopped by signal 15")).is_ok());
        assert!(interrupted(Era::Pinned, &ran("4\n/sys/block/zram0\n", "stopped by signal 15")).is_err());
        let told = "from 1M to 64G; too little memory; no zram; other swap is in use; nothing was changed";
        assert!(refused(Era::Pinned, &ran("2\n3\n3\n3\n", told)).is_ok());
        assert!(refused(Era::Pinned, &ran("2\n3\n3\n3\n/sys/block/zram0\n", told)).is_err());
        assert!(refused(Era::Pinned, &ran("2\n3\n0\n3\n", told)).is_err());
    }
}
