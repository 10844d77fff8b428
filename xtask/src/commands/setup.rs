//! `cargo xtask setup`.

use anyhow::Result;

use crate::{
    arch::Arch,
    setup::{BUILD, GUESTS, Verbosity, ensure, guests},
};

/// Bring what is missing: toolchain parts, bpf-linker, QEMU, packages.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Says what is there and brings the rest.
pub fn run(_: &Args) -> Result<u8> {
    ensure(&[BUILD, GUESTS, guests(Arch::Arm64)].concat(), Verbosity::All)?;
    Ok(0)
}
