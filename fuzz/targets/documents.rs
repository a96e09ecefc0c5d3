//! Any bytes as the documents that are not config.json: read, written, read again.
#![no_main]

use std::fmt::Debug;

use cofferdam_oci::{Features, Process, Resources, State, parse};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    same_again::<State>(bytes);
    same_again::<Process>(bytes);
    same_again::<Resources>(bytes);
    same_again::<Features>(bytes);
});

fn same_again<T>(bytes: &[u8])
where
    T: serde::de::DeserializeOwned + serde::Serialize + PartialEq + Debug,
{
    match parse::<T>(bytes) {
        Err(why) => assert!(!why.to_string().is_empty()),
        Ok(document) => {
            let value: Value = serde_json::to_value(&document).unwrap();
            assert_eq!(document, serde_json::from_value(value).unwrap(), "what is written is read back");
        }
    }
}
