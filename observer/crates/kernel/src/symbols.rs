//! Which of the wanted functions and variables this kernel has, from `/proc/kallsyms`.
//!
//! Only names are used: with IBT (6.12 and later) a probe is not at the address shown, so nothing is attached by
//! address. Addresses are read only to find out whether the kernel hides them, and never kept: a report that contained
//! them would reveal the kernel's place in memory.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader},
};

use serde::Serialize;
use thiserror::Error;

use crate::tree::Tree;

/// Where the running kernel lists its symbols.
pub const KALLSYMS: &str = "/proc/kallsyms";

/// Why the symbols are unknown.
#[derive(Debug, Error)]
pub enum SymbolsError {
    #[error("cannot read {KALLSYMS}")]
    Read(#[from] io::Error),
    #[error("{KALLSYMS} lists no symbol of the kernel itself")]
    Empty,
}

/// What the kernel lists under a wanted name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Symbol {
    /// The type letters of every definition of exactly this name, in order: `T`/`t` code, `D`/`d`/`B`/`b`/`R`/`r` data,
    /// capitals global. Debian's 6.18 shows some variables as `t` (`swapcache_wq`), so they do not separate data from
    /// code. More than one means static functions of the same name: a probe by name is then ambiguous. `ThinLTO` lists
    /// a static function that it made global as `name.llvm.123`: a definition, not a copy.
    pub definitions: Vec<char>,
    /// The full name of a definition that `ThinLTO` renamed. Kernels before 6.11 also find it by its plain name
    /// (<https://git.kernel.org/torvalds/c/fb6a421fb615>).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed: Option<String>,
    /// Copies that the compiler made for some callers: `name.isra.0`, `name.constprop.0`, `name.part.0`. A probe on
    /// the name alone misses their calls; they are not in BTF, and their parameters differ.
    pub copies: Vec<String>,
    /// Whether unlikely code was split off (`name.cold`). That is a part, not a copy: the entry stays where it was.
    pub split: bool,
}

impl Symbol {
    /// Whether a function of exactly this name exists.
    pub fn is_function(&self) -> bool {
        self.functions() > 0
    }

    /// The number of functions of exactly this name.
    pub fn functions(&self) -> usize {
        self.definitions.iter().filter(|letter| matches!(letter, 'T' | 't' | 'W' | 'w')).count()
    }

    /// Whether anything of exactly this name exists, function or variable.
    pub const fn is_defined(&self) -> bool {
        !self.definitions.is_empty()
    }

    /// Whether nothing of this name exists, not even a copy or a part.
    pub const fn is_absent(&self) -> bool {
        self.definitions.is_empty() && self.copies.is_empty() && !self.split
    }
}

/// The wanted symbols of one kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Symbols {
    /// By wanted name.
    pub wanted: BTreeMap<String, Symbol>,
    /// Every address is shown as zero: `kptr_restrict`, or `CAP_SYSLOG` is missing. The names are still correct.
    pub addresses_hidden: bool,
    /// The number of symbols, without those of modules.
    pub total: usize,
    /// The kernel was optimized at link time (Clang's LTO): functions of one file may be inlined into another, so a
    /// function that is not listed may exist.
    pub link_time_optimized: bool,
}

impl Symbols {
    /// Reads a list in the form of `/proc/kallsyms`, one line at a time. Symbols of modules are skipped.
    pub fn parse(mut list: impl BufRead, wanted: &[&str]) -> Result<Self, SymbolsError> {
        let mut found: BTreeMap<&str, Symbol> = wanted.iter().map(|&name| (name, Symbol::default())).collect();
        let mut addresses_hidden = true;
        let (mut total, mut link_time_optimized) = (0, false);
        let mut line = Vec::with_capacity(128);
        loop {
            line.clear();
            if list.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let Some(symbol) = std::str::from_utf8(&line).ok().and_then(Line::parse) else { continue };
            total += 1;
            addresses_hidden &= symbol.address_is_zero;
            link_time_optimized |= symbol.is_of_link_time_optimization();
            let (base, suffix) = symbol.name.find('.').map_or((symbol.name, ""), |dot| symbol.name.split_at(dot));
            if let Some(entry) = found.get_mut(base) {
                note(entry, symbol, suffix);
            }
        }
        if total == 0 {
            return Err(SymbolsError::Empty);
        }
        let wanted = found.into_iter().map(|(name, symbol)| (name.to_owned(), symbol)).collect();
        Ok(Self { wanted, addresses_hidden, total, link_time_optimized })
    }

