//! What `--hooks lean` does without, and what cannot be told then.

use super::{Hook, Meaning, State};

/// Why the lean set leaves a hook out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Why no verdict needs it.
    pub(super) why: &'static str,
    /// What is not told without it; `None`: nothing that the state of the kernel does not tell already.
    pub(super) not_seen: Option<&'static str>,
}

/// Whether the lean set leaves a hook out, and why; `all`: the hooks that this kernel takes.
pub(super) fn left_out(hook: &Hook, state: State, all: &[Hook]) -> Option<LeftOut> {
    let pins = state.has(Meaning::PinDrop);
    let has = |meaning| all.iter().any(|hook| hook.meaning == meaning);
    let (why, not_seen) = match hook.meaning {
        Meaning::ReadEnd => (
            "when a read started and came back is evidence of a finding, and decides none",
            Some("how long a read took is not seen with lean hooks, and the start of its fault stands for its own"),
        ),
        Meaning::PinTry if pins && has(Meaning::PinSleep) => (
            "who loses the pin sleeps, and that is hooked; who reads past the swap cache has it",
            Some(
                "which error a loser of the pin got, failed pin tries outside faults, and how many pages a large folio \
                 brings in past the swap cache (it counts as one), are not seen with lean hooks",
            ),
        ),
        Meaning::PinDrop => (
            "nobody can be overtaken while the pin is held, whoever holds it",
            Some("who held a pin, for how long, and how long losers overslept, is not seen with lean hooks"),
        ),
        Meaning::PinPath if hook.symbol == SHMEM && has(Meaning::PinSleep) => (
            "it tells who takes pins outside faults, and nothing tells of those pins",
            Some("pages that shmem reads past the swap cache (6.14 to 6.19) are not seen with lean hooks"),
        ),
        Meaning::Freed if pins => (PINNED, None),
        Meaning::Freed if state == State::NoBypass => {
            ("nobody reads past the swap cache here, so nothing follows from a release", None)
        }
        _ => return None,
    };
    Some(LeftOut { why, not_seen })
}

/// Why releases tell nothing where readers pin.
pub(super) const PINNED: &str = "nobody can free an entry under a reader that has pinned it";

/// The function of shmem that reads pages in.
pub(super) const SHMEM: &str = "shmem_swapin_folio";
