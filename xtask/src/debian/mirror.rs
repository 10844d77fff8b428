//! Finds the mirror of a suite in the apt sources of this machine, so that no address is written here and a local
//! mirror stays in use.

use std::process::Command;

use anyhow::Result;

use super::Suite;
use crate::process::{self, Purpose};

/// The Debian mirrors of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mirrors {
    archive: String,
    security: String,
}

impl Mirrors {
    pub(super) fn of_this_machine() -> Result<Self> {
        let purpose = Purpose {
            what: "finding a Debian mirror in apt's sources",
            by_hand: "fetch kernels on a Debian machine with network access, and pass their folder with `--kernels DIR` \
                      (DIR/RELEASE/{vmlinuz,config,modules/*.ko})",
        };
        let targets = process::read(
            Command::new("apt-get").args(["indextargets", "--format", "$(SITE)|$(RELEASE)", "Created-By: Packages"]),
            purpose,
        )?;
        Self::parse(&targets).ok_or_else(|| purpose.failed("apt's sources name no Debian mirror"))
    }

    /// Reads lines of `SITE|RELEASE`. A machine with only one of the two mirrors gets the other by its usual path.
    fn parse(targets: &str) -> Option<Self> {
        let (mut archive, mut security) = (None, None);
        for (site, release) in targets.lines().filter_map(|line| line.split_once('|')) {
            let site = site.trim_end_matches('/');
            if site.ends_with("/debian-security") || release.ends_with("-security") && site.contains("debian") {
                security.get_or_insert_with(|| site.to_owned());
            } else if site.ends_with("/debian") {
                archive.get_or_insert_with(|| site.to_owned());
            }
        }
        let security = security.or_else(|| archive.as_ref().map(|site| format!("{site}-security")))?;
        let archive = archive.or_else(|| security.strip_suffix("-security").map(str::to_owned))?;
        Some(Self { archive, security })
    }

    /// The address that serves `suite`.
    pub(super) fn serving(&self, suite: Suite) -> &str {
        if suite.is_security() { &self.security } else { &self.archive }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(targets: &str) -> Option<(String, String)> {
        Mirrors::parse(targets).map(|mirrors| (mirrors.archive, mirrors.security))
    }

    fn pair(archive: &str, security: &str) -> (String, String) {
        (archive.to_owned(), security.to_owned())
    }

    #[test]
    fn both_mirrors_are_found_among_other_sources() {
        let targets = "http://third.example/node|nodistro\n\
                       http://a.example/debian/|bookworm\n\
                       http://a.example/debian/|bookworm-updates\n\
                       http://s.example/debian-security|bookworm-security\n";
        assert_eq!(parse(targets), Some(pair("http://a.example/debian", "http://s.example/debian-security")));
    }

    #[test]
    fn one_mirror_implies_the_other() {
        let both = Some(pair("http://a.example/debian", "http://a.example/debian-security"));
        assert_eq!(parse("http://a.example/debian|bookworm\n"), both);
        assert_eq!(parse("http://a.example/debian-security|bookworm-security\n"), both);
    }

    #[test]
    fn a_machine_without_debian_mirrors_has_none() {
        assert_eq!(parse("http://a.example/ubuntu|noble\nhttp://a.example/ubuntu|noble-security\n"), None);
        assert_eq!(parse(""), None);
    }
}
