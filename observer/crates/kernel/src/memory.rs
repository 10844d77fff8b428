//! Memory settings that change how pages are swapped in.

use serde::Serialize;

use super::{privileges::bracketed, tree::Tree};

/// Where the settings of transparent huge pages are.
const THP: &str = "/sys/kernel/mm/transparent_hugepage";

/// Whether zswap is in front of the swap areas. Once it has been on, kernels before 7.0 no longer swap in large folios
/// on the direct path; nothing shows that it was on earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Zswap {
    /// Built in and on.
    On,
    /// Built in and off now.
    Off,
    /// `CONFIG_ZSWAP` is off.
    NotBuilt,
    /// The file exists and cannot be read.
    Unknown,
}

impl Zswap {
    pub fn gather(tree: &Tree) -> Self {
        const ENABLED: &str = "/sys/module/zswap/parameters/enabled";
        match tree.switch(ENABLED) {
            Some(true) => Self::On,
            Some(false) => Self::Off,
            None if tree.exists(ENABLED) => Self::Unknown,
            None => Self::NotBuilt,
        }
    }
}

/// Kernel samepage merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ksm {
    /// Merging, or not merging any more while merged pages remain.
    On,
    Off,
    /// `CONFIG_KSM` is off.
    NotBuilt,
}

impl Ksm {
    pub fn gather(tree: &Tree) -> Self {
        const KSM: &str = "/sys/kernel/mm/ksm";
        let merged: Option<u64> = tree.number(format!("{KSM}/pages_shared"));
        match tree.number::<u32>(format!("{KSM}/run")) {
            Some(1) => Self::On,
            Some(_) if merged.is_some_and(|pages| pages > 0) => Self::On,
            Some(_) => Self::Off,
            None => Self::NotBuilt,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HugePageSize {
    /// The size in KiB: 16, 32, 64 ... 2048 with 4 KiB pages.
    pub kib: u32,
    /// The kernel's own word: `always`, `inherit`, `madvise` or `never`.
    pub enabled: String,
}

/// Memory settings. `None`: the kernel does not show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Memory {
    pub page_bytes: usize,
    /// `vm.page-cluster`: readahead reads 2 to this power pages at once (the direct path never reads ahead).
    pub page_cluster: Option<u32>,
    pub zswap: Zswap,
    pub ksm: Ksm,
    /// Whether zram is there, built in or as a loaded module.
    pub zram: bool,
    /// Transparent huge pages as a whole: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// The setting of each size (6.8 and later), smallest first. A size that is not `never` may be swapped in as a
    /// whole on the direct path from 6.12 on (<https://git.kernel.org/torvalds/c/242d12c98174>): one fault over a range
    /// of entries.
    pub huge_page_sizes: Vec<HugePageSize>,
}

impl Memory {
    pub fn gather(tree: &Tree) -> Self {
        Self {
            page_bytes: rustix::param::page_size(),
            page_cluster: tree.number("/proc/sys/vm/page-cluster"),
            zswap: Zswap::gather(tree),
            ksm: Ksm::gather(tree),
            zram: tree.exists("/sys/class/zram-control"),
            huge_pages: chosen(tree, &format!("{THP}/enabled")),
            huge_page_sizes: huge_page_sizes(tree),
        }
    }

    /// Whether a page size above the base size is enabled for any process, so that large folios may be swapped in.
    pub fn large_folios_possible(&self) -> bool {
        let whole = self.huge_pages.as_deref().is_some_and(|word| word != "never");
        self.huge_page_sizes.iter().any(|size| match size.enabled.as_str() {
            "never" => false,
            "inherit" => whole,
            _ => true,
        })
    }
}

fn huge_page_sizes(tree: &Tree) -> Vec<HugePageSize> {
    let names = tree.names(THP);
    let mut sizes: Vec<HugePageSize> = names
        .iter()
        .filter_map(|name| {
            let kib = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
            Some(HugePageSize { kib, enabled: chosen(tree, &format!("{THP}/{name}/enabled"))? })
        })
        .collect();
    sizes.sort_unstable_by_key(|size| size.kib);
    sizes
}

fn chosen(tree: &Tree, path: &str) -> Option<String> {
    tree.line(path).as_deref().and_then(bracketed).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::TempTree;

    /// The settings of Debian's 7.0.13 as it boots.
    fn debian() -> TempTree {
        TempTree::new()
            .file("/proc/sys/vm/page-cluster", "3\n")
            .file("/sys/module/zswap/parameters/enabled", "N\n")
            .file(&format!("{THP}/enabled"), "[always] madvise never\n")
            .file(&format!("{THP}/hugepages-2048kB/enabled"), "always [inherit] madvise never\n")
            .file(&format!("{THP}/hugepages-64kB/enabled"), "always inherit madvise [never]\n")
            .file(&format!("{THP}/khugepaged/defrag"), "1\n")
    }

    #[test]
    fn settings_of_a_real_guest_are_read() {
        let memory = Memory::gather(&Tree::at(debian().root()));
        assert_eq!((memory.page_cluster, memory.zswap), (Some(3), Zswap::Off));
        assert_eq!(memory.huge_pages.as_deref(), Some("always"));
        let sizes: Vec<_> = memory.huge_page_sizes.iter().map(|size| (size.kib, size.enabled.as_str())).collect();
        assert_eq!(sizes, [(64, "never"), (2048, "inherit")]);
        assert!(memory.large_folios_possible(), "2 MiB, inherited");
    }

    #[test]
    fn an_inherited_never_allows_no_large_folio() {
        let memory =
            Memory::gather(&Tree::at(debian().file(&format!("{THP}/enabled"), "always madvise [never]\n").root()));
        assert!(!memory.large_folios_possible());
    }

    #[test]
    fn ksm_is_on_while_merged_pages_remain() {
        let with = |run: &str, shared: &str| {
            let tree = TempTree::new().file("/sys/kernel/mm/ksm/run", run);
            Ksm::gather(&Tree::at(tree.file("/sys/kernel/mm/ksm/pages_shared", shared).root()))
        };
        assert_eq!([with("1\n", "0\n"), with("0\n", "5\n"), with("0\n", "0\n")], [Ksm::On, Ksm::On, Ksm::Off]);
        assert_eq!(Ksm::gather(&Tree::at(TempTree::new().root())), Ksm::NotBuilt);
    }

    #[test]
    fn zswap_may_be_absent_on_or_unreadable() {
        assert_eq!(Zswap::gather(&Tree::at(TempTree::new().root())), Zswap::NotBuilt);
        let with =
            |text| Zswap::gather(&Tree::at(TempTree::new().file("/sys/module/zswap/parameters/enabled", text).root()));
        assert_eq!(with("Y\n"), Zswap::On);
        assert_eq!(with("neither\n"), Zswap::Unknown);
    }
}