    /// Reads the kernel's list in some tens of milliseconds, mostly spent in the kernel.
    pub fn gather(tree: &Tree, wanted: &[&str]) -> Result<Self, SymbolsError> {
        Self::parse(BufReader::with_capacity(1 << 16, File::open(tree.path(KALLSYMS))?), wanted)
    }

    /// What the kernel lists under a name; `None` if the name is not a wanted one.
    pub fn get(&self, name: &str) -> Option<&Symbol> {
        self.wanted.get(name)
    }

    /// Whether a function of exactly this name exists; false for names that are not wanted.
    pub fn has_function(&self, name: &str) -> bool {
        self.get(name).is_some_and(Symbol::is_function)
    }

    /// Whether anything of exactly this name exists, function or variable; false for names that are not wanted.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(Symbol::is_defined)
    }

    /// The copies that the compiler made of a function; none for names that are not wanted.
    pub fn copies(&self, name: &str) -> &[String] {
        self.get(name).map_or(&[], |symbol| &symbol.copies)
    }
}

/// One line of the list: `ffffffff923c9cd0 T swapcache_prepare`, then a tab and `[module]` for a module's.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    address_is_zero: bool,
    letter: char,
    name: &'a str,
}

impl<'a> Line<'a> {
    /// `None` for a module's symbol and for anything that is no symbol.
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let (address, letter, name) = (fields.next()?, fields.next()?, fields.next()?);
        if fields.next().is_some() {
            return None;
        }
        Some(Self { address_is_zero: address.bytes().all(|digit| digit == b'0'), letter: letter.chars().next()?, name })
    }

    /// `ThinLTO` renames static functions that it makes global. `ThinLTO` and full LTO add a stub to each initcall
    /// (`include/linux/init.h`).
    fn is_of_link_time_optimization(&self) -> bool {
        self.name.starts_with("__initstub__") || self.name.contains(".llvm.")
    }
}

fn note(entry: &mut Symbol, symbol: Line<'_>, suffix: &str) {
    if suffix.is_empty() {
        entry.definitions.push(symbol.letter);
    } else if is_rename(suffix) {
        entry.definitions.push(symbol.letter);
        entry.renamed = Some(symbol.name.to_owned());
    } else if suffix.split('.').any(|part| part == "cold") {
        // Also `name.isra.0.cold`: the cold part of a copy, which is listed on another line.
        entry.split = true;
    } else {
        entry.copies.push(symbol.name.to_owned());
    }
}

