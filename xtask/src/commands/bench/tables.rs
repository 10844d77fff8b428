//! The tables of `bench pin`. Pure: JSON in, Markdown out.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::pin::Measured;

/// Between these lines of the page the tables are.
const START: &str = "<!-- tables: written by `cargo xtask bench pin --write` -->";
const END: &str = "<!-- tables: end -->";

/// Rows of the benchmark that are shown.
const SHARES: [&str; 3] = ["contended 1%, observed", "contended 10%, observed", "contended 50%, observed"];

/// Both tables.
pub(super) fn tables(all: &[Measured]) -> Result<String> {
    Ok(format!("{}\n{}", contended(all)?, counted(all)?))
}

fn contended(all: &[Measured]) -> Result<String> {
    let mut text = String::from(
        "| kernel | what it does about the race | pages contended | waits for | waits | retries | wait p50 | p99 | max | oversleep p50 | p99 | pages/s | read twice |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for measured in all {
        for name in SHARES {
            let row = row(&measured.contended, name)?;
            let pin = number(row, "/seen/pin/wait/count")?;
            let (kind, at) = if pin > 0.0 { ("pin", "/seen/pin") } else { ("folio lock", "/seen/lock") };
            let of = |what: &str| number(row, &format!("{at}{what}"));
            let time = |what: &str| of(what).map(duration);
            let waits = of("/wait/count")?;
            let (kind, times) = if waits > 0.0 {
                let oversleep = |what: &str| {
                    if of("/oversleep/count")? > 0.0 { time(what) } else { Ok("not known".to_owned()) }
                };
                let times = [
                    time("/wait/p50_ns")?,
                    time("/wait/p99_ns")?,
                    time("/wait/max_ns")?,
                    oversleep("/oversleep/p50_ns")?,
                    oversleep("/oversleep/p99_ns")?,
                ];
                (kind, times.join(" | "))
            } else {
                ("nothing", ["-"; 5].join(" | "))
            };
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} | {}% | {kind} | {waits} | {} | {times} | {:.0} | {} |",
                measured.release,
                state(&measured.contended),
                number(row, "/crowd/percent")?,
                of("/retries")?,
                number(row, "/crowd/pages_per_second")?,
                number(row, "/crowd/read_twice")?
            );
        }
    }
    Ok(text)
}

fn counted(all: &[Measured]) -> Result<String> {
    let mut text = String::from(
        "| kernel | direct | observed | cached | observed | pin taken | dropped | share of a direct swap-in |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for Measured { release, counted, .. } in all {
        let cost = |name: &str| number(row(counted, name)?, "/median_ns");
        let (direct, cached) = (cost("direct")?, cost("cached")?);
        let over = |observed: f64, base: f64| 100.0 * (observed / base - 1.0);
        let pin = match row(counted, "pin") {
            Ok(pin) => format!(
                "{:.0} | {:.0} | {:.2}%",
                number(pin, "/pin/take_ns")?,
                number(pin, "/pin/drop_ns")?,
                100.0 * number(pin, "/ratio")?
            ),
            Err(_) => "- | - | -".to_owned(),
        };
        let _ = writeln!(
            text,
            "| {release} | {direct:.0} | {:+.1}% | {cached:.0} | {:+.1}% | {pin} |",
            over(cost("direct, observed")?, direct),
            over(cost("cached, observed")?, cached)
        );
    }
    Ok(text)
}

/// What the kernel does, as the benchmark has it.
fn state(value: &Value) -> &str {
    value.pointer("/kernel/state").and_then(Value::as_str).unwrap_or("not known")
}

fn row<'a>(value: &'a Value, name: &str) -> Result<&'a Value> {
    let rows = value.get("rows").and_then(Value::as_array).context("no rows")?;
    let found = rows.iter().find(|row| row.get("name").and_then(Value::as_str) == Some(name));
    found.with_context(|| format!("no row {name}"))
}

fn number(value: &Value, pointer: &str) -> Result<f64> {
    value.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no number at {pointer}"))
}

/// Three digits and a unit that fits.
fn duration(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "us"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// The page with these tables in place of those it has.
pub(super) fn put(page: &str, tables: &str) -> Result<String> {
    let (before, rest) = page.split_once(START).with_context(|| format!("the page has no line {START}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("the page has no line {END}"))?;
    Ok(format!("{before}{START}\n{tables}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn measured() -> Measured {
        let waits = |count: u64| {
            json!({ "wait": { "count": count, "p50_ns": 4_000_000, "p99_ns": 8_000_000, "max_ns": 9_500_000 },
                "oversleep": { "count": count, "p50_ns": 2_000_000, "p99_ns": 4_000_000 }, "retries": count })
        };
        let crowd = |name: &str, pin: u64, lock: u64| {
            json!({ "name": name, "seen": { "pin": waits(pin), "lock": waits(lock) },
                "crowd": { "percent": 10, "pages_per_second": 1234.5, "read_twice": 0 } })
        };
        let rows = [crowd(SHARES[0], 0, 0), crowd(SHARES[1], 7, 1), crowd(SHARES[2], 0, 3)];
        let cost = |name: &str, median: f64| json!({ "name": name, "median_ns": median });
        let mut counted = vec![cost("direct", 1000.0), cost("direct, observed", 1060.0), cost("cached", 900.0)];
        counted.extend([cost("cached, observed", 990.0)]);
        counted.push(json!({ "name": "pin", "ratio": 0.0214, "pin": { "take_ns": 12.4, "drop_ns": 9.0 } }));
        Measured {
            release: "6.1.192".to_owned(),
            contended: json!({ "kernel": { "state": "pinned, sleeps one tick" }, "rows": rows }),
            counted: json!({ "rows": counted }),
        }
    }

    #[test]
    fn a_table_says_what_was_waited_for_and_how_long() {
        let text = tables(&[measured()]).unwrap();
        assert!(text.contains("| 6.1.192 | pinned, sleeps one tick | 10% | pin | 7 | 7 | 4.00 ms | 8.00 ms | 9.50 ms | 2.00 ms | 4.00 ms | 1234 | 0 |"), "{text}");
        assert!(text.contains("| folio lock | 3 |") && text.contains("| nothing | 0 |"), "{text}");
        assert!(text.contains("| 6.1.192 | 1000 | +6.0% | 900 | +10.0% | 12 | 9 | 2.14% |"), "{text}");
    }

    #[test]
    fn a_row_that_is_missing_is_told() {
        let mut without = measured();
        without.counted = json!({ "rows": [] });
        assert!(tables(&[without]).unwrap_err().to_string().contains("no row direct"));
    }

    #[test]
    fn tables_replace_those_of_the_page_and_nothing_else() {
        let page = format!("a\n{START}\nold\n{END}\nb\n");
        assert_eq!(put(&page, "new\n").unwrap(), format!("a\n{START}\nnew\n{END}\nb\n"));
        assert!(put("a", "new").is_err());
    }
}
