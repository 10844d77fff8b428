//! `observer doctor`: what this host allows, and whether the race can happen here.
use crate::{cli::DoctorArgs, exit::Exit};

/// Doctor.
///
/// # Errors
/// None yet.
pub fn run(_args: &DoctorArgs) -> anyhow::Result<Exit> {
    crate::setup::prepare()?;
    Ok(Exit::Clean)
}
