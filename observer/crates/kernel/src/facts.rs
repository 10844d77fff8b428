//! The facts about this host that a plan and a report need.

use std::{collections::BTreeMap, error::Error, path::Path};

use serde::Serialize;

use crate::{
    btf::{self, Btf, BtfError},
    codes,
    host::Host,
    memory::Memory,
    namespaces::Namespaces,
    privileges::Privileges,
    swaps::{self, SwapArea},
    symbols::Symbols,
    tree::Tree,
    vmstat::Vmstat,
};
use observer_text::Name;

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

/// Facts about this host. Gathering never fails as a whole: what could not be read is `None` and listed in `gaps`.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    pub host: Host,
    pub privileges: Option<Privileges>,
    pub namespaces: Namespaces,
    pub memory: Memory,
    /// Those in use.
    pub swaps: Option<Vec<SwapArea>>,
    pub vmstat: Option<Vmstat>,
    pub symbols: Option<Symbols>,
    /// Of the wanted functions that BTF knows, the prototypes as text.
    pub prototypes: BTreeMap<String, String>,
    /// The kernel's types, to look offsets up in. Not serialized: `prototypes` stands for them.
    #[serde(skip)]
    pub btf: Option<Btf>,
    pub gaps: Vec<Gap>,
}

impl Facts {
    /// Reads the running system's files; nothing is loaded, attached or changed. `wanted` are the functions and
    /// variables that a plan may need; `btf_file` replaces the types that the kernel shows.
    pub fn gather(wanted: &[&str], btf_file: Option<&Path>) -> Self {
        Self::gather_in(&Tree::system(), wanted, btf_file)
    }

    /// As [`Facts::gather`], from the files of a tree. Only the clock, the release and userfaultfd are those of the
    /// running kernel.
    pub fn gather_in(tree: &Tree, wanted: &[&str], btf_file: Option<&Path>) -> Self {
        let mut gaps = Vec::new();
        let host = Host::gather(tree);
        let types = btf_file.map_or_else(|| types(&tree.path(btf::VMLINUX)), types);
        let btf = keep(Fact::Btf, types, &mut gaps);
        let swaps = swaps::gather(tree, &host.release).map_err(|error| with_sources(&error));
        let swaps = keep(Fact::Swaps, swaps, &mut gaps);
        let privileges =
            Privileges::gather(tree).ok_or_else(|| "/proc/self/status cannot be read or parsed".to_owned());
        let vmstat = Vmstat::gather(tree).map_err(|error| with_sources(&error));
        let symbols = Symbols::gather(tree, wanted).map_err(|error| with_sources(&error));
        Self {
            privileges: keep(Fact::Privileges, privileges, &mut gaps),
            namespaces: Namespaces::gather(tree),
            memory: Memory::gather(tree),
            swaps,
            vmstat: keep(Fact::Vmstat, vmstat, &mut gaps),
            symbols: keep(Fact::Symbols, symbols, &mut gaps),
            prototypes: btf.as_ref().map(|btf| prototypes(btf, wanted)).unwrap_or_default(),
            btf,
            host,
            gaps,
        }
    }
}

/// The types in a file.
///
/// # Errors
/// Text that names the file, if it cannot be read or is no BTF.
pub fn types(path: &Path) -> Result<Btf, String> {
    Btf::from_file(path).map_err(|error| match error {
        BtfError::Read { .. } => with_sources(&error),
        other => format!("{}: {other}", Name::from(path)),
    })
}

fn prototypes(btf: &Btf, wanted: &[&str]) -> BTreeMap<String, String> {
    wanted.iter().filter_map(|&name| Some((name.to_owned(), btf.function(name)?.to_string()))).collect()
}

/// The value, or `None` and a gap.
fn keep<T>(what: Fact, result: Result<T, String>, gaps: &mut Vec<Gap>) -> Option<T> {
    result.map_err(|why| gaps.push(Gap { what, why })).ok()
}

/// An error and its causes: no error repeats its cause in its own message.
fn with_sources(error: &dyn Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn prototypes_are_those_of_the_wanted_functions() {
        let found = prototypes(&fixtures::btf("6.1.192"), &["swapcache_clear", "no_such_function"]);
        let expected =
            ("swapcache_clear".to_owned(), "void(struct swap_info_struct *si, swp_entry_t entry)".to_owned());
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn a_cause_is_in_the_reason_once() {
        let absent = fixtures::TempTree::new();
        let facts = Facts::gather_in(&Tree::at(absent.root()), &[], None);
        let of_files = [Fact::Btf, Fact::Symbols, Fact::Swaps, Fact::Vmstat];
        let reasons: Vec<_> =
            facts.gaps.iter().filter(|gap| of_files.contains(&gap.what)).map(|gap| &gap.why).collect();
        assert_eq!(reasons.len(), of_files.len(), "{reasons:?}");
        for why in reasons {
            assert!(why.starts_with("cannot read ") && why.matches("(os error 2)").count() == 1, "{why}");
        }
    }

    #[test]
    fn facts_of_the_running_system_contain_no_kernel_address() {
        let facts = Facts::gather(&["do_swap_page"], Some(Path::new("/no/such/btf")));
        assert!(facts.btf.is_none());
        assert!(facts.gaps.iter().any(|gap| gap.what == Fact::Btf && gap.why.contains("/no/such/btf")));
        let json = serde_json::to_string(&facts).unwrap();
        assert!(json.contains("\"gaps\""), "{json}");
        assert!(!json.contains("ffffffff"), "{json}");
    }
}
