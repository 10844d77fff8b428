//! Whether a task can be preempted inside the kernel.
//!
//! It decides how functions are hooked: a BPF trampoline does not run a program that is already running on the same CPU,
//! so a task that is preempted in the middle of a program keeps every other task on that CPU out of it
//! (docs/decisions/preemption.md).

use crate::{codes, tree::Tree};

codes! {
    /// How tasks are preempted inside the kernel.
    pub enum Preemption {
        /// Not at all, or at voluntary points, of which a program has none.
        Off = "off",
        Full = "full",
        /// At the next tick.
        Lazy = "lazy",
        RealTime = "rt",
    } else {
        /// The mode is chosen at boot, and nothing that can be read here shows it.
        Unknown = "unknown"
    }
}

impl Preemption {
    /// Whether a task may be preempted inside a program.
    pub const fn is_possible(self) -> bool {
        !matches!(self, Self::Off)
    }

    pub fn gather(tree: &Tree) -> Self {
        let uname = rustix::system::uname();
        let (version, release) = (uname.version().to_string_lossy(), uname.release().to_string_lossy());
        match Self::of_build(&version) {
            Some(fixed) => fixed,
            None => Self::chosen_at_boot(tree, &release),
        }
    }

    /// From what `uname -v` prints; `None`: chosen at boot (`CONFIG_PREEMPT_DYNAMIC`).
    fn of_build(version: &str) -> Option<Self> {
        let has = |word: &str| version.split_whitespace().any(|one| one == word);
        if has("PREEMPT_RT") {
            Some(Self::RealTime)
        } else if has("PREEMPT_DYNAMIC") {
            None
        } else if has("PREEMPT") {
            Some(Self::Full)
        } else {
            Some(Self::Off)
        }
    }

    /// The mode in use, as debugfs shows it; else the one of the command line; else the default of the kernel's
    /// configuration, where that lies beside its image.
    fn chosen_at_boot(tree: &Tree, release: &str) -> Self {
        let in_use = || Self::in_use(&tree.line("/sys/kernel/debug/sched/preempt")?);
        let requested = || Self::requested(&tree.line("/proc/cmdline")?);
        let default = || Self::default_of(&tree.read(format!("/boot/config-{release}")).ok()?);
        in_use().or_else(requested).or_else(default).unwrap_or(Self::Unknown)
    }

    /// The one in parentheses in `none voluntary (full) lazy`.
    fn in_use(modes: &str) -> Option<Self> {
        Self::of_mode(modes.split_once('(')?.1.split_once(')')?.0)
    }

    /// The last `preempt=` of the command line.
    fn requested(command_line: &str) -> Option<Self> {
        command_line
            .split_whitespace()
            .filter_map(|word| word.strip_prefix("preempt="))
            .next_back()
            .and_then(Self::of_mode)
    }

    fn default_of(config: &str) -> Option<Self> {
        let has = |option: &str| config.lines().any(|line| line == format!("CONFIG_{option}=y"));
        let modes = [
            ("PREEMPT_NONE", Self::Off),
            ("PREEMPT_VOLUNTARY", Self::Off),
            ("PREEMPT_LAZY", Self::Lazy),
            ("PREEMPT", Self::Full),
        ];
        modes.into_iter().find(|(option, _)| has(option)).map(|(_, mode)| mode)
    }

    fn of_mode(mode: &str) -> Option<Self> {
        match mode {
            "none" | "voluntary" => Some(Self::Off),
            "full" => Some(Self::Full),
            "lazy" => Some(Self::Lazy),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::TempTree;

    #[test]
    fn the_build_says_whether_it_is_fixed() {
        let of = Preemption::of_build;
        // As Debian's kernels print it.
        assert_eq!(of("#1 SMP Debian 5.10.223-1 (2024-08-10)"), Some(Preemption::Off));
        assert_eq!(of("#1 SMP PREEMPT_RT Debian 7.3.4-1~bpo13+1 (2026-11-15)"), Some(Preemption::RealTime));
        assert_eq!(of("#1 SMP PREEMPT_DYNAMIC Debian 7.3.4-1~bpo13+1 (2026-11-15)"), None);
        assert_eq!(of("#2 SMP PREEMPT Sat Nov 28 10:00:00 UTC 2026"), Some(Preemption::Full));
        assert_eq!(of("#1 SMP NOPREEMPTION"), Some(Preemption::Off));
    }

    #[test]
    fn what_is_in_use_comes_before_what_was_asked_for_and_the_default() {
        let chosen = |files: &[(&str, &str)]| {
            let tree = files.iter().fold(TempTree::new(), |tree, (path, text)| tree.file(path, text));
            Preemption::chosen_at_boot(&Tree::at(tree.root()), "6.12.1")
        };
        let debugfs = ("/sys/kernel/debug/sched/preempt", "none voluntary full (lazy) \n");
        let command_line = ("/proc/cmdline", "root=/dev/vda preempt=none preempt=full\n");
        let config = ("/boot/config-6.12.1", "# CONFIG_PREEMPT_NONE is not set\nCONFIG_PREEMPT_VOLUNTARY=y\n");
        assert_eq!(chosen(&[debugfs, command_line, config]), Preemption::Lazy);
        assert_eq!(chosen(&[command_line, config]), Preemption::Full);
        assert_eq!(chosen(&[config]), Preemption::Off);
        assert_eq!(chosen(&[("/proc/cmdline", "quiet\n")]), Preemption::Unknown);
        assert_eq!(chosen(&[("/proc/cmdline", "preempt=odd\n"), config]), Preemption::Off);
        assert_eq!(chosen(&[("/sys/kernel/debug/sched/preempt", "(none) voluntary full\n")]), Preemption::Off);
    }

    #[test]
    fn the_default_is_the_one_that_is_configured() {
        let of = |text: &str| Preemption::default_of(text);
        assert_eq!(
            of("CONFIG_PREEMPT_BUILD=y\nCONFIG_PREEMPT_LAZY=y\nCONFIG_PREEMPT_DYNAMIC=y\n"),
            Some(Preemption::Lazy)
        );
        assert_eq!(of("CONFIG_PREEMPT=y\n"), Some(Preemption::Full));
        assert_eq!(of("CONFIG_PREEMPT_NONE_BUILD=y\nCONFIG_PREEMPT_NONE=y\n"), Some(Preemption::Off));
        assert_eq!(of("CONFIG_SWAP=y\n"), None);
    }

    #[test]
    fn only_a_kernel_that_never_preempts_is_safe() {
        assert!(!Preemption::Off.is_possible());
        for other in [Preemption::Full, Preemption::Lazy, Preemption::RealTime, Preemption::Unknown] {
            assert!(other.is_possible());
        }
    }
}
