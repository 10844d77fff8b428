//! The program `observer`; everything is in its library, so that benchmarks and tests can drive parts of it.

fn main() -> std::process::ExitCode {
    observer::main()
}
