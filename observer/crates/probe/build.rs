//! Builds the eBPF programs and leaves the object in `OUT_DIR` for
//! [`include_bytes_aligned`](aya::include_bytes_aligned).

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain, build_ebpf};

fn main() -> Result<()> {
    let root_dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../observer-ebpf");
    // For the child that builds the programs. The BPF target has no prebuilt `core`, and `-Z build-std` on a stable
    // compiler needs the first; aya-build hands every line of the child on as a warning, which the second keeps to real
    // ones.
    for (name, value) in [("RUSTC_BOOTSTRAP", "1"), ("CARGO_TERM_QUIET", "true")] {
        // SAFETY: a build script's main thread, before any other thread is started.
        unsafe { std::env::set_var(name, value) };
    }
    let toolchain = std::env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_| "1.95.0".to_owned());
    build_ebpf(
        [Package { name: "observer-ebpf", root_dir, no_default_features: false, features: &["programs"] }],
        Toolchain::Custom(&toolchain),
    )
    .context("building the eBPF programs failed; `cargo xtask setup` installs what they need (rust-src, bpf-linker)")
}
