//! Changes of the kernel's source. Each finds what it changes by its shape, and fails if that is not there exactly as
//! often as it was when the change was written: a kernel that is not what its name says is worse than none.

use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Without the fix of CVE-2024-26759 (13ddaf26be32 "mm/swap: fix race when skipping swapcache").
    Unfixed,
    /// No device is synchronous, so that the swap cache is never skipped.
    NonDirect,
}

/// The source is not as it was when the edit was written.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Changed {
    #[error("it has {what:?} {found} times, not {expected}")]
    Count { what: &'static str, expected: usize, found: usize },
    #[error("the text around {what:?} has another shape")]
    Shape { what: &'static str },
    #[error("{what:?} is still there after the edit")]
    Left { what: &'static str },
}

type Change = fn(&str) -> Result<String, Changed>;

impl Edit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unfixed => "unfixed",
            Self::NonDirect => "nondirect",
        }
    }

    /// The changed files, below the source, each with its change.
    pub(super) fn files(self) -> &'static [(&'static str, Change)] {
        match self {
            Self::Unfixed => &[("mm/memory.c", without_pin), ("mm/swapfile.c", without_clear)],
            Self::NonDirect => &[("mm/swapfile.c", never_synchronous)],
        }
    }
}

const VARIABLE: &str = "need_clear_cache";
const DECLARED: &str = "bool need_clear_cache = false;";
const TAKEN: &str = "if (swapcache_prepare(entry)) {";
const SET: &str = "need_clear_cache = true;";
const TESTED: &str = "if (need_clear_cache)";
const CLEARED: &str = "swapcache_clear(si, entry);";
const CLEAR: &str = "void swapcache_clear(struct swap_info_struct *si, swp_entry_t entry)";
const SYNCHRONOUS: &str = "SWP_SYNCHRONOUS_IO";
const SETS_SYNCHRONOUS: &str = "p->flags |= SWP_SYNCHRONOUS_IO;";

/// `do_swap_page` without the block that takes the pin, the variable that says so, and both uses of it.
fn without_pin(text: &str) -> Result<String, Changed> {
    let lines: Vec<&str> = text.lines().collect();
    let declared = only(&lines, DECLARED)?;
    let taken = only(&lines, TAKEN)?;
    let closed = closing(&lines, taken, TAKEN)?;
    if is_not(&lines, closed + 1, SET) {
        return Err(Changed::Shape { what: SET });
    }
    let tested = all(&lines, TESTED, 2)?;
    if tested.iter().any(|at| is_not(&lines, at + 1, CLEARED)) {
        return Err(Changed::Shape { what: TESTED });
    }
    let removed = |at: usize| {
        at == declared
            || (taken..=closed + 1).contains(&at)
            || tested.iter().any(|start| (*start..=start + 1).contains(&at))
    };
    without(&lines, removed, &[VARIABLE, "swapcache_prepare(", "swapcache_clear("])
}

/// mm/swapfile.c without `swapcache_clear`.
fn without_clear(text: &str) -> Result<String, Changed> {
    let lines: Vec<&str> = text.lines().collect();
    let start = only(&lines, CLEAR)?;
    if is_not(&lines, start + 1, "{") {
        return Err(Changed::Shape { what: CLEAR });
    }
    let end = closing(&lines, start + 1, CLEAR)?;
    without(&lines, |at| (start..=end).contains(&at), &["swapcache_clear("])
}

/// mm/swapfile.c without the statement that marks a device as synchronous.
fn never_synchronous(text: &str) -> Result<String, Changed> {
    let lines: Vec<&str> = text.lines().collect();
    let set = only(&lines, SETS_SYNCHRONOUS)?;
    let condition = set.checked_sub(1).and_then(|at| lines.get(at)).map(|line| line.trim());
    if !condition.is_some_and(|line| line.starts_with("if (") && line.ends_with(')')) {
        return Err(Changed::Shape { what: SETS_SYNCHRONOUS });
    }
    without(&lines, |at| at == set || at + 1 == set, &[SYNCHRONOUS])
}

fn is_not(lines: &[&str], at: usize, what: &str) -> bool {
    lines.get(at).is_none_or(|line| line.trim() != what)
}

/// The line that is `what`, without its indentation.
fn only(lines: &[&str], what: &'static str) -> Result<usize, Changed> {
    all(lines, what, 1).map(|at| at.first().copied().unwrap_or_default())
}

fn all(lines: &[&str], what: &'static str, expected: usize) -> Result<Vec<usize>, Changed> {
    let found: Vec<usize> = (0..lines.len()).filter(|at| !is_not(lines, *at, what)).collect();
    if found.len() == expected { Ok(found) } else { Err(Changed::Count { what, expected, found: found.len() }) }
}

