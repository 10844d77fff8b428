//! The control and copyright files of the Debian package.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::Result;

use super::linked::Linked;
use crate::arch::Arch;

/// Who builds the package, as Debian's tools take it from the environment.
pub(super) fn maintainer() -> String {
    let or = |name: &str, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    format!("{} <{}>", or("DEBFULLNAME", "The observer authors"), or("DEBEMAIL", "observer@observer.example.org"))
}

/// The changelog of the package. That of the program is beside it. `date`: as in a mail.
pub(super) fn changelog(version: &str, maintainer: &str, date: &str) -> String {
    format!(
        "observer ({version}) unstable; urgency=medium\n\n  \
         * Version {version}. /usr/share/doc/observer/CHANGELOG.md has the changes.\n\n \
         -- {maintainer}  {date}\n"
    )
}

/// The control file. The binary is static, so the package has no dependencies.
pub(super) fn control(version: &str, maintainer: &str, arch: Arch, size_kib: u64) -> String {
    format!(
        "Package: observer\n\
         Version: {version}\n\
         Architecture: {arch}\n\
         Maintainer: {maintainer}\n\
         Installed-Size: {size_kib}\n\
         Section: admin\n\
         Priority: optional\n\
         Description: traces swap-ins and detects races between them\n \
         Attaches eBPF programs to the running kernel and reports swap entries that\n \
         several tasks fault in at once, reads whose entry was freed and reallocated\n \
         before their page was installed (CVE-2024-26759), and the time that tasks\n \
         wait on the pin that prevents this data loss.\n",
        arch = arch.debian()
    )
}

/// The copyright file: the licences of observer and of the crates that are linked in.
pub(super) fn copyright(linked: &BTreeSet<Linked>) -> Result<String> {
    let mut text = String::from(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: observer\n\
         \n\
         Files: *\n\
         Copyright: the observer authors\n\
         License: MIT or Apache-2.0\n\
         Comment: The eBPF programs in the binary declare `Dual MIT/GPL`, which the\n \
         kernel's helpers require. Crates that are linked in, with their licences:\n",
    );
    for Linked { name, version, licence } in linked {
        writeln!(text, " {name} {version}: {licence}")?;
    }
    for (short, licence) in [
        ("MIT", include_str!("../../../LICENSE-MIT")),
        ("Apache-2.0", "On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.\n"),
    ] {
        writeln!(text, "\nLicense: {short}")?;
        for line in licence.lines() {
            // In this format a line with a dot is a blank line.
            writeln!(text, " {}", if line.trim().is_empty() { "." } else { line.trim_end() })?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_file_has_the_required_fields() {
        let text = control("1.2.3", "A <a@b.org>", Arch::Arm64, 4096);
        for line in ["Package: observer", "Version: 1.2.3", "Architecture: arm64", "Installed-Size: 4096"] {
            assert!(text.lines().any(|found| found == line), "{line} is missing from {text}");
        }
        let description = text.lines().skip_while(|line| !line.starts_with("Description: ")).skip(1);
        assert!(description.clone().count() > 2);
        assert!(description.into_iter().all(|line| line.starts_with(' ') && line.len() <= 80));
    }

    #[test]
    fn a_changelog_has_the_form_of_debian() {
        let text = changelog("1.2.3", "A <a@b.org>", "Tue, 01 Dec 2026 11:00:00 +0000");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "observer (1.2.3) unstable; urgency=medium");
        assert!(lines[2].starts_with("  * Version 1.2.3."), "{text}");
        assert_eq!(lines[4], " -- A <a@b.org>  Tue, 01 Dec 2026 11:00:00 +0000");
    }

    #[test]
    fn the_copyright_file_lists_crates_and_has_no_blank_line_in_a_licence() {
        let one = Linked { name: "aya".into(), version: "1.0".into(), licence: "MIT".into() };
        let text = copyright(&BTreeSet::from([one])).unwrap();
        assert!(text.contains(" aya 1.0: MIT\n"));
        let (_, mit) = text.split_once("License: MIT\n").unwrap();
        let (mit, _) = mit.split_once("\n\n").unwrap();
        assert!(mit.lines().count() > 10, "{mit}");
        assert!(mit.lines().all(|line| line.starts_with(' ')), "{mit}");
    }
}
