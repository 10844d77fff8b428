//! Names and phrases of format versions 1.0 and 1.1, mapped to today's codes before anything else reads them.
//!
//! Those versions stored English phrases, other names of counters and keys, and the addresses of address spaces. The
//! frames of such a file are rewritten as JSON values; everything behind this module knows today's names only.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use observer_kernel::plan::{
    Consequence, HookReason, HookSet, Instead, Meaning, MissingReason, NoTrampoline, State, TrialRefusal,
};
use observer_observation::{EndReason, StatsRefusal};

/// The first minor version whose names and codes are today's.
const FIRST_WITH_CODES: u16 = 2;

/// Old names or phrases, and what they are today.
type Aliases<T> = &'static [(&'static str, T)];

/// Counters whose name has changed. All others have kept theirs.
const COUNTERS: Aliases<&str> = &[
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

const SAMPLE_KEYS: Aliases<&str> = &[("flight_times", "fault_times")];

const STATES: Aliases<State> = &[
    ("unfixed: ABA possible", State::Vulnerable),
    ("pinned, sleeps one tick", State::PinnedTick),
    ("pinned, wait queue", State::PinnedWaitQueue),
    ("pinned, way of waiting not shown", State::Pinned),
    ("no bypass", State::NoBypass),
];

/// What hooks are for: in words, and as a key of the degraded ones.
const MEANINGS: Aliases<Meaning> = &[
    ("flight begin", Meaning::FaultStart),
    ("flight_begin", Meaning::FaultStart),
    ("flight end", Meaning::FaultEnd),
    ("flight_end", Meaning::FaultEnd),
    ("read begin", Meaning::ReadStart),
    ("read_begin", Meaning::ReadStart),
    ("read end", Meaning::ReadEnd),
    ("cache read", Meaning::CacheRead),
    ("pin try", Meaning::PinTry),
    ("pin sleep", Meaning::PinSleep),
    ("pin drop", Meaning::PinDrop),
    ("pin path", Meaning::PinPath),
    ("lock try", Meaning::LockTry),
    ("lock end", Meaning::LockEnd),
    ("count drop", Meaning::CountDrop),
    ("entry freed", Meaning::Freed),
    ("freed", Meaning::Freed),
    ("entry handed out", Meaning::Allocated),
    ("handed_out", Meaning::Allocated),
    ("write begin", Meaning::WriteStart),
    ("write_begin", Meaning::WriteStart),
    ("write end", Meaning::WriteEnd),
    // Until the start and the end of a write were hooked apart.
    ("entry written", Meaning::WriteStart),
    ("written", Meaning::WriteStart),
];

/// What was not seen without a hook.
const CONSEQUENCES: Aliases<Consequence> = &[
    ("nothing can be observed", Consequence::NothingObserved),
    ("flights are missed", Consequence::FaultsMissed),
    ("paths and swap-ins are unknown: no window, reuse or stale-install can be told", Consequence::ReadsUnknown),
    ("how long a read took is unknown", Consequence::ReadDurationsUnknown),
    (
        "how long a read took is not seen with lean hooks, and the begin of its flight stands for its own",
        Consequence::ReadTimesUnknown,
    ),
    ("reads must be hooked to tell by which path they go", Consequence::ReadHooksNeeded),
    ("pin waits are not seen", Consequence::PinWaitsUnseen),
    (
        "which error a loser of the pin got, failed pin tries outside flights, and how many pages a large folio brings \
         in past the swap cache (it counts as one), are not seen with lean hooks",
        Consequence::PinErrorsUnseen,
    ),
    ("holds and oversleep are unknown", Consequence::PinHoldsUnknown),
    (
        "who held a pin, for how long, and how long losers overslept, is not seen with lean hooks",
        Consequence::PinHoldsUnknown,
    ),
    ("failed pin tries of shmem and of zswap's write-back are counted with the others", Consequence::PinPathsMerged),
    (
        "pages that shmem reads past the swap cache (6.14 to 6.19) are not seen with lean hooks",
        Consequence::ShmemReadsUnseen,
    ),
    ("waits on the folio lock are not seen", Consequence::LockWaitsUnseen),
    ("a wait on the folio lock is taken to last until its flight returns", Consequence::LockWaitsTooLong),
    (
        "what happens between a reader's install and its return, while others hold the entry, is charged to it",
        Consequence::LateChangesCounted,
    ),
    ("windows are not seen; reuse and stale-install are", Consequence::WindowsUnseen),
    ("reuse and stale-install are seen by the write alone", Consequence::SomeReuseMissed),
    ("reuse and stale-install are seen by the write alone, and some are missed", Consequence::SomeReuseMissed),
    ("a read that falls between a hand-out and its write is taken for fresh", Consequence::UnwrittenReadsFresh),
    ("a read that falls into a write is taken for fresh", Consequence::ReadsDuringWriteFresh),
];

/// In front of a consequence: some functions of the meaning were hooked.
const IN_PART: &str = "in part: ";

/// Why a function was hooked by a kprobe.
const NO_TRAMPOLINE: Aliases<NoTrampoline> = &[
    ("--backend kprobe asks for kprobes", NoTrampoline::KprobesRequested),
    ("no trial load was made", NoTrampoline::NotTried),
    ("programs may not copy kernel memory here", NoTrampoline::NoMemoryCopy),
    ("programs may not copy kernel memory under this lockdown", NoTrampoline::NoMemoryCopy),
    ("this kernel cannot divert functions to a trampoline (no register_ftrace_direct)", NoTrampoline::NoDirectCalls),
];

/// Behind the prototype of a function that was hooked by a trampoline.
const TRAMPOLINE_ACCEPTED: &str = ": the trampoline takes it";

/// In front of the kernel's answer to a trial load, which is in parentheses.
const TRAMPOLINE_REFUSED: &str = "the trampoline refuses it (";

/// In front of a function that the lean set omits, which is followed by a colon and the reason.
const LEAN_OMITS: &str = "--hooks lean leaves out ";

/// Why the lean set omits a hook.
const INSTEAD: Aliases<Instead> = &[
    ("when a read began and came back is evidence of a finding, and decides none", Instead::ReadTimesAreEvidence),
    ("who loses the pin sleeps, and that is hooked; who reads past the swap cache has it", Instead::PinSleepHooked),
    ("nobody can be overtaken while the pin is held, whoever holds it", Instead::PinProtects),
    ("it tells who takes pins outside flights, and nothing tells of those pins", Instead::PinsOutsideUnseen),
    ("nobody can free an entry under a reader that has pinned it", Instead::PinnedEntriesStay),
    ("nobody reads past the swap cache here, so nothing follows from a release", Instead::NothingReadDirectly),
];

const ENDING_KEYS: Aliases<&str> = &[("cost", "overhead")];

const END_REASONS: Aliases<EndReason> = &[("onlooker", EndReason::Observer)];

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
    let Some(ending) = footer.get_mut("ending").and_then(Value::as_object_mut) else { return };
    rename(ending, ENDING_KEYS);
    if let Some(ended) = ending.get_mut("ended") {
        replace(ended, END_REASONS);
    }
    if let Some(refused) =
        ending.get_mut("overhead").and_then(|overhead| overhead.pointer_mut("/program_stats/refused"))
    {
        let text = refused.as_str().unwrap_or_default().to_owned();
        *refused = json(&StatsRefusal::Described { text });
    }
}