/// Whether a suffix is that of a whole function which `ThinLTO` made global: `.llvm.` and a number.
fn is_rename(suffix: &str) -> bool {
    suffix.strip_prefix(".llvm.").is_some_and(|hash| !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    const WANTED: &[&str] =
        &["do_swap_page", "swapcache_prepare", "swapcache_clear", "swapcache_wq", "__swap_duplicate", "swapin_folio"];

    fn parse(text: &str, wanted: &[&str]) -> Symbols {
        Symbols::parse(text.as_bytes(), wanted).unwrap()
    }

    #[test]
    fn the_pin_shows_in_the_functions_of_real_kernels() {
        let shape = |kernel| {
            let symbols = fixtures::symbols(kernel, WANTED);
            ["swapcache_prepare", "swapcache_clear", "swapin_folio"].map(|name| symbols.has_function(name))
        };
        assert_eq!(shape("5.10.223"), [true, false, false], "vulnerable: no function drops the pin");
        assert_eq!(shape("6.1.192"), [true, true, false]);
        assert_eq!(shape("6.12.117"), [true, true, false]);
        assert_eq!(shape("6.18.15"), [true, true, false]);
        assert_eq!(shape("7.0.13"), [false, false, true], "no pin: every read goes through the swap cache");
    }

    #[test]
    fn copies_and_cold_parts_are_not_functions() {
        let newest = fixtures::symbols("7.0.13", WANTED);
        let duplicate = newest.get("__swap_duplicate").unwrap();
        assert_eq!(duplicate.copies, ["__swap_duplicate.constprop.0"]);
        assert!(!duplicate.is_function());
        assert!(!duplicate.is_absent());
        let fault = newest.get("do_swap_page").unwrap();
        assert!(fault.split);
        assert!(fault.is_function());
        assert!(fault.copies.is_empty());
        let middle = fixtures::symbols("6.12.117", WANTED);
        assert!(middle.has("swapcache_wq"));
        assert!(!middle.has_function("swapcache_wq"));
        let newer = fixtures::symbols("6.18.15", WANTED);
        assert_eq!(newer.get("swapcache_wq").unwrap().definitions, ['t'], "a variable listed as code");
        assert!(!fixtures::symbols("6.1.192", WANTED).has("swapcache_wq"), "one-tick sleeps before 6.12");
    }

    #[test]
    fn hidden_addresses_are_detected() {
        let hidden = parse("0000000000000000 T _text\n0000000000000000 t do_swap_page\n", WANTED);
        assert!(hidden.addresses_hidden);
        assert!(hidden.has_function("do_swap_page"));
        // Per-CPU symbols start at zero on kernels up to 6.12: one real address is enough.
        let shown = parse("0000000000000000 A fixed_percpu_data\nffffffff81000000 T _text\n", WANTED);
        assert!(!shown.addresses_hidden);
        assert_eq!(shown.total, 2);
    }

    #[test]
    fn duplicates_and_copies_are_kept_and_modules_skipped() {
        let text = "ff01 t swap_free\nff02 t swap_free\nff03 t swap_free.isra.0\nff04 t swap_free.isra.0.cold\n\
                    ff05 T swap_free.llvm.1234567\nff06 t swap_free_nr\nff07 t swap_free\t[other]\nff08 t __pfx_swap_free\n";
        let symbols = parse(text, &["swap_free"]);
        let free = symbols.get("swap_free").unwrap();
        assert_eq!(free.definitions, ['t', 't', 'T']);
        assert_eq!((free.functions(), free.renamed.as_deref()), (3, Some("swap_free.llvm.1234567")));
        assert_eq!(free.copies, ["swap_free.isra.0"]);
        assert!(free.split);
        assert_eq!(symbols.get("swap_free_nr"), None, "not wanted");
        assert_eq!(symbols.total, 7);
    }

    #[test]
    fn a_function_that_thinlto_renamed_is_no_copy() {
        let text = "ff01 t swap_free.llvm.42\nff02 t swap_free.llvm.42.cold\nff03 t put.isra.0.llvm.7\n";
        let symbols = parse(text, &["swap_free", "put", "get"]);
        let free = symbols.get("swap_free").unwrap();
        assert!(free.is_function() && free.copies.is_empty() && free.split);
        assert_eq!(free.renamed.as_deref(), Some("swap_free.llvm.42"));
        assert_eq!(symbols.copies("put"), ["put.isra.0.llvm.7"]);
        assert!(!symbols.has_function("put"));
    }

    #[test]
    fn link_time_optimization_shows_in_any_symbol() {
        let optimized = |text| parse(text, &["swap_free"]).link_time_optimized;
        assert!(!optimized("ff01 T swap_free\nff02 t llvm_init\n"));
        assert!(optimized("ff01 T swap_free\nff02 t other.llvm.9\n"));
        assert!(optimized("ff01 T swap_free\nff02 t __initstub__kmod_swap__301_72_init6\n"));
    }

    #[test]
    fn text_without_symbols_is_an_error() {
        assert!(matches!(Symbols::parse(&b""[..], WANTED), Err(SymbolsError::Empty)));
        let junk = b"\xff\xfe\n\nhello\nff01 t\nff02 t odd\xff\nff03 t name\t[module]\n";
        assert!(matches!(Symbols::parse(&junk[..], WANTED), Err(SymbolsError::Empty)));
    }
}
