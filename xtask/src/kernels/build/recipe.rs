//! The kernels that can be built, by name.

use super::edit::Edit;

/// How tasks are preempted in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preemption {
    Voluntary,
    Full,
    /// Like full, with interrupt handlers in threads and priority boosting of RCU readers. 6.1 has no `PREEMPT_RT` for
    /// x86-64: Debian's packages of the flavour rt have it.
    RealTimeLike,
}

/// A kernel that can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// The variant in its release: "unfixed-preempt" of "6.1.192-unfixed-preempt".
    pub(crate) name: &'static str,
    /// What is changed in Debian's source; `None`: nothing.
    pub(crate) edit: Option<Edit>,
    pub(crate) preemption: Preemption,
    /// With the kernel's own checks.
    pub(crate) checked: bool,
}

const fn recipe(name: &'static str, edit: Option<Edit>, preemption: Preemption) -> Recipe {
    Recipe { name, edit, preemption, checked: false }
}

pub(crate) const RECIPES: &[Recipe] = &[
    recipe("unfixed", Some(Edit::Unfixed), Preemption::Voluntary),
    recipe("unfixed-preempt", Some(Edit::Unfixed), Preemption::Full),
    recipe("unfixed-rtlike", Some(Edit::Unfixed), Preemption::RealTimeLike),
    recipe("fixed", None, Preemption::Voluntary),
    recipe("fixed-preempt", None, Preemption::Full),
    recipe("fixed-rtlike", None, Preemption::RealTimeLike),
    recipe("nondirect", Some(Edit::NonDirect), Preemption::Voluntary),
    recipe("nondirect-preempt", Some(Edit::NonDirect), Preemption::Full),
    recipe("nondirect-rtlike", Some(Edit::NonDirect), Preemption::RealTimeLike),
    Recipe { checked: true, ..recipe("unfixed-debug", Some(Edit::Unfixed), Preemption::Full) },
];

pub(crate) fn find(name: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.name == name)
}

impl Recipe {
    /// Names the edited source, which several recipes share.
    pub(super) fn source(&self) -> &'static str {
        self.edit.map_or("fixed", Edit::name)
    }

    /// Options of `cargo xtask vm` that it needs. With the kernel's checks the interpreter of ACPI times out under
    /// emulation.
    pub(crate) fn vm_options(&self) -> &'static str {
        if self.checked { "--append pci=noacpi --smp 1 --mem 2048 " } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{arch::Arch, kernels::table};

    #[test]
    fn names_are_unique_and_name_the_source() {
        let names: BTreeSet<_> = RECIPES.iter().map(|recipe| recipe.name).collect();
        assert_eq!(names.len(), RECIPES.len());
        for recipe in RECIPES {
            assert!(recipe.name.starts_with(recipe.source()), "{recipe:?}");
            assert_eq!(find(recipe.name), Some(recipe));
        }
        assert_eq!(find("unfixed-"), None);
    }

    #[test]
    fn every_source_has_every_kind_of_preemption() {
        for source in ["unfixed", "fixed", "nondirect"] {
            for preemption in [Preemption::Voluntary, Preemption::Full, Preemption::RealTimeLike] {
                let is_it = |recipe: &&Recipe| recipe.source() == source && recipe.preemption == preemption;
                assert!(RECIPES.iter().any(|recipe| is_it(&recipe)), "{source} {preemption:?}");
            }
        }
    }

    #[test]
    fn the_build_that_replaces_a_package_exists() {
        for name in table::of(Arch::X86_64).iter().filter_map(table::Offer::own_build) {
            assert_eq!(find(name).and_then(|recipe| recipe.edit), Some(Edit::Unfixed), "{name}");
        }
    }
}
