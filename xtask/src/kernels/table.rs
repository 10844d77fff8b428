//! The kernels of the test matrix that apt can download, one line each.

use crate::{
    arch::Arch,
    debian::Suite::{self, Bookworm, Bullseye, Trixie, TrixieBackports},
};
use Layout::{Single, Split};

/// Oldest first.
pub(crate) const fn of(arch: Arch) -> &'static [Offer] {
    match arch {
        Arch::X86_64 => X86_64,
        Arch::Arm64 => ARM64,
    }
}

const X86_64: &[Offer] = &[
    Offer { release: "5.10.223", suite: Bullseye, layout: Single("linux-image-5.10.0-32-cloud-amd64-unsigned") },
    Offer { release: "6.1.192", suite: Bookworm, layout: Single("linux-image-6.1.0-56-cloud-amd64") },
    Offer { release: "6.12.117", suite: Trixie, layout: Single("linux-image-6.12.117+deb13-cloud-amd64") },
    Offer { release: "6.16.12", suite: TrixieBackports, layout: Single("linux-image-6.16.12+deb13-cloud-amd64") },
    Offer { release: "6.17.13", suite: TrixieBackports, layout: Single("linux-image-6.17.13+deb13-cloud-amd64") },
    Offer { release: "6.18.15", suite: TrixieBackports, layout: Single("linux-image-6.18.15+deb13-cloud-amd64") },
    Offer { release: "6.19.14", suite: TrixieBackports, layout: Split("6.19.14+deb13-cloud-amd64") },
    Offer { release: "7.0.13", suite: TrixieBackports, layout: Split("7.0.13+deb13-cloud-amd64") },
    Offer { release: "7.1.13", suite: TrixieBackports, layout: Split("7.1.13+deb13-cloud-amd64") },
    Offer { release: "7.2.12", suite: TrixieBackports, layout: Split("7.2.12+deb13-cloud-amd64") },
    Offer { release: "7.3.4", suite: TrixieBackports, layout: Split("7.3.4+deb13-cloud-amd64") },
];

const ARM64: &[Offer] = &[
    Offer { release: "5.10.223", suite: Bullseye, layout: Single("linux-image-5.10.0-32-cloud-arm64-unsigned") },
    Offer { release: "6.1.192", suite: Bookworm, layout: Single("linux-image-6.1.0-56-cloud-arm64") },
    Offer { release: "6.12.117", suite: Trixie, layout: Single("linux-image-6.12.117+deb13-cloud-arm64") },
    Offer { release: "7.3.4", suite: TrixieBackports, layout: Split("7.3.4+deb13-cloud-arm64") },
];

/// Real-time kernels for x86-64. No part of the matrix: only the trials of preemption use them.
pub(crate) const REAL_TIME: &[Offer] = &[
    Offer { release: "5.10.223-rt", suite: Bullseye, layout: Single("linux-image-5.10.0-32-rt-amd64-unsigned") },
    Offer { release: "7.3.4-rt", suite: TrixieBackports, layout: Split("7.3.4+deb13-rt-amd64") },
];

/// A kernel that apt may be able to download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Upstream release, which names the folder in the cache: "5.10.223".
    pub(crate) release: &'static str,
    pub(crate) suite: Suite,
    pub(crate) layout: Layout,
}

impl Offer {
    pub(crate) fn packages(&self) -> Vec<String> {
        match self.layout {
            Single(package) => vec![package.to_owned()],
            Split(name) => ["binary", "modules", "base"].iter().map(|part| format!("linux-{part}-{name}")).collect(),
        }
    }
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

    #[test]
    fn releases_are_unique_and_in_order() {
        for arch in Arch::ALL {
            let listed: Vec<String> = of(arch).iter().map(|offer| offer.release.to_owned()).collect();
            let mut sorted = listed.clone();
            crate::kernels::version::sort(&mut sorted);
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
    fn package_names_contain_their_release() {
        // The packages of 5.10 and 6.1 are numbered by ABI.
        let all = Arch::ALL.into_iter().flat_map(of);
        for offer in all.filter(|offer| !matches!(offer.suite, Bullseye | Bookworm)) {
            assert!(
                offer.packages().iter().all(|package| package.contains(&format!("-{}+", offer.release))),
                "{offer:?}"
            );
        }
    }
}
