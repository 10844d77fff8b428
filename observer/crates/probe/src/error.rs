//! What can go wrong in the kernel.

/// Why the programs could not be set up. Whatever had been attached is detached again.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A trampoline was asked for on a kernel that does not show its types.
    #[error("{program} ({backend} {symbol}) takes the kernel's own types, which it does not show")]
    Btf {
        /// The program.
        program: String,
        /// Its backend.
        backend: &'static str,
        /// The function.
        symbol: String,
    },
    /// The maps could not be made, or the object is not ours.
    #[error("cannot set up the eBPF object: {0}")]
    Object(String),
    /// A program was refused.
    #[error("the kernel refuses the program {program} ({backend} {symbol}): {reason}")]
    Program {
        /// The program.
        program: String,
        /// Its backend.
        backend: &'static str,
        /// The function.
        symbol: String,
        /// What the kernel said.
        reason: String,
    },
    /// A map could not be read or written.
    #[error("cannot use the eBPF map {name}: {reason}")]
    Map {
        /// The map.
        name: &'static str,
        /// What the kernel said.
        reason: String,
    },
}
