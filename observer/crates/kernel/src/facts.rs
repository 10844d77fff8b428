//! Everything that is known of this host before anything is attached.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use crate::{
    btf::{self, Btf, BtfError},
    codes,
    host::Host,
    memory::Memory,
    privileges::Privileges,
    swaps::{self, SwapArea, Synchronous},
    symbols::Symbols,
    tree::Tree,
    vmstat::Vmstat,
};

codes! {
    /// What is looked up in files.
    pub enum Fact {
        Btf = "btf",
        Symbols = "symbols",
        Swaps = "swaps",
        Vmstat = "vmstat",
        Privileges = "privileges",
    }
}

/// A fact that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub what: Fact,
    /// The message of the error; names the file.
    pub why: String,
}

/// What this host is. Gathering never fails as a whole: what could not be read is `None` and named in `gaps`.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// The kernel and its tracing facilities.
    pub host: Host,
    /// What this process may do.
    pub privileges: Option<Privileges>,
    /// Memory settings.
    pub memory: Memory,
    /// The swap areas in use.
    pub swaps: Option<Vec<SwapArea>>,
    /// The kernel's own counts of pages swapped.
    pub vmstat: Option<Vmstat>,
    /// The wanted symbols.
    pub symbols: Option<Symbols>,
    /// Of the wanted functions that BTF knows, the prototypes as text.
    pub prototypes: BTreeMap<String, String>,
    /// The kernel's types, to look offsets up in. Not serialized: `prototypes` stands for them.
    #[serde(skip)]
    pub btf: Option<Btf>,
    /// What could not be found out.
    pub gaps: Vec<Gap>,
}

impl Facts {
    /// Looks at the running system. `wanted` are the functions and variables that some plan may need; `btf_file`
    /// replaces the types that the kernel shows. Reads files only: nothing is loaded, attached or changed.
    pub fn gather(wanted: &[&str], btf_file: Option<&Path>) -> Self {
        let tree = Tree::system();
        let mut gaps = Vec::new();
        let host = Host::gather(&tree);
        let btf = keep(Fact::Btf, types(btf_file.unwrap_or(Path::new(btf::VMLINUX))), &mut gaps);
        let swaps = keep(Fact::Swaps, swaps::gather(&tree, &host.release), &mut gaps);
        let privileges = Privileges::gather(&tree).ok_or("/proc/self/status is unreadable or of an unknown form");
        Self {
            privileges: keep(Fact::Privileges, privileges, &mut gaps),
            memory: Memory::gather(&tree),
            swaps,
            vmstat: keep(Fact::Vmstat, Vmstat::now(), &mut gaps),
            symbols: keep(Fact::Symbols, Symbols::of_running_kernel(wanted), &mut gaps),
            prototypes: btf.as_ref().map(|btf| prototypes(btf, wanted)).unwrap_or_default(),
            btf,
            host,
            gaps,
        }
    }

    /// Whether any swap area in use can be read past the swap cache: `Yes` if one certainly can, `No` if none can or
    /// there is none, else `Unknown`.
    pub fn direct_path(&self) -> Synchronous {
        self.swaps.as_deref().map_or(Synchronous::Unknown, any_synchronous)
    }
}

fn any_synchronous(areas: &[SwapArea]) -> Synchronous {
    let has = |answer| areas.iter().any(|area| area.synchronous == answer);
    [Synchronous::Yes, Synchronous::Unknown].into_iter().find(|&answer| has(answer)).unwrap_or(Synchronous::No)
}

/// The types in a file; an error names the file.
fn types(path: &Path) -> Result<Btf, String> {
    Btf::from_file(path).map_err(|error| match error {
        BtfError::Read { .. } => error.to_string(),
        other => format!("{}: {other}", path.display()),
    })
}

fn prototypes(btf: &Btf, wanted: &[&str]) -> BTreeMap<String, String> {
    wanted.iter().filter_map(|&name| Some((name.to_owned(), btf.function(name)?.to_string()))).collect()
}

/// The value; or nothing, and a gap that says why.
fn keep<T, E: ToString>(what: Fact, result: Result<T, E>, gaps: &mut Vec<Gap>) -> Option<T> {
    result.map_err(|error| gaps.push(Gap { what, why: error.to_string() })).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures,
        swaps::{AreaKind, SwapLine},
    };

    fn area(synchronous: Synchronous) -> SwapArea {
        let line = SwapLine { path: String::new(), kind: AreaKind::File, size_kib: 1, used_kib: 0, priority: 0 };
        SwapArea { line, ordinal: 0, device: None, synchronous, reason: String::new() }
    }

    #[test]
    fn one_synchronous_area_opens_the_direct_path() {
        use Synchronous::{No, Unknown, Yes};
        let verdict = |answers: &[Synchronous]| any_synchronous(&answers.iter().copied().map(area).collect::<Vec<_>>());
        assert_eq!(verdict(&[]), No);
        assert_eq!(verdict(&[No, Yes, Unknown]), Yes);
        assert_eq!(verdict(&[No, Unknown]), Unknown);
        assert_eq!(verdict(&[No, No]), No);
    }

    #[test]
    fn prototypes_are_those_of_the_wanted_functions() {
        let found = prototypes(&fixtures::btf("6.1.192"), &["swapcache_clear", "no_such_function"]);
        let expected =
            ("swapcache_clear".to_owned(), "void(struct swap_info_struct *si, swp_entry_t entry)".to_owned());
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn the_running_system_can_always_be_looked_at() {
        let facts = Facts::gather(&["do_swap_page"], Some(Path::new("/no/such/btf")));
        assert!(facts.btf.is_none());
        assert!(facts.gaps.iter().any(|gap| gap.what == Fact::Btf && gap.why.contains("/no/such/btf")));
        let json = serde_json::to_string(&facts).unwrap();
        assert!(json.contains("\"gaps\"") && !json.contains("ffffffff"), "no address leaves the process: {json}");
    }
}
