//! The `anglerfish` binary: see `anglerfish --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    anglerfish::cli::main()
}
