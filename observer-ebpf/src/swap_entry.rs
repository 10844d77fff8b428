//! Swap entries as the programs see them: the value of a `swp_entry_t`.

/// Lowest bit of the swap type in an entry; the offset is below it. The same in every kernel's `swp_entry()`.
pub const TYPE_SHIFT: u32 = 58;
/// Number of values that the type field can take.
pub const TYPES: u32 = 32;
/// From this type on an entry may be a migration, device-private, hwpoison or marker entry. `MAX_SWAPFILES` is 22 in a
/// kernel that has most of these (5.19 to 6.1 with `CONFIG_DEVICE_PRIVATE`: 4 for device memory, 3 for migration, one
/// each for poisoned pages, failed swap-ins and markers), and up to 30 in one that has none. A swap area with such a
/// type is recognised when one of its entries is allocated. `cargo xtask test guest --step most-areas` counts them.
pub const FIRST_AMBIGUOUS_TYPE: u32 = 22;
/// Largest number of entries in a range: those of a PMD, which are 512 with pages of 4 KiB, 2 048 with 16 KiB and 8 192
/// with 64 KiB.
pub const MAX_RANGE: u32 = 8_192;
/// Entries of a range that one call of a program's function handles: the verifier walks calls times entries, and no
/// more than [`MAX_RANGE`] / [`RANGE_CHUNK`] branches may be pending at once.
pub const RANGE_CHUNK: u32 = 16;
