//! The command `cofferdam`: an OCI runtime that engines call, and a sandbox that people call. Everything it does is
//! in the library of this package. It starts without std's own start, which costs more than reading a configuration.
#![no_main]

cofferdam_sys::program!(cofferdam_cli::runtime);
