//! The layout of swap PTEs, as data: the programs shift and mask by it.

use serde::Serialize;

use super::evidence::Evidence;

/// Where a swap PTE holds its entry, and which bits a PTE that maps a page has instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PteLayout {
    pub name: &'static str,
    /// Lowest bit of the swap type.
    pub type_shift: u32,
    /// Bits of the type.
    pub type_bits: u32,
    /// Lowest bit of the offset.
    pub offset_shift: u32,
    /// Bits of the offset.
    pub offset_bits: u32,
    /// The offset is stored inverted (L1TF).
    pub inverted: bool,
    /// Any of these bits is set in a PTE that maps a page, and none in a swap PTE.
    pub present: u64,
}

/// `arch/x86/include/asm/pgtable_64.h`, every version so far. Present: `_PAGE_PRESENT` or `_PAGE_PROTNONE`.
const X86_64: PteLayout = PteLayout {
    name: "x86_64",
    type_shift: 59,
    type_bits: 5,
    offset_shift: 9,
    offset_bits: 50,
    inverted: true,
    present: 1 | 1 << 8,
};

/// `arch/arm64/include/asm/pgtable.h` up to 5.18. Present: valid, or `PTE_PROT_NONE`.
const ARM64_PLAIN: PteLayout = PteLayout {
    name: "arm64",
    type_shift: 2,
    type_bits: 6,
    offset_shift: 8,
    offset_bits: 50,
    inverted: false,
    present: 1 | 1 << 58,
};

/// From 5.19 (<https://git.kernel.org/torvalds/c/570ef363509b>) on, bit 2 marks an exclusive page.
const ARM64_EXCLUSIVE: PteLayout = PteLayout { name: "arm64_exclusive", type_shift: 3, type_bits: 5, ..ARM64_PLAIN };

/// From 6.10 on, bit 3 belongs to userfaultfd, and bit 11 marks a present but invalid PTE.
const ARM64_UFFD: PteLayout = PteLayout {
    name: "arm64_uffd_wp",
    type_shift: 6,
    type_bits: 5,
    offset_shift: 12,
    offset_bits: 50,
    inverted: false,
    present: 1 | 1 << 11,
};

/// Why the layout of swap PTEs is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPteLayout {
    /// Two layouts are possible, and userfaultfd, whose features decide between them, cannot be asked.
    Ambiguous,
    /// This build supports `x86_64` and `aarch64` only.
    Architecture(String),
}

/// Decides it by what the kernel shows (docs/decisions/pte.md): neither BTF nor symbols hold the layout itself.
pub(super) fn find(evidence: &Evidence<'_>) -> Result<PteLayout, NoPteLayout> {
    let machine = evidence.machine;
    match machine.arch {
        "x86_64" => Ok(X86_64),
        // Came in the same series as the bit in the PTE.
        "aarch64" if evidence.btf.enum_value("PG_anon_exclusive").is_none() => Ok(ARM64_PLAIN),
        // Write-protecting a page that is swapped out takes a bit in its PTE, for which the fields had to move.
        "aarch64" => match machine.uffd_wp.or_else(|| machine.version.map(|version| version >= (6, 10))) {
            Some(true) => Ok(ARM64_UFFD),
            Some(false) => Ok(ARM64_EXCLUSIVE),
            None => Err(NoPteLayout::Ambiguous),
        },
        other => Err(NoPteLayout::Architecture(other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_present_bits_do_not_overlap() {
        for layout in [X86_64, ARM64_PLAIN, ARM64_EXCLUSIVE, ARM64_UFFD] {
            let mask = |shift: u32, bits: u32| ((1u64 << bits) - 1) << shift;
            let (kind, offset) =
                (mask(layout.type_shift, layout.type_bits), mask(layout.offset_shift, layout.offset_bits));
            assert_eq!(kind & offset, 0, "{}", layout.name);
            assert_eq!((kind | offset) & layout.present, 0, "{}", layout.name);
        }
    }
}
