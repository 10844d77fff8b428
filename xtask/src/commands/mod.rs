//! The subcommands: arguments in, an exit code out.

pub mod bench;
pub mod demo;
pub mod kernels;
pub mod mutants;
pub mod setup;
pub mod test;
pub mod vm;

const KERNELS_HELP: &str =
    "A folder of local kernels, looked at first: RELEASE/{vmlinuz,config,modules/*.ko} [default: $OBSERVER_KERNELS]";
