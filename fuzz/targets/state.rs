//! Any bytes as a state file: a state or an error, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = cofferdam::reads_as_state(bytes);
});
