//! The command `cofferdam-nsinit`: what no start of a container needs, so that `cofferdam` stays small. It is executed
//! by that one, and by people as `nsinit`. Everything it does is in the library of this package.

use std::process::ExitCode;

fn main() -> ExitCode {
    cofferdam_cli::nsinit().into()
}
