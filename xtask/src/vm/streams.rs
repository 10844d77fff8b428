//! The output streams of a guest.

/// One value per stream.
#[derive(Debug)]
pub(super) struct Streams<T> {
    /// The ports of [`Arch::ports`](crate::arch::Arch::ports): console, command output, command errors, report.
    pub(super) console: T,
    pub(super) stdout: T,
    pub(super) stderr: T,
    /// See [`Report`](super::report::Report).
    pub(super) report: T,
    /// Standard error of QEMU.
    pub(super) qemu: T,
}
