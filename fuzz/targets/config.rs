//! Any bytes as config.json: read, written, read again, planned.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match cofferdam_oci::parse_spec(bytes) {
        Err(why) => assert!(!why.to_string().is_empty()),
        Ok(spec) => {
            let text = serde_json::to_vec(&spec).unwrap();
            assert_eq!(spec, cofferdam_oci::parse_spec(&text).unwrap(), "what is written is read back");
            cofferdam_fuzz::plan_everywhere(&spec);
        }
    }
});
