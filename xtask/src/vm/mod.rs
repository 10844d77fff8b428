//! Guests: virtual machines that run one command each.

mod accel;
pub(crate) mod busybox;
mod failure;
mod file;
mod guest;
mod handshake;
mod initramfs;
mod modules;
mod newc;
mod pump;
mod qemu;
mod quote;
mod report;
mod scratch;
mod session;
mod streams;
mod terminal;

pub(crate) use self::{
    accel::Accel,
    failure::{Failure, PROGRESS},
    file::GuestFile,
    guest::{Guest, Output},
};
