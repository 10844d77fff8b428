//! The kernels that a package index has, and the one that is taken for a kernel of the table.

use super::{
    table::{Offer, split_packages},
    version,
};
use crate::{
    arch::Arch,
    debian::{Package, compare, upstream},
    kernels::flavour::Flavour,
};

/// A kernel that the index has with all its packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Build {
    /// Named like an [`Offer`]: "6.12.120-rt".
    pub(crate) release: String,
    /// Debian version: "6.12.120-1".
    pub(crate) version: String,
    pub(crate) packages: Vec<String>,
}

/// What is taken for a kernel of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The kernel itself.
    Pinned,
    /// The index no longer has it; this is the newest build of its series.
    Newest(Build),
    /// The index has no build of its series.
    Gone,
}

pub(crate) fn choose(offer: &Offer, arch: Arch, index: &[Package]) -> Choice {
    if offer.packages().iter().all(|name| index.iter().any(|package| package.name == *name)) {
        return Choice::Pinned;
    }
    let series = offer.series();
    let of_series =
        builds(index, arch, offer.flavour).into_iter().filter(|build| version::series(&build.release) == series);
    of_series.max_by(|left, right| compare(&left.version, &right.version)).map_or(Choice::Gone, Choice::Newest)
}

/// All builds of one flavour, in the order of the index. Packages without a signature are used only where the index has
/// no signed ones.
pub(crate) fn builds(index: &[Package], arch: Arch, flavour: Flavour) -> Vec<Build> {
    let end = format!("-{}", flavour.debian(arch));
    let has = |name: &String| index.iter().any(|package| package.name == *name);
    let build = |package: &Package| {
        let name = package.name.strip_prefix("linux-image-")?;
        let (name, unsigned) = name.strip_suffix("-unsigned").map_or((name, false), |name| (name, true));
        let upstream = upstream(&package.version);
        if !is_abi(name.strip_suffix(&end)?) || !is_release(upstream) {
            return None;
        }
        // The package is empty where it depends on the one with the image.
        let packages = if package.depends.contains("linux-binary-") {
            split_packages(name)
        } else if unsigned && has(&format!("linux-image-{name}")) {
            return None;
        } else {
            vec![package.name.clone()]
        };
        let release = format!("{upstream}{}", flavour.suffix());
        packages.iter().all(has).then(|| Build { release, version: package.version.clone(), packages })
    };
    index.iter().filter_map(build).collect()
}

/// Whether it is the part of a package name between "linux-image-" and the flavour: "5.10.0-32", "6.12.117+deb13".
/// Packages that only depend on the newest build have fewer numbers, other flavours more words.
fn is_abi(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let Some((numbers, rest)) = text.split_at_checked(end) else { return false };
    let counted = rest.strip_prefix('-').is_some_and(|count| count.chars().all(|c| c.is_ascii_digit()));
    is_release(numbers) && (rest.is_empty() || counted || rest.starts_with('+') && !rest.contains('-'))
}

/// Whether it is an upstream release, three numbers.
fn is_release(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
}

/// A message: which kernel is taken for `offer`, and why.
pub(crate) fn explain(offer: &Offer, build: &Build) -> String {
    let Offer { release, suite, .. } = offer;
    let Build { release: taken, version, .. } = build;
    format!(
        "kernel {release} has left the index of {}; taking {taken} ({version}), its newest build of {}",
        suite.name(),
        offer.series()
    )
}

#[cfg(test)]
pub(super) mod example {
    use super::*;

    /// A package without dependencies.
    pub(in crate::kernels) fn package(name: &str, version: &str) -> Package {
        Package { name: name.to_owned(), version: version.to_owned(), depends: String::new() }
    }

