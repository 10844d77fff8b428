//! What the package index has that the table of kernels does not, and the other way round.

use std::collections::BTreeSet;

use super::{
    builds::{self, Build, Choice},
    flavour::Flavour,
    table::{self, Offer},
    version,
};
use crate::{
    arch::Arch,
    debian::{Package, Suite, compare},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The table has no kernel of this series.
    NewSeries { suite: Suite, newest: String },
    /// The index no longer has a kernel of the table; the build that is taken for it.
    Gone { release: &'static str, suite: Suite, instead: Option<String> },
    /// It is known to have left the index.
    KnownGone { release: &'static str },
    /// It is known to have left the index, which has its series.
    Back { release: &'static str },
    /// The kernel is there, and so is a newer build of its series.
    Newer { release: &'static str, newest: String },
}

impl Finding {
    /// Whether the table has to be changed.
    pub(crate) fn is_alarm(&self) -> bool {
        matches!(self, Self::NewSeries { .. } | Self::Gone { .. } | Self::Back { .. })
    }
}

/// Compares the kernels of one family with the indices of all the suites that they come from.
pub(crate) fn findings(arch: Arch, indices: &[(Suite, Vec<Package>)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (suite, index) in indices {
        let offers = table::of(arch).iter().filter(|offer| offer.suite == *suite);
        findings.extend(new_series(arch, *suite, index));
        findings.extend(offers.filter_map(|offer| of_offer(offer, arch, index)));
    }
    findings
}

/// The suites of a family's kernels, each once.
pub(crate) fn suites(arch: Arch) -> Vec<Suite> {
    let mut suites: Vec<Suite> = table::of(arch).iter().map(|offer| offer.suite).collect();
    suites.sort_by_key(|suite| suite.name());
    suites.dedup();
    suites
}

/// A series that the table has for one family is known: arm64 has fewer kernels on purpose.
fn new_series(arch: Arch, suite: Suite, index: &[Package]) -> Vec<Finding> {
    let known: BTreeSet<String> = Arch::ALL.into_iter().flat_map(table::of).map(Offer::series).collect();
    let builds = builds::builds(index, arch, Flavour::Cloud);
    let found: BTreeSet<String> = builds.iter().map(|build| version::series(&build.release)).collect();
    let mut new: Vec<String> = found.difference(&known).cloned().collect();
    version::sort(&mut new);
    let newest = |series: String| newest_of(&builds, &series).map(|build| build.release.clone());
    new.into_iter().filter_map(newest).map(|newest| Finding::NewSeries { suite, newest }).collect()
}

fn of_offer(offer: &'static Offer, arch: Arch, index: &[Package]) -> Option<Finding> {
    let Offer { release, suite, .. } = *offer;
    let has_left = table::LEFT_THE_INDEX.contains(&release);
    match builds::choose(offer, arch, index) {
        Choice::Gone if has_left => Some(Finding::KnownGone { release }),
        _ if has_left => Some(Finding::Back { release }),
        Choice::Gone => Some(Finding::Gone { release, suite, instead: None }),
        Choice::Newest(build) => Some(Finding::Gone { release, suite, instead: Some(named(&build)) }),
        Choice::Pinned => {
            let pinned = offer.packages();
            let builds = builds::builds(index, arch, offer.flavour);
            let newest = newest_of(&builds, &offer.series())?;
            let version = index.iter().find(|package| pinned.contains(&package.name))?;
            compare(&newest.version, &version.version)
                .is_gt()
                .then(|| Finding::Newer { release, newest: named(newest) })
        }
    }
}

fn newest_of<'a>(builds: &'a [Build], series: &str) -> Option<&'a Build> {
    let of_series = builds.iter().filter(|build| version::series(&build.release) == series);
    of_series.max_by(|left, right| compare(&left.version, &right.version))
}

/// With the Debian version: two builds may have one release.
fn named(build: &Build) -> String {
    format!("{} ({})", build.release, build.version)
}

#[cfg(test)]
mod tests {
    use super::{builds::example::package, *};

    fn found(arch: Arch, suite: Suite, index: Vec<Package>) -> Vec<Finding> {
        findings(arch, &[(suite, index)])
    }

    #[test]
    fn a_build_that_is_gone_is_an_alarm_with_what_is_taken_for_it() {
        let index = builds::example::index();
        let findings = found(Arch::X86_64, Suite::Trixie, index.clone());
        let instead = Some("6.12.120-rt (6.12.120-1)".to_owned());
        assert!(findings.contains(&Finding::Gone { release: "6.12.117-rt", suite: Suite::Trixie, instead }));
        let newest = "6.12.120 (6.12.120-1)".to_owned();
        assert!(findings.contains(&Finding::Newer { release: "6.12.117", newest }), "{findings:?}");
        assert!(!findings.iter().any(|finding| matches!(finding, Finding::NewSeries { .. })), "{findings:?}");
        let backports = found(Arch::X86_64, Suite::TrixieBackports, index);
        let gone = Finding::Gone { release: "6.16.12", suite: Suite::TrixieBackports, instead: None };
        assert!(gone.is_alarm() && backports.contains(&gone), "{backports:?}");
    }

    #[test]
    fn a_series_that_is_known_to_be_gone_is_no_alarm_until_it_is_back() {
        let known = Finding::KnownGone { release: "6.19.14" };
        let findings = found(Arch::X86_64, Suite::TrixieBackports, builds::example::index());
        assert!(!known.is_alarm() && findings.contains(&known), "{findings:?}");
        let mut index = builds::example::index();
        index.push(package("linux-modules-6.19.14+deb13-cloud-amd64", "6.19.14-1~bpo13+1"));
        let findings = found(Arch::X86_64, Suite::TrixieBackports, index);
        let back = Finding::Back { release: "6.19.14" };
        assert!(back.is_alarm() && findings.contains(&back), "{findings:?}");
    }

    #[test]
    fn a_new_series_is_an_alarm_for_every_family() {
        for arch in Arch::ALL {
            let name = |release: &str| format!("linux-image-{release}+deb13-cloud-{}", arch.debian());
            let index = ["7.10.1", "7.10.2", "7.4.9", "6.18.1"]
                .map(|release| package(&name(release), &format!("{release}-1~bpo13+1")));
            let findings = found(arch, Suite::TrixieBackports, index.to_vec());
            let new: Vec<_> = findings.iter().filter(|found| matches!(found, Finding::NewSeries { .. })).collect();
            let expected = ["7.4.9", "7.10.2"]
                .map(|newest| Finding::NewSeries { suite: Suite::TrixieBackports, newest: newest.to_owned() });
            assert_eq!(new, expected.iter().collect::<Vec<_>>(), "{arch}: 6.18 is known");
            assert!(expected.iter().all(Finding::is_alarm));
        }
    }

    #[test]
    fn an_index_with_the_pinned_builds_has_no_findings() {
        for arch in Arch::ALL {
            let offers = table::of(arch).iter().filter(|offer| offer.suite == Suite::Bookworm);
            let packages = offers.flat_map(Offer::packages).map(|name| package(&name, "6.1.192-2"));
            assert_eq!(found(arch, Suite::Bookworm, packages.collect()), []);
        }
    }

    #[test]
    fn every_suite_is_read_once() {
        assert_eq!(suites(Arch::X86_64).len(), 4);
        assert_eq!(suites(Arch::Arm64).len(), 4);
    }
}
