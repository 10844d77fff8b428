//! The kernels of the test matrix that apt can download, one line each.

use super::{flavour::Flavour, version};
use crate::{
    arch::Arch,
    debian::Suite::{self, Bookworm, Bullseye, Trixie, TrixieBackports},
};
use Flavour::{Cloud, Generic, Pages16K, RealTime};
use Layout::{Single, Split};

/// Oldest first.
pub(crate) const fn of(arch: Arch) -> &'static [Offer] {
    match arch {
        Arch::X86_64 => X86_64,
        Arch::Arm64 => ARM64,
    }
}

const X86_64: &[Offer] = &[
    offer("5.10.223", Cloud, Bullseye, Single("linux-image-5.10.0-32-cloud-amd64-unsigned")),
    offer("5.10.223-rt", RealTime, Bullseye, Single("linux-image-5.10.0-32-rt-amd64-unsigned")),
    offer("6.1.192", Cloud, Bookworm, Single("linux-image-6.1.0-56-cloud-amd64")),
    offer("6.12.117", Cloud, Trixie, Single("linux-image-6.12.117+deb13-cloud-amd64")),
    offer("6.12.117-generic", Generic, Trixie, Single("linux-image-6.12.117+deb13-amd64")),
    offer("6.12.117-rt", RealTime, Trixie, Single("linux-image-6.12.117+deb13-rt-amd64")),
    offer("6.16.12", Cloud, TrixieBackports, Single("linux-image-6.16.12+deb13-cloud-amd64")),
    offer("6.17.13", Cloud, TrixieBackports, Single("linux-image-6.17.13+deb13-cloud-amd64")),
    offer("6.18.15", Cloud, TrixieBackports, Single("linux-image-6.18.15+deb13-cloud-amd64")),
    offer("6.19.14", Cloud, TrixieBackports, Split("6.19.14+deb13-cloud-amd64")),
    offer("7.0.13", Cloud, TrixieBackports, Split("7.0.13+deb13-cloud-amd64")),
    offer("7.1.13", Cloud, TrixieBackports, Split("7.1.13+deb13-cloud-amd64")),
    offer("7.2.12", Cloud, TrixieBackports, Split("7.2.12+deb13-cloud-amd64")),
    offer("7.3.4", Cloud, TrixieBackports, Split("7.3.4+deb13-cloud-amd64")),
    offer("7.3.4-rt", RealTime, TrixieBackports, Split("7.3.4+deb13-rt-amd64")),
];

const ARM64: &[Offer] = &[
    offer("5.10.223", Cloud, Bullseye, Single("linux-image-5.10.0-32-cloud-arm64-unsigned")),
    offer("6.1.192", Cloud, Bookworm, Single("linux-image-6.1.0-56-cloud-arm64")),
    offer("6.12.117", Cloud, Trixie, Single("linux-image-6.12.117+deb13-cloud-arm64")),
    offer("6.12.117-16k", Pages16K, Trixie, Single("linux-image-6.12.117+deb13-arm64-16k")),
    offer("7.3.4", Cloud, TrixieBackports, Split("7.3.4+deb13-cloud-arm64")),
];

/// Releases that are known to have left the index with their whole series. They are taken from a folder of local
/// kernels; `cargo xtask kernels index` mentions them and does not fail because of them.
pub(crate) const LEFT_THE_INDEX: &[&str] = &["6.19.14", "7.0.13", "7.1.13"];

/// A kernel that apt may be able to download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Upstream release and the suffix of the flavour, which name the folder in the cache: "5.10.223", "7.3.4-rt".
    pub(crate) release: &'static str,
    pub(crate) flavour: Flavour,
    pub(crate) suite: Suite,
    pub(crate) layout: Layout,
}

const fn offer(release: &'static str, flavour: Flavour, suite: Suite, layout: Layout) -> Offer {
    Offer { release, flavour, suite, layout }
}

impl Offer {
    pub(crate) fn packages(&self) -> Vec<String> {
        match self.layout {
            Single(package) => vec![package.to_owned()],
            Split(name) => split_packages(name),
        }
    }

    /// "6.12".
    pub(crate) fn series(&self) -> String {
        version::series(self.release)
    }

    /// The built kernel that takes its place when no package does: [`super::build::recipe`] has its name. Only the
    /// vulnerable kernel has one: no newer distribution has a kernel without the fix.
    pub(crate) fn own_build(&self) -> Option<&'static str> {
        (self.series() == "5.10" && self.flavour == Cloud).then_some("unfixed")
    }
}

/// The packages of [`Layout::Split`].
pub(super) fn split_packages(name: &str) -> Vec<String> {
    ["binary", "modules", "base"].iter().map(|part| format!("linux-{part}-{name}")).collect()
}

/// The packages of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One package with everything (up to 6.18).
    Single(&'static str),
    /// From 6.19: `linux-binary-` (vmlinuz), `linux-modules-` and `linux-base-` (config) of this name; `linux-image-`
    /// is empty.
    Split(&'static str),
}

pub(crate) fn find(arch: Arch, release: &str) -> Option<&'static Offer> {
    of(arch).iter().find(|offer| offer.release == release)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = (Arch, &'static Offer)> {
        Arch::ALL.into_iter().flat_map(|arch| of(arch).iter().map(move |offer| (arch, offer)))
    }

    #[test]
    fn releases_are_unique_and_in_order() {
        for arch in Arch::ALL {
            let listed: Vec<String> = of(arch).iter().map(|offer| offer.release.to_owned()).collect();
            let mut sorted = listed.clone();
            version::sort(&mut sorted);
            sorted.dedup();
            assert_eq!(listed, sorted);
        }
    }

    #[test]
    fn kernels_from_6_19_on_have_three_packages() {
        let packages = find(Arch::X86_64, "7.3.4").unwrap().packages();
        assert_eq!(packages.len(), 3);
        assert!(packages.contains(&"linux-modules-7.3.4+deb13-cloud-amd64".to_owned()));
        assert_eq!(find(Arch::X86_64, "6.1.192").unwrap().packages(), ["linux-image-6.1.0-56-cloud-amd64"]);
    }

    #[test]
    fn package_names_contain_release_and_flavour() {
        for (arch, offer) in all() {
            let Offer { release, flavour, suite, .. } = offer;
            assert_eq!(version::variant(release), flavour.suffix().trim_start_matches('-'), "{offer:?}");
            for package in offer.packages() {
                let package = package.trim_end_matches("-unsigned");
                let stem = package.strip_suffix(&flavour.debian(arch)).unwrap();
                // The packages of 5.10 and 6.1 are numbered by ABI.
                let by_release = !matches!(suite, Bullseye | Bookworm);
                let expected = format!("-{}+deb13-", version::numbers(release));
                assert!(!by_release || stem.ends_with(&expected), "{package}");
            }
        }
    }

    #[test]
    fn only_the_vulnerable_kernel_has_a_build_in_its_place() {
        let built: Vec<_> = all().filter(|(_, offer)| offer.own_build().is_some()).collect();
        assert!(built.iter().all(|(_, offer)| offer.release == "5.10.223"), "{built:?}");
        assert!(!built.is_empty());
    }

    #[test]
    fn releases_that_left_the_index_are_in_the_table() {
        for release in LEFT_THE_INDEX {
            assert!(find(Arch::X86_64, release).is_some(), "{release}");
        }
    }
}
