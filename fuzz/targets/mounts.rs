//! Mounts: a line each of destination, type, source and options, with spaces between.
#![no_main]

use cofferdam_oci::{Mount, Spec};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;

fuzz_target!(|bytes: &[u8]| {
    let mut spec = Spec::deserialize(&*cofferdam_fuzz::BASE).unwrap();
    spec.mounts = String::from_utf8_lossy(bytes).lines().take(16).map(mount).collect();
    cofferdam_fuzz::plan_everywhere(&spec);
});

fn mount(line: &str) -> Mount {
    let mut words = line.splitn(4, ' ');
    let mut word = || words.next().filter(|word| *word != "-").map(str::to_owned);
    Mount {
        destination: word().unwrap_or_default(),
        kind: word(),
        source: word(),
        options: word().map(|options| options.split(',').map(str::to_owned).collect()).unwrap_or_default(),
        ..Mount::default()
    }
}
