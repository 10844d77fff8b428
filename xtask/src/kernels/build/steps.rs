//! What remains to be done for a kernel, so that an interrupted build continues where it ended.

use std::time::Duration;

/// What is there already. Each is complete: it was made under another name and renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// The package with the source.
    Package,
    /// The edited source.
    Source,
    /// The configuration that is wanted now.
    Configuration,
    /// The folder of the kernel.
    Kernel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Download,
    /// Unpack the source and edit it.
    Unpack,
    Configure,
    /// `make` finds out what of it is done.
    Compile,
    /// Copy the kernel and its modules.
    Collect,
}

impl Step {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Download => "download the source",
            Self::Unpack => "unpack and edit the source",
            Self::Configure => "configure",
            Self::Compile => "compile",
            Self::Collect => "collect the kernel and its modules",
        }
    }
}

/// In order. Empty: the kernel is there.
pub(super) fn remaining(made: &[Made]) -> Vec<Step> {
    let has = |what| made.contains(&what);
    if has(Made::Kernel) {
        return Vec::new();
    }
    let steps = [
        (Step::Download, !has(Made::Source) && !has(Made::Package)),
        (Step::Unpack, !has(Made::Source)),
        (Step::Configure, !has(Made::Source) || !has(Made::Configuration)),
        (Step::Compile, true),
        (Step::Collect, true),
    ];
    steps.into_iter().filter(|(_, remains)| *remains).map(|(step, _)| step).collect()
}

/// Turns the lines of `make` into a line now and then.
#[derive(Debug, Default)]
pub(super) struct Progress {
    objects: u64,
    shown: Duration,
}

impl Progress {
    const INTERVAL: Duration = Duration::from_secs(30);

    /// What is shown after this line of `make`, which came `since` its start.
    pub(super) fn line(&mut self, line: &str, since: Duration) -> Option<String> {
        // "  CC      mm/memory.o"
        let (action, object) = line.trim().split_once(char::is_whitespace)?;
        if !line.starts_with("  ") {
            return None;
        }
        self.objects += u64::from(matches!(action, "CC" | "AS"));
        if since < self.shown + Self::INTERVAL {
            return None;
        }
        self.shown = since;
        Some(format!("{:>5} s  {} objects, now {action} {}", since.as_secs(), self.objects, object.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_starts_with_the_first_thing_that_is_missing() {
        use Made::{Configuration, Kernel, Package, Source};
        use Step::{Collect, Compile, Configure, Download, Unpack};
        assert_eq!(remaining(&[]), [Download, Unpack, Configure, Compile, Collect]);
        assert_eq!(remaining(&[Package]), [Unpack, Configure, Compile, Collect]);
        assert_eq!(remaining(&[Source]), [Configure, Compile, Collect], "the package is not needed any more");
        assert_eq!(remaining(&[Source, Configuration]), [Compile, Collect]);
        let new_source = remaining(&[Package, Configuration]);
        assert_eq!(new_source, [Unpack, Configure, Compile, Collect], "the source may differ");
        assert!(remaining(&[Kernel]).is_empty());
    }

    #[test]
    fn progress_counts_objects_and_is_shown_now_and_then() {
        let mut progress = Progress::default();
        let seconds = Duration::from_secs;
        assert_eq!(progress.line("  CC      mm/memory.o", seconds(1)), None);
        assert_eq!(progress.line("make[1]: Entering directory '/x'", seconds(40)), None);
        let line = progress.line("  AR      mm/built-in.a", seconds(40));
        assert_eq!(line.as_deref(), Some("   40 s  1 objects, now AR mm/built-in.a"));
        assert_eq!(progress.line("  CC      mm/swapfile.o", seconds(69)), None);
        assert!(progress.line("  AS      x.o", seconds(70)).unwrap().contains("3 objects"));
        assert_eq!(progress.line("", seconds(200)), None);
    }
}
