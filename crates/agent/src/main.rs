//! The command `cofferdam-agent`. Everything it does is in the library of this package, which nobody but this program
//! and the one that writes its manual is meant to use.

use std::process::ExitCode;

fn main() -> ExitCode {
    cofferdam_agent::main()
}
