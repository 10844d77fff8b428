//! The terms of the output, each defined once: `docs/glossary.md`, the dashboard's help and the man page are made from
//! this list.

use std::fmt::Write as _;

pub struct Term {
    pub name: &'static str,
    pub meaning: &'static str,
}

pub struct Section {
    pub title: &'static str,
    pub terms: &'static [Term],
}

const fn term(name: &'static str, meaning: &'static str) -> Term {
    Term { name, meaning }
}

pub const SECTIONS: &[Section] = &[
    Section {
        title: "swap-in",
        terms: &[
            term("swap entry", "A swap type and an offset in pages, printed type:offset with the device beside it."),
            term("range", "Consecutive entries of a large folio. Two faults conflict if their ranges intersect."),
            term(
                "fault",
                "A swap-in fault: one call of do_swap_page by one task on a real swap entry. Migration, \
                 device-private, hwpoison and marker entries are only counted.",
            ),
            term("starts, ends", "do_swap_page is called, and returns. In between the fault is in progress."),
            term("direct", "A fault, or its read, that skips the swap cache. Only synchronous swap devices allow it."),
            term("cached", "A fault that finds its page in the swap cache, or reads it through the swap cache."),
            term("reader", "A fault that reads the device directly."),
            term(
                "synchronous",
                "A swap device whose reads complete before the call returns: zram, brd, pmem. Others are asynchronous.",
            ),
            term(
                "allocated, freed",
                "The entry was given to a page that is being swapped out; its last reference was dropped. Reallocated: \
                 allocated again after a free.",
            ),
            term(
                "write started",
                "The kernel started to write the content of a page to the entry. Written: it is done.",
            ),
            term("generation", "How often an entry has been allocated since observer first saw it."),
        ],
    },
    Section {
        title: "waiting",
        terms: &[
            term(
                "pin, pin hold",
                "A fault pins an entry when swapcache_prepare succeeds, and holds it until swapcache_clear.",
            ),
            term(
                "pin wait",
                "The time that a task spends because another task holds the pin, across all its retries, until it \
                 makes progress.",
            ),
            term("lock wait", "The same for the folio lock, on the path through the swap cache."),
            term(
                "contended",
                "A pin or lock that another task holds when it is tried. A contended entry has had two faults in \
                 progress at once.",
            ),
            term(
                "stall",
                "A fault, or a pin wait, that has been in progress for more than a second. It is shown while it lasts, \
                 and reported if the observation ends first.",
            ),
            term("oversleep, overslept", "The part of a wait after the pin or lock was released."),
            term("tick", "The kernel's timer period, 1/HZ: a pin wait without a wait queue sleeps for one."),
        ],
    },
    Section {
        title: "verdicts, from the lowest to the highest that the evidence supports",
        terms: &[
            term(
                "overlap",
                "Two or more faults on intersecting ranges are in progress. It has a depth and a duration.",
            ),
            term("lock-wait", "A fault waited for the folio lock."),
            term("pin-wait", "A fault waited for the pin."),
            term(
                "window",
                "A direct, unpinned fault had started its read, and another task freed the entry before it ended.",
            ),
            term("reuse", "A window in which the entry was also reallocated."),
            term("stale-install", "A reuse in which the reader then installed the page that it had read: data loss."),
            term("finding", "A window, reuse or stale install with its evidence."),
            term("overtaken", "A reader whose entry was freed before its fault ended."),
            term("data loss", "A stale page was installed over newer content."),
        ],
    },
    Section {
        title: "observing",
        terms: &[
            term("vulnerable", "The kernel lacks the fix for CVE-2024-26759."),
            term("reachable", "A synchronous swap device is in use, so faults can skip the swap cache."),
            term(
                "dropped events",
                "Events that are known to have happened and were not observed, counted by cause. A count is 0 only \
                 if no events were dropped.",
            ),
            term(
                "hook",
                "An eBPF program on a kernel function: by fentry or fexit where the kernel supports it, else by a \
                 kprobe.",
            ),
            term("degraded", "A hook that this kernel does not allow, and what is therefore not seen."),
            term(
                "not observable",
                "A verdict that a degraded hook may hide: a count is a lower bound, 0 is no result, and the exit code \
                 is 20.",
            ),
            term("redundant hook", "A hook that the lean set omits because another hook gives the same verdicts."),
            term("overhead", "What observing costs: CPU time, memory, run time of the programs."),
            term(
                "delay injection",
                "--widen delays chosen tasks after their read, so that a narrow race has time to happen. Only with a \
                 command.",
            ),
        ],
    },
];

/// What a term means; `None`: it is no term.
pub fn meaning(name: &str) -> Option<&'static str> {
    SECTIONS.iter().flat_map(|section| section.terms).find(|term| term.name == name).map(|term| term.meaning)
}

/// The content of `docs/glossary.md`.
pub fn markdown() -> String {
    let mut text = "# Glossary\n\nAlso in the dashboard (`?` `?`) and the man page. This file is generated from\n\
                    `observer/crates/report/src/glossary.rs`: `UPDATE_DOCS=1 cargo test -p observer-report`.\n"
        .to_owned();
    for Section { title, terms } in SECTIONS {
        let mut letters = title.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        let title: String = first.into_iter().chain(letters).collect();
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {title}\n\n| term | meaning |\n|---|---|\n");
        for Term { name, meaning } in *terms {
            let _ = writeln!(text, "| {name} | {meaning} |");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashSet, env, fs};

    #[test]
    fn the_document_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/glossary.md");
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(path, markdown()).unwrap();
        }
        let document = fs::read_to_string(path).unwrap_or_default();
        assert!(document == markdown(), "docs/glossary.md is outdated: run this test with UPDATE_DOCS=1");
    }

    #[test]
    fn every_term_is_defined_once() {
        let names: Vec<&str> =
            SECTIONS.iter().flat_map(|section| section.terms).flat_map(|term| term.name.split(", ")).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    }
}
