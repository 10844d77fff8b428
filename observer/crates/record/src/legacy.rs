//! Names and phrases of format versions 1.0 and 1.1, mapped to today's codes before anything else reads them.
//!
//! Those versions stored English phrases, other names of counters and keys, and the addresses of address spaces. The frames
//! of such a file are rewritten as JSON values; everything behind this module knows today's names only.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// The first minor version whose names and codes are today's.
const FIRST_WITH_CODES: u16 = 2;

/// An old name or phrase, and today's code.
type Alias = (&'static str, &'static str);

/// Counters whose name has changed. All others have kept theirs.
const COUNTERS: &[Alias] = &[
    ("begun", "started"),
    ("handed_out", "allocated"),
    ("pin_lost", "pin_contended"),
    ("lost_table_full", "fault_table_full"),
    ("lost_flight_end", "fault_end_missed"),
    ("lost_ring_flight", "ring_full_fault"),
    ("lost_ring_entry", "ring_full_entry"),
    ("lost_pin_return", "pin_return_missed"),
    ("lost_write_end", "write_end_missed"),
    ("lost_watch_full", "watch_table_full"),
    ("lost_copy", "kernel_read_failed"),
    ("spans_noted", "spans_ended"),
    ("widened", "delays"),
    ("widened_short", "delays_short"),
];

const SAMPLE_KEYS: &[Alias] = &[("flight_times", "fault_times")];

const STATES: &[Alias] = &[
    ("unfixed: ABA possible", "vulnerable"),
    ("pinned, sleeps one tick", "pinned_tick"),
    ("pinned, wait queue", "pinned_wait_queue"),
    ("pinned, way of waiting not shown", "pinned"),
    ("no bypass", "no_bypass"),
];

/// What hooks are for: in words, and as a key of the degraded ones.
const MEANINGS: &[Alias] = &[
    ("flight begin", "fault_start"),
    ("flight_begin", "fault_start"),
    ("flight end", "fault_end"),
    ("flight_end", "fault_end"),
    ("read begin", "read_start"),
    ("read_begin", "read_start"),
    ("read end", "read_end"),
    ("cache read", "cache_read"),
    ("pin try", "pin_try"),
    ("pin sleep", "pin_sleep"),
    ("pin drop", "pin_drop"),
    ("pin path", "pin_path"),
    ("lock try", "lock_try"),
    ("lock end", "lock_end"),
    ("count drop", "count_drop"),
    ("entry freed", "entry_freed"),
    ("freed", "entry_freed"),
    ("entry handed out", "entry_allocated"),
    ("handed_out", "entry_allocated"),
    ("write begin", "write_start"),
    ("write_begin", "write_start"),
    ("write end", "write_end"),
    // Until the start and the end of a write were hooked apart.
    ("entry written", "write_start"),
    ("written", "write_start"),
];

/// What was not seen without a hook.
const CONSEQUENCES: &[Alias] = &[
    ("nothing can be observed", "nothing_observed"),
    ("flights are missed", "faults_missed"),
    ("paths and swap-ins are unknown: no window, reuse or stale-install can be told", "reads_unknown"),
    ("how long a read took is unknown", "read_durations_unknown"),
    (
        "how long a read took is not seen with lean hooks, and the begin of its flight stands for its own",
        "read_times_unknown",
    ),
    ("reads must be hooked to tell by which path they go", "read_hooks_needed"),
    ("pin waits are not seen", "pin_waits_unseen"),
    (
        "which error a loser of the pin got, failed pin tries outside flights, and how many pages a large folio brings in \
         past the swap cache (it counts as one), are not seen with lean hooks",
        "pin_errors_unseen",
    ),
    ("holds and oversleep are unknown", "pin_holds_unknown"),
    ("who held a pin, for how long, and how long losers overslept, is not seen with lean hooks", "pin_holds_unknown"),
    ("failed pin tries of shmem and of zswap's write-back are counted with the others", "pin_paths_merged"),
    ("pages that shmem reads past the swap cache (6.14 to 6.19) are not seen with lean hooks", "shmem_reads_unseen"),
    ("waits on the folio lock are not seen", "lock_waits_unseen"),
    ("a wait on the folio lock is taken to last until its flight returns", "lock_waits_too_long"),
    (
        "what happens between a reader's install and its return, while others hold the entry, is charged to it",
        "late_changes_counted",
    ),
    ("windows are not seen; reuse and stale-install are", "windows_unseen"),
    ("reuse and stale-install are seen by the write alone", "some_reuse_missed"),
    ("reuse and stale-install are seen by the write alone, and some are missed", "some_reuse_missed"),
    ("a read that falls between a hand-out and its write is taken for fresh", "unwritten_reads_fresh"),
    ("a read that falls into a write is taken for fresh", "reads_during_write_fresh"),
];

