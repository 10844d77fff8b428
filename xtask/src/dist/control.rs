//! The texts that a Debian package carries.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::Result;

use super::linked::Linked;
use crate::arch::Arch;

/// The package's control file. Nothing is depended on: the binary is static.
pub(super) fn control(version: &str, arch: Arch, size_kib: u64) -> String {
    format!(
        "Package: observer\n\
         Version: {version}\n\
         Architecture: {arch}\n\
         Maintainer: The observer authors <observer@localhost>\n\
         Installed-Size: {size_kib}\n\
         Section: admin\n\
         Priority: optional\n\
         Description: watches the kernel swap pages in\n \
         Are two threads swapping in the same page, and did we lose data, or only\n \
         time? Attaches eBPF programs to the running kernel, flags reads that were\n \
         overtaken by a free and a reallocation of their swap entry (CVE-2024-26759),\n \
         and measures what waiting on the pin that prevents it costs.\n",
        arch = arch.debian()
    )
}

/// The package's copyright file: our licences, and those of what is linked in.
pub(super) fn copyright(linked: &BTreeSet<Linked>) -> Result<String> {
    let mut text = String::from(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: observer\n\
         \n\
         Files: *\n\
         Copyright: the observer authors\n\
         License: MIT or Apache-2.0\n\
         Comment: The eBPF programs inside declare `Dual MIT/GPL`, which the kernel's\n \
         helpers require. Linked in, each under the licence named:\n",
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
            // A blank line ends a paragraph; a dot stands for one.
            writeln!(text, " {}", if line.trim().is_empty() { "." } else { line.trim_end() })?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_file_has_the_fields_that_dpkg_wants() {
        let text = control("1.2.3", Arch::Arm64, 4096);
        for line in ["Package: observer", "Version: 1.2.3", "Architecture: arm64", "Installed-Size: 4096"] {
            assert!(text.lines().any(|found| found == line), "{line} is missing from {text}");
        }
        let description = text.lines().skip_while(|line| !line.starts_with("Description: ")).skip(1);
        assert!(description.clone().count() > 2);
        assert!(description.into_iter().all(|line| line.starts_with(' ') && line.len() <= 80));
    }

    #[test]
    fn the_copyright_file_names_what_is_linked_in_and_has_no_blank_line_in_a_licence() {
        let one = Linked { name: "aya".into(), version: "1.0".into(), licence: "MIT".into() };
        let text = copyright(&BTreeSet::from([one])).unwrap();
        assert!(text.contains(" aya 1.0: MIT\n"));
        let (_, mit) = text.split_once("License: MIT\n").unwrap();
        let (mit, _) = mit.split_once("\n\n").unwrap();
        assert!(mit.lines().count() > 10 && mit.lines().all(|line| line.starts_with(' ')), "{mit}");
    }
}