fn rewrite_kernel(kernel: &mut Map<String, Value>) {
    if let Some(state) = kernel.get_mut("state") {
        replace(state, STATES);
    }
    let hook_set = match kernel.remove("hooks") {
        Some(Value::String(name)) if name == HookSet::Lean.code() => HookSet::Lean,
        // Files from before there was a choice have none.
        _ => HookSet::Full,
    };
    kernel.insert("hook_set".to_owned(), json(&hook_set));
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
    fn rewritten(&self, reason: &HookReason) -> Value {
        let meaning = find(MEANINGS, self.meaning).unwrap_or(Meaning::Unknown);
        json!({"meaning": meaning, "backend": self.backend, "symbol": self.symbol, "reason": reason})
    }
}

/// Old headers have two lists: the hooks of each meaning as text (`kretprobe f, kprobe f`), and the reason for each
/// hook, in the same order.
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
    hooks.extend(old.iter().map(|hook| hook.rewritten(&HookReason::Unknown)));
    hooks.into()
}

fn hook_reason(text: &str) -> HookReason {
    if let Some(prototype) = text.strip_suffix(TRAMPOLINE_ACCEPTED) {
        HookReason::TrampolineAccepted { prototype: prototype.to_owned() }
    } else if let Some(cause) = find(NO_TRAMPOLINE, text) {
        HookReason::NoTrampoline { cause }
    } else if let Some(refusal) = trial_refusal(text) {
        HookReason::NoTrampoline { cause: NoTrampoline::Refused { refusal } }
    } else {
        HookReason::Described { text: text.to_owned() }
    }
}

