//! Any seccomp profile: a program that ends on every call, or reasons.
//!
//! The first line, numbers, are the call's arguments; the rest is the profile.
#![no_main]

use cofferdam_oci::{Pointer, Seccomp};
use cofferdam_seccomp::{Arch, SeccompData, compile, interpret};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (numbers, profile) = bytes.split_at(line);
    let Ok(profile) = cofferdam_oci::parse::<Seccomp>(profile) else { return };
    let mut args = [0; 6];
    for (arg, word) in args.iter_mut().zip(String::from_utf8_lossy(numbers).split_whitespace()) {
        *arg = word.parse().unwrap_or(u64::MAX);
    }
    for native in [Arch::X86_64, Arch::Aarch64, Arch::S390x] {
        match compile(&profile, &Pointer::new("/linux/seccomp"), native) {
            Err(rejects) => cofferdam_fuzz::assert_reasons(&rejects),
            Ok(filter) => {
                assert!(filter.instructions().len() <= 4096, "more than BPF_MAXINSNS");
                for arch in [native, Arch::X86_64, Arch::X86, Arch::Arm] {
                    for nr in (0..500).step_by(7).chain([u32::MAX, 0x4000_0001]) {
                        let data = SeccompData::new(arch, nr, args);
                        let (code, big) = (filter.instructions(), native == Arch::S390x);
                        assert!(
                            interpret::run_program(code, big, &data).is_some(),
                            "{nr} runs off the program"
                        );
                    }
                }
            }
        }
    }
});
