//! How functions are hooked, and what the user may choose of it.

use crate::codes;

codes! {
    /// How a function is hooked.
    pub enum Backend {
        /// BPF trampoline, at entry.
        Fentry = "fentry",
        /// BPF trampoline, at return.
        Fexit = "fexit",
        /// Breakpoint or ftrace probe, at entry.
        Kprobe = "kprobe",
        /// Return probe.
        Kretprobe = "kretprobe",
    }
}

impl Backend {
    /// Whether it is a BPF trampoline rather than a kprobe.
    pub const fn is_trampoline(self) -> bool {
        matches!(self, Self::Fentry | Self::Fexit)
    }
}

codes! {
    /// Which backends a plan may use.
    #[derive(Default)]
    pub enum Backends {
        /// As [`Self::Cheapest`], but kprobes where a trampoline would skip programs of preempted tasks.
        #[default]
        Auto = "auto",
        /// Trampolines where the kernel supports them, kprobes otherwise.
        Cheapest = "cheapest",
        /// Kprobes and return probes only.
        Kprobe = "kprobe",
        /// Trampolines only.
        Fentry = "fentry",
    }
}

codes! {
    /// Which hooks a plan has.
    #[derive(Default)]
    pub enum HookSet {
        /// All that add information.
        #[default]
        Full = "full",
        /// Only those that exact verdicts need: less overhead, but pin holds and pin errors are not seen.
        Lean = "lean",
    }
}

impl HookSet {
    /// One fault in this many is timed; a power of two. With lean hooks the clock and the histogram then take a tenth
    /// of what they take for every fault.
    pub const fn timed_one_in(self) -> u32 {
        match self {
            Self::Full => 1,
            Self::Lean => 8,
        }
    }
}
