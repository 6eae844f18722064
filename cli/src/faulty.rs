//! The `hostler` binary with failpoints and seeded bugs, for the tests of reliability.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
