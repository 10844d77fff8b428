//! The subcommands. Each returns the exit code of xtask.

pub(crate) mod bench;
pub(crate) mod demo;
pub(crate) mod dist;
pub(crate) mod kernels;
pub(crate) mod mutants;
pub(crate) mod setup;
pub(crate) mod test;
pub(crate) mod vm;

const KERNEL_HELP: &str = "Kernel release, or its start";

const KERNELS_HELP: &str = "Folders with local kernels, which are preferred, DIR:DIR, each with RELEASE/{vmlinuz,config,modules/*.ko} [default: $OBSERVER_KERNELS]";