/// The kernel's answer to a trial load: an error number, and a line of the verifier's log if there was one.
fn trial_refusal(text: &str) -> Option<TrialRefusal> {
    let answer = text.strip_prefix(TRAMPOLINE_REFUSED)?.strip_suffix(')')?;
    let (errno, verifier) = answer.split_once(", ").map_or((answer, None), |(errno, line)| (errno, Some(line)));
    Some(TrialRefusal::Load { errno: errno.parse().ok()?, verifier: verifier.map(str::to_owned) })
}

fn rewrite_degraded(degraded: &mut Map<String, Value>) {
    degraded.remove("hook");
    if let Some(meaning) = degraded.get_mut("meaning") {
        replace(meaning, MEANINGS);
    }
    if let Some(reason) = degraded.get_mut("reason") {
        *reason = json(&missing_reason(reason.as_str().unwrap_or_default()));
    }
    if let Some(consequence) = degraded.get_mut("consequence") {
        let text = consequence.as_str().unwrap_or_default();
        let (text, partial) = text.strip_prefix(IN_PART).map_or((text, false), |text| (text, true));
        *consequence = json(&find(CONSEQUENCES, text).unwrap_or(Consequence::Unknown));
        degraded.insert("partial".to_owned(), partial.into());
    }
}

fn missing_reason(text: &str) -> MissingReason {
    let lean = text.strip_prefix(LEAN_OMITS).and_then(|rest| rest.split_once(": "));
    match lean.and_then(|(symbol, instead)| Some((symbol, find(INSTEAD, instead)?))) {
        Some((symbol, instead)) => MissingReason::Lean { symbol: symbol.to_owned(), instead },
        None => MissingReason::Described { text: text.to_owned() },
    }
}

fn find<T: Clone>(aliases: Aliases<T>, old: &str) -> Option<T> {
    aliases.iter().find(|(name, _)| *name == old).map(|(_, today)| today.clone())
}

fn replace<T: Clone + Serialize>(value: &mut Value, aliases: Aliases<T>) {
    if let Some(today) = value.as_str().and_then(|old| find(aliases, old)) {
        *value = json(&today);
    }
}

fn rename(object: &mut Map<String, Value>, aliases: Aliases<&str>) {
    for (old, today) in aliases {
        if let Some(value) = object.remove(*old) {
            object.insert((*today).to_owned(), value);
        }
    }
}

fn json(value: &impl Serialize) -> Value {
    // Fails only for maps whose keys are not text. These types have none.
    serde_json::to_value(value).unwrap_or_default()
}

/// Address spaces by number, in place of the addresses in old files.
#[derive(Debug, Default)]
pub(crate) struct AddressSpaces {
    numbers: HashMap<u64, u64>,
    last: u64,
}

impl AddressSpaces {
    /// Address spaces remembered: more than a host has at once, and few enough for a malicious file not to exhaust
    /// memory.
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