/// In front of a consequence: some functions of the meaning were hooked.
const IN_PART: &str = "in part: ";

/// Why a function was hooked by a kprobe.
const NO_TRAMPOLINE: &[Alias] = &[
    ("--backend kprobe asks for kprobes", "kprobes_requested"),
    ("no trial load was made", "not_tried"),
    ("programs may not copy kernel memory here", "no_memory_copy"),
    ("programs may not copy kernel memory under this lockdown", "no_memory_copy"),
    ("this kernel cannot divert functions to a trampoline (no register_ftrace_direct)", "no_direct_calls"),
];

/// Behind the prototype of a function that was hooked by a trampoline.
const TRAMPOLINE_ACCEPTED: &str = ": the trampoline takes it";

/// In front of a function that the lean set omits, which is followed by a colon and the reason.
const LEAN_OMITS: &str = "--hooks lean leaves out ";

/// Why the lean set omits a hook.
const INSTEAD: &[Alias] = &[
    ("when a read began and came back is evidence of a finding, and decides none", "read_times_are_evidence"),
    ("who loses the pin sleeps, and that is hooked; who reads past the swap cache has it", "pin_sleep_hooked"),
    ("nobody can be overtaken while the pin is held, whoever holds it", "pin_protects"),
    ("it tells who takes pins outside flights, and nothing tells of those pins", "pins_outside_unseen"),
    ("nobody can free an entry under a reader that has pinned it", "pinned_entries_stay"),
    ("nobody reads past the swap cache here, so nothing follows from a release", "nothing_read_directly"),
];

const END_REASONS: &[Alias] = &[("onlooker", "observer")];

/// Whether files of this minor version have the old names.
pub(crate) const fn is_legacy(minor: u16) -> bool {
    minor < FIRST_WITH_CODES
}

/// Rewrites the header.
pub(crate) fn header(header: &mut Value) {
    if let Some(before) = header.get_mut("before") {
        sample(before);
    }
    if let Some(kernel) = header.pointer_mut("/context/kernel").and_then(Value::as_object_mut) {
        rewrite_kernel(kernel);
    }
}

/// Rewrites a sample.
pub(crate) fn sample(sample: &mut Value) {
    if let Some(sample) = sample.as_object_mut() {
        rename(sample, SAMPLE_KEYS);
    }
    if let Some(counters) = sample.get_mut("counters").and_then(Value::as_object_mut) {
        rename(counters, COUNTERS);
    }
}

/// Rewrites the footer.
pub(crate) fn footer(footer: &mut Value) {
    if let Some(ended) = footer.pointer_mut("/ending/ended") {
        replace(ended, END_REASONS);
    }
}

fn rewrite_kernel(kernel: &mut Map<String, Value>) {
    if let Some(state) = kernel.get_mut("state") {
        replace(state, STATES);
    }
    let hook_set = match kernel.remove("hooks") {
        Some(Value::String(name)) if !name.is_empty() => name,
        // Files from before there was a choice.
        _ => "full".to_owned(),
    };
    kernel.insert("hook_set".to_owned(), hook_set.into());
    let hooks = hooks(kernel.remove("backend").as_ref(), kernel.remove("reasons").as_ref());
    kernel.insert("hooks".to_owned(), hooks);
    if let Some(Value::Array(degraded)) = kernel.get_mut("degraded") {
        degraded.iter_mut().filter_map(Value::as_object_mut).for_each(rewrite_degraded);
    }
}

/// A hook of an old header.
struct OldHook<'a> {
    meaning: &'a str,
    backend: &'a str,
    symbol: &'a str,
}

impl OldHook<'_> {
    fn rewritten(&self, reason: &Value) -> Value {
        let Self { meaning, backend, symbol } = self;
        json!({"meaning": code(MEANINGS, meaning), "backend": backend, "symbol": symbol, "reason": reason})
    }
}