/// The line that closes the block which the line at `start` opens: `}` with the indentation of `start`.
fn closing(lines: &[&str], start: usize, what: &'static str) -> Result<usize, Changed> {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let outer = lines.get(start).map_or(0, |line| indentation(line));
    let mut after = lines.iter().enumerate().skip(start + 1).filter(|(_, line)| !line.trim().is_empty());
    match after.find(|(_, line)| indentation(line) <= outer) {
        Some((at, line)) if line.trim() == "}" => Ok(at),
        _ => Err(Changed::Shape { what }),
    }
}

/// The lines that are not removed. None of `gone` may be left.
fn without(lines: &[&str], removed: impl Fn(usize) -> bool, gone: &[&'static str]) -> Result<String, Changed> {
    let kept = lines.iter().enumerate().filter(|(at, _)| !removed(*at)).map(|(_, line)| *line);
    let text: String = kept.flat_map(|line| [line, "\n"]).collect();
    match gone.iter().find(|what| text.contains(**what)) {
        Some(what) => Err(Changed::Left { what }),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shape of `do_swap_page` with the fix.
    const FAULT: &str = "\
int fault(void)
{
\tbool need_clear_cache = false;
\tint ret = 0;

\tif (first) {
\t\tif (direct) {
\t\t\tif (swapcache_prepare(entry)) {

\t\t\t\tsleep(1);
\t\t\t\tgoto out;
\t\t\t}
\t\t\tneed_clear_cache = true;

\t\t\tread();
\t\t}
\t}
out:
\tif (need_clear_cache)
\t\tswapcache_clear(si, entry);
\treturn ret;
out_page:
\tif (need_clear_cache)
\t\tswapcache_clear(si, entry);
\treturn ret;
}
";

    const SWAPFILE: &str = "\
int before;

void swapcache_clear(struct swap_info_struct *si, swp_entry_t entry)
{
\tif (last) {
\t\tfree(entry);
\t}
}

void on(void)
{
\tif (p->bdev && rw_page)
\t\tp->flags |= SWP_SYNCHRONOUS_IO;

\tafter();
}
";

    #[test]
    fn the_pin_is_removed_and_nothing_else() {
        let expected = "\
int fault(void)
{
\tint ret = 0;

\tif (first) {
\t\tif (direct) {

\t\t\tread();
\t\t}
\t}
out:
\treturn ret;
out_page:
\treturn ret;
}
";
        assert_eq!(without_pin(FAULT).unwrap(), expected);
    }

    #[test]
    fn a_function_with_blocks_is_removed_as_a_whole() {
        let text = without_clear(SWAPFILE).unwrap();
        assert!(text.starts_with("int before;\n\n\nvoid on(void)\n"), "{text}");
        assert!(text.ends_with("\tafter();\n}\n"), "{text}");
    }

    #[test]
    fn the_condition_of_a_removed_statement_is_removed_as_well() {
        let text = never_synchronous(SWAPFILE).unwrap();
        assert!(text.contains("void on(void)\n{\n\n\tafter();\n}\n"), "{text}");
    }

    #[test]
    fn a_changed_source_is_an_error() {
        let count = |what, expected, found| Changed::Count { what, expected, found };
        let changed = |old: &str, new: &str| without_pin(&FAULT.replacen(old, new, 1)).unwrap_err();
        assert_eq!(without_pin("").unwrap_err(), count(DECLARED, 1, 0));
        assert_eq!(changed("\tif (need_clear_cache)\n", "\tif (other)\n"), count(TESTED, 2, 1));
        assert_eq!(changed("swapcache_prepare(entry)", "swapcache_prepare(entry, 1)"), count(TAKEN, 1, 0));
        assert_eq!(changed("\t\t\tneed_clear_cache = true;\n", "\t\t\tx();\n"), Changed::Shape { what: SET });
        assert_eq!(changed("\t\t\t}\n\t\t\tneed", "\t\t\t} else {\n\t\t\tneed"), Changed::Shape { what: TAKEN });
        assert_eq!(changed("\t\tswapcache_clear(si, entry);", "\t\tclear();"), Changed::Shape { what: TESTED });
        let used = changed("\t\t\tread();\n", "\t\t\tread(need_clear_cache);\n");
        assert_eq!(used, Changed::Left { what: VARIABLE });
        let twice = format!("{SWAPFILE}{SWAPFILE}");
        assert_eq!(without_clear(&twice).unwrap_err(), count(CLEAR, 1, 2));
        assert_eq!(
            without_clear(&SWAPFILE.replace("int before;", "swapcache_clear(0);")).unwrap_err(),
            Changed::Left { what: "swapcache_clear(" }
        );
        assert_eq!(never_synchronous(&twice).unwrap_err(), count(SETS_SYNCHRONOUS, 1, 2));
        let other = SWAPFILE.replace("\tif (p->bdev && rw_page)\n", "\tx();\n");
        assert_eq!(never_synchronous(&other).unwrap_err(), Changed::Shape { what: SETS_SYNCHRONOUS });
    }
}