    /// An index with both layouts and all flavours. `linux-modules-` of 6.19.14 has left it.
    pub(in crate::kernels) fn index() -> Vec<Package> {
        let mut index: Vec<Package> = [
            ("linux-image-5.10.0-30-cloud-amd64", "5.10.218-1"),
            ("linux-image-5.10.0-30-cloud-amd64-unsigned", "5.10.218-1"),
            ("linux-image-5.10.0-32-rt-amd64-unsigned", "5.10.223-1"),
            ("linux-image-6.1.0-9-cloud-amd64", "6.1.27-1"),
            ("linux-image-6.1.0-53-cloud-amd64", "6.1.187-1"),
            ("linux-image-6.1.0-57-cloud-amd64", "6.1.192-3"),
            ("linux-image-6.1.0-57-rt-amd64", "6.1.192-3"),
            ("linux-image-6.1.0-57-amd64-dbg", "6.1.192-3"),
            ("linux-image-6.12-cloud-amd64", "6.12.130-1"),
            ("linux-image-cloud-amd64", "6.12.130-1"),
            ("linux-image-6.12.117+deb13-cloud-amd64", "6.12.117-1"),
            ("linux-image-6.12.120+deb13-amd64", "6.12.120-1"),
            ("linux-image-6.12.120+deb13-cloud-amd64", "6.12.120-1"),
            ("linux-image-6.12.120+deb13-rt-amd64", "6.12.120-1"),
            ("linux-image-6.12.107+deb13-arm64-16k", "6.12.107-1"),
            ("linux-image-6.12.120+deb13-arm64", "6.12.120-1"),
            ("linux-image-6.12.120+deb13-arm64-16k", "6.12.120-1"),
            ("linux-image-6.12.120+deb13-cloud-arm64", "6.12.120-1"),
            ("linux-binary-6.19.14+deb13-cloud-amd64", "6.19.14-1~bpo13+1"),
            ("linux-base-6.19.14+deb13-cloud-amd64", "6.19.14-1~bpo13+1"),
            ("linux-source-6.1", "6.1.192-3"),
        ]
        .map(|(name, version)| package(name, version))
        .to_vec();
        for (release, flavour) in [("6.19.14", "cloud-"), ("7.3.5", "cloud-"), ("7.3.5", "rt-"), ("7.3.10", "cloud-")] {
            let (name, version) = (format!("{release}+deb13-{flavour}amd64"), format!("{release}-1~bpo13+1"));
            let depends = format!("kmod, linux-binary-{name} (= {version})");
            index.push(Package { depends, ..package(&format!("linux-image-{name}"), &version) });
            if release != "6.19.14" {
                index.extend(split_packages(&name).iter().map(|name| package(name, &version)));
            }
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::{example::*, *};
    use crate::kernels::table::find;

    fn chosen(arch: Arch, release: &str) -> Choice {
        choose(find(arch, release).unwrap(), arch, &index())
    }

    fn newest(release: &str, version: &str, packages: &[&str]) -> Choice {
        let packages = packages.iter().map(ToString::to_string).collect();
        Choice::Newest(Build { release: release.to_owned(), version: version.to_owned(), packages })
    }

    #[test]
    fn the_pinned_build_is_taken_even_if_there_is_a_newer_one() {
        assert_eq!(chosen(Arch::X86_64, "6.12.117"), Choice::Pinned);
        assert_eq!(chosen(Arch::X86_64, "5.10.223-rt"), Choice::Pinned);
    }

    #[test]
    fn the_newest_build_of_the_series_takes_the_place_of_one_that_is_gone() {
        let x86 = |release| chosen(Arch::X86_64, release);
        assert_eq!(x86("5.10.223"), newest("5.10.218", "5.10.218-1", &["linux-image-5.10.0-30-cloud-amd64"]));
        assert_eq!(x86("6.1.192"), newest("6.1.192", "6.1.192-3", &["linux-image-6.1.0-57-cloud-amd64"]));
        let split = split_packages("7.3.10+deb13-cloud-amd64");
        let split: Vec<&str> = split.iter().map(String::as_str).collect();
        assert_eq!(x86("7.3.4"), newest("7.3.10", "7.3.10-1~bpo13+1", &split));
    }

    #[test]
    fn flavours_do_not_take_each_other_s_place() {
        let image = |name: &str| format!("linux-image-6.12.120+deb13-{name}");
        for (arch, release, taken, package) in [
            (Arch::X86_64, "6.12.117-rt", "6.12.120-rt", image("rt-amd64")),
            (Arch::X86_64, "6.12.117-generic", "6.12.120-generic", image("amd64")),
            (Arch::Arm64, "6.12.117", "6.12.120", image("cloud-arm64")),
            (Arch::Arm64, "6.12.117-16k", "6.12.120-16k", image("arm64-16k")),
        ] {
            assert_eq!(chosen(arch, release), newest(taken, "6.12.120-1", &[&package]), "{release}");
        }
        let real_time = split_packages("7.3.5+deb13-rt-amd64");
        let real_time: Vec<&str> = real_time.iter().map(String::as_str).collect();
        assert_eq!(chosen(Arch::X86_64, "7.3.4-rt"), newest("7.3.5-rt", "7.3.5-1~bpo13+1", &real_time));
    }

    #[test]
    fn a_build_whose_packages_are_incomplete_is_gone() {
        assert_eq!(chosen(Arch::X86_64, "6.19.14"), Choice::Gone);
        assert_eq!(chosen(Arch::X86_64, "7.0.13"), Choice::Gone);
        assert_eq!(chosen(Arch::Arm64, "7.3.4"), Choice::Gone);
        assert_eq!(choose(find(Arch::X86_64, "6.12.117").unwrap(), Arch::X86_64, &[]), Choice::Gone);
    }

    #[test]
    fn only_images_of_one_build_are_builds() {
        let releases: Vec<String> =
            builds(&index(), Arch::X86_64, Flavour::Generic).into_iter().map(|build| build.release).collect();
        assert_eq!(releases, ["6.12.120-generic"], "neither debug symbols, nor packages of the newest build");
        for (text, right) in [
            ("5.10.0-32", true),
            ("6.12.117+deb13", true),
            ("6.12.117+deb13+1", true),
            ("6.12.117", true),
            ("6.12", false),
            ("6.12.117+deb13-cloud", false),
            ("5.10.0-32-cloud", false),
            ("5.10.0-cloud", false),
            ("", false),
        ] {
            assert_eq!(is_abi(text), right, "{text}");
        }
    }

    #[test]
    fn the_message_names_both_kernels_and_the_suite() {
        let offer = find(Arch::X86_64, "6.12.117").unwrap();
        let build = Build { release: "6.12.120".to_owned(), version: "6.12.120-1".to_owned(), packages: vec![] };
        let text = explain(offer, &build);
        for part in ["6.12.117 has left the index of trixie", "taking 6.12.120 (6.12.120-1)", "of 6.12"] {
            assert!(text.contains(part), "{part} is missing from {text}");
        }
    }
}
