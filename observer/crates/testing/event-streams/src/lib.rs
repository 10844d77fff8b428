//! Made-up event streams, the same every time, for the tests and benchmarks of other crates.

pub mod stream;