/// Old headers have two lists: the hooks of each meaning as text (`kretprobe f, kprobe f`), and the reason for each hook, in
/// the same order.
fn hooks(backends: Option<&Value>, reasons: Option<&Value>) -> Value {
    let Some(Value::Object(backends)) = backends else { return json!([]) };
    let mut old = Vec::new();
    for (meaning, hooks) in backends {
        let hooks = hooks.as_str().unwrap_or_default().split(", ").filter_map(|hook| hook.split_once(' '));
        old.extend(hooks.map(|(backend, symbol)| OldHook { meaning, backend, symbol }));
    }
    let mut hooks = Vec::new();
    for reason in reasons.and_then(Value::as_array).into_iter().flatten() {
        let text = |key| reason.get(key).and_then(Value::as_str).unwrap_or_default();
        let place = old.iter().position(|hook| hook.meaning == text("hook") && hook.symbol == text("symbol"));
        if let Some(place) = place {
            hooks.push(old.remove(place).rewritten(&hook_reason(text("reason"))));
        }
    }
    hooks.extend(old.iter().map(|hook| hook.rewritten(&json!({"code": "unknown"}))));
    hooks.into()
}

fn hook_reason(text: &str) -> Value {
    if let Some(prototype) = text.strip_suffix(TRAMPOLINE_ACCEPTED) {
        json!({"code": "trampoline_accepted", "prototype": prototype})
    } else if let Some(cause) = find(NO_TRAMPOLINE, text) {
        json!({"code": "no_trampoline", "cause": {"code": cause}})
    } else {
        described(text)
    }
}

fn rewrite_degraded(degraded: &mut Map<String, Value>) {
    degraded.remove("hook");
    if let Some(meaning) = degraded.get_mut("meaning") {
        replace(meaning, MEANINGS);
    }
    if let Some(reason) = degraded.get_mut("reason") {
        *reason = missing_reason(reason.as_str().unwrap_or_default());
    }
    if let Some(consequence) = degraded.get_mut("consequence") {
        let text = consequence.as_str().unwrap_or_default();
        let (text, partial) = text.strip_prefix(IN_PART).map_or((text, false), |text| (text, true));
        *consequence = code(CONSEQUENCES, text).into();
        degraded.insert("partial".to_owned(), partial.into());
    }
}

fn missing_reason(text: &str) -> Value {
    let lean = text.strip_prefix(LEAN_OMITS).and_then(|rest| rest.split_once(": "));
    match lean.and_then(|(symbol, instead)| Some((symbol, find(INSTEAD, instead)?))) {
        Some((symbol, instead)) => json!({"code": "lean", "symbol": symbol, "instead": instead}),
        None => described(text),
    }
}

/// Text that has no code, kept as it is.
fn described(text: &str) -> Value {
    json!({"code": "described", "text": text})
}

fn find(aliases: &[Alias], old: &str) -> Option<&'static str> {
    aliases.iter().find(|(name, _)| *name == old).map(|(_, code)| *code)
}

fn code<'a>(aliases: &[Alias], old: &'a str) -> &'a str {
    find(aliases, old).unwrap_or(old)
}

fn replace(value: &mut Value, aliases: &[Alias]) {
    if let Some(code) = value.as_str().and_then(|old| find(aliases, old)) {
        *value = code.into();
    }
}

fn rename(object: &mut Map<String, Value>, aliases: &[Alias]) {
    for (old, name) in aliases {
        if let Some(value) = object.remove(*old) {
            object.insert((*name).to_owned(), value);
        }
    }
}

/// Address spaces by number, in place of the addresses in old files.
#[derive(Debug, Default)]
pub(crate) struct AddressSpaces {
    numbers: HashMap<u64, u64>,
    last: u64,
}

impl AddressSpaces {
    /// Address spaces remembered: more than a host has at once, and few enough for a malicious file not to exhaust memory.
    const MAX: usize = 1 << 18;

    /// The number of an address; 0 is none. A number never stands for two addresses.
    pub(crate) fn number(&mut self, address: u64) -> u64 {
        if address == 0 {
            return 0;
        }
        if let Some(number) = self.numbers.get(&address) {
            return *number;
        }
        if self.numbers.len() >= Self::MAX {
            self.numbers.clear();
        }
        self.last += 1;
        self.numbers.insert(address, self.last);
        self.last
    }
}

#[cfg(test)]
mod tests;
