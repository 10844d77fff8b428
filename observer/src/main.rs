//! The program `observer`. Its code is in the library, which benchmarks and tests use too.

fn main() -> std::process::ExitCode {
    observer::main()
}
