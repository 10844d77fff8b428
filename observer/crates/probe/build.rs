//! Builds the eBPF programs and leaves the objects in `OUT_DIR` for
//! [`include_bytes_aligned`](aya::include_bytes_aligned). It has no dependencies: building the programs takes longer than
//! anything else, so it starts first.

use std::{env, error::Error, ffi::OsString, fs, path::PathBuf, process::Command};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
const PACKAGE: &str = "observer-ebpf";
/// Its programs.
const OBJECTS: [&str; 3] = ["observer-ebpf", "pin-timing", "empty"];

fn main() -> Result<(), Box<dyn Error>> {
    // With the versions of dependencies, and the profile.
    for input in [PACKAGE, "Cargo.lock", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={ROOT}/{input}");
    }
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = match variable("CARGO_CFG_TARGET_ENDIAN")?.to_str() {
        Some("big") => "bpfeb-unknown-none",
        _ => "bpfel-unknown-none",
    };
    // A separate target folder: cargo holds a lock on the other.
    let folder = out.join("programs");
    let mut flags = OsString::from("--cfg=bpf_target_arch=\"");
    flags.push(variable("CARGO_CFG_TARGET_ARCH")?);
    // Flags are separated by 0x1f.
    flags.push("\"\x1f-Cdebuginfo=2\x1f-Clink-arg=--btf");
    let status = Command::new(variable("CARGO")?)
        .args(["build", "--quiet", "--release", "--package", PACKAGE, "--bins", "--features", "programs"])
        // The BPF target has no prebuilt `core`.
        .args(["-Z", "build-std=core", "--target", target, "--target-dir"])
        .arg(&folder)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        // `cargo clippy` sets it; clippy reads the programs on its own.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()?;
    if !status.success() {
        let remedy = "`cargo xtask setup` installs what they need (rust-src, bpf-linker)";
        return Err(format!("building the eBPF programs failed ({status}); {remedy}").into());
    }
    for object in OBJECTS {
        fs::copy(folder.join(target).join("release").join(object), out.join(object))?;
    }
    Ok(())
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}"))
}
