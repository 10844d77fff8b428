//! `cargo xtask setup`.

use anyhow::Result;

use crate::setup::{BUILD, GUESTS, Voice, ensure};

/// Bring what is missing: toolchain parts, bpf-linker, QEMU, packages.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Says what is there and brings the rest.
pub fn run(_: &Args) -> Result<u8> {
    ensure(&[BUILD, GUESTS].concat(), Voice::All)?;
    Ok(0)
}
