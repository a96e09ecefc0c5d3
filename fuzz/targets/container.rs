//! Any bytes as container.json: read, of whatever generation, written, read again, translated, planned.
#![no_main]

use cofferdam_fuzz::{assert_reasons, plan_everywhere};
use cofferdam_nsinit::{Config, ExecUser, Generation, convert};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let read = match Config::read(bytes) {
        Ok(read) => read,
        Err(rejects) => return assert_reasons(&rejects),
    };
    let config = read.config;
    let text = serde_json::to_vec(&config).unwrap();
    let again = Config::parse(&text).unwrap();
    // A document that says little may be of several generations.
    if again.generation == Generation::V1_4 {
        assert_eq!(Config { generation: config.generation, ..again }, config, "what is written is read back");
    }
    let second = Config::parse(&serde_json::to_vec(&config.to_v2()).unwrap()).unwrap();
    assert_eq!(second.generation, Generation::V2);
    match convert(&config, &ExecUser::default(), &["sh".to_owned()]) {
        Ok(converted) => plan_everywhere(&converted.spec),
        Err(rejects) => assert_reasons(&rejects),
    }
});
