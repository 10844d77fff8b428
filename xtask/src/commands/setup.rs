//! `cargo xtask setup`.

use anyhow::Result;

use crate::{
    arch::Arch,
    setup::{BUILD, CHECKS, GUESTS, Verbosity, ensure, guests},
};

/// Install what is missing: toolchain parts, bpf-linker, QEMU, checkers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<u8> {
    ensure(&[BUILD, CHECKS, GUESTS, guests(Arch::Arm64)].concat(), Verbosity::All)?;
    Ok(0)
}
