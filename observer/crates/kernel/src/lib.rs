//! Facts about the running kernel and host (symbols, types, settings, swap areas), and the hook plan that follows from
//! them.
//!
//! Nothing here attaches or loads anything. Every parser is a pure function over text or bytes, so that it can be
//! tested on files read from other kernels; [`facts::Facts::gather`] reads the running one.

pub mod btf;
pub mod cgroups;
pub mod codes;
pub mod errno;
pub mod facts;
#[cfg(any(test, feature = "fixtures"))]
#[expect(clippy::expect_used, reason = "a test without its fixture has failed")]
pub mod fixtures;
pub mod host;
pub mod memory;
pub mod namespaces;
pub mod plan;
pub mod preemption;
pub mod privileges;
pub mod survey;
pub mod swaps;
pub mod symbols;
pub mod tree;
mod uffd;
pub mod vmstat;
