//! The configuration of built kernels: a fragment that is common to all, and lines for each.

use super::recipe::{Preemption, Recipe};

/// What a guest needs; everything else is off.
const COMMON: &str = include_str!("config.fragment");

/// Checks of the kernel on itself. A warning in its log is a fault.
const CHECKS: &[&str] = &[
    "CONFIG_KASAN=y",
    "CONFIG_KASAN_GENERIC=y",
    "CONFIG_KASAN_OUTLINE=y",
    "CONFIG_KASAN_VMALLOC=y",
    "CONFIG_PROVE_LOCKING=y",
    "CONFIG_PROVE_RCU=y",
    "CONFIG_DEBUG_ATOMIC_SLEEP=y",
    "CONFIG_DEBUG_VM=y",
    "CONFIG_DEBUG_PREEMPT=y",
    "CONFIG_DEBUG_LIST=y",
    "CONFIG_DETECT_HUNG_TASK=y",
];

impl Preemption {
    fn lines(self) -> &'static [&'static str] {
        match self {
            Self::Voluntary => &["CONFIG_PREEMPT_VOLUNTARY=y", "CONFIG_HZ_250=y"],
            Self::Full => &["CONFIG_PREEMPT=y", "CONFIG_HZ_250=y"],
            Self::RealTimeLike => &[
                "CONFIG_PREEMPT=y",
                "CONFIG_HZ_1000=y",
                "CONFIG_RCU_EXPERT=y",
                "CONFIG_RCU_BOOST=y",
                "CONFIG_CMDLINE_BOOL=y",
                "CONFIG_CMDLINE=\"threadirqs\"",
            ],
        }
    }
}

/// The value of `KCONFIG_ALLCONFIG`.
pub(super) fn wanted(recipe: &Recipe) -> String {
    let version = format!("CONFIG_LOCALVERSION=\"-{}\"", recipe.name);
    let checks = if recipe.checked { CHECKS } else { &[] };
    let lines = recipe.preemption.lines().iter().chain(checks).copied();
    [COMMON.trim_end(), &version].into_iter().chain(lines).flat_map(|line| [line, "\n"]).collect()
}

/// The lines of `wanted` that `config`, which was made from it, does not have. `make` drops an option without a message
/// if what it depends on is off, or if it was renamed.
pub(super) fn refused(wanted: &str, config: &str) -> Vec<String> {
    let has = |line: &str| match line.strip_suffix("=n") {
        Some(name) => !config.lines().any(|other| other.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))),
        None => config.lines().any(|other| other == line),
    };
    let lines = wanted.lines().map(str::trim).filter(|line| line.starts_with("CONFIG_"));
    lines.filter(|line| !has(line)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::recipe::RECIPES, *};

    fn lines(name: &str) -> Vec<String> {
        let recipe = RECIPES.iter().find(|recipe| recipe.name == name).unwrap();
        wanted(recipe).lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_kernel_has_its_name_and_its_preemption() {
        let has = |name: &str, line: &str| lines(name).iter().any(|other| other == line);
        assert!(has("unfixed", "CONFIG_LOCALVERSION=\"-unfixed\""));
        assert!(has("unfixed", "CONFIG_PREEMPT_VOLUNTARY=y") && !has("unfixed", "CONFIG_PREEMPT=y"));
        assert!(has("fixed-preempt", "CONFIG_PREEMPT=y") && !has("fixed-preempt", "CONFIG_PREEMPT_VOLUNTARY=y"));
        assert!(has("nondirect-rtlike", "CONFIG_CMDLINE=\"threadirqs\"") && !has("fixed", "CONFIG_CMDLINE_BOOL=y"));
        assert!(has("unfixed-debug", "CONFIG_KASAN=y") && !has("unfixed-preempt", "CONFIG_KASAN=y"));
    }

    #[test]
    fn no_option_is_set_twice() {
        for recipe in RECIPES {
            let lines = lines(recipe.name);
            let mut names: Vec<_> = lines.iter().filter(|line| line.starts_with("CONFIG_")).collect();
            assert!(names.len() > 100, "{}", names.len());
            let name = |line: &&String| line.split('=').next().unwrap_or_default().to_owned();
            names.sort();
            let before = names.len();
            names.dedup_by_key(|line| name(line));
            assert_eq!(names.len(), before, "{}", recipe.name);
        }
    }

    #[test]
    fn options_that_make_dropped_are_found() {
        let wanted = "# why\nCONFIG_SMP=y\nCONFIG_ZRAM=m\nCONFIG_VT=n\nCONFIG_X=n\nCONFIG_CMDLINE=\"a\"\n";
        let config =
            "CONFIG_SMP=y\n# CONFIG_ZRAM is not set\n# CONFIG_VT is not set\nCONFIG_XY=y\nCONFIG_CMDLINE=\"a\"\n";
        assert_eq!(refused(wanted, config), ["CONFIG_ZRAM=m"]);
        let config = config.replace("CONFIG_XY=y", "CONFIG_X=m").replace("\"a\"", "\"b\"");
        assert_eq!(refused(wanted, &config), ["CONFIG_ZRAM=m", "CONFIG_X=n", "CONFIG_CMDLINE=\"a\""]);
        assert!(refused("", "").is_empty());
    }
}
