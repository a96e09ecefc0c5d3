//! What a parent writes into the init pipe: values or an error, never a panic; and values survive the way back.
#![no_main]

use cofferdam_nsenter::bootstrap::Release;
use cofferdam_nsenter::bootstrap::message::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for release in [Release::V1_0, Release::Current] {
        match decode(bytes, release) {
            Ok(asked) => {
                let again = encode(&asked, release).expect("what was decoded can be encoded");
                assert_eq!(decode(&again, release).expect("and decoded"), asked);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
