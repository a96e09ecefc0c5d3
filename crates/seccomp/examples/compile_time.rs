//! Prints how long a profile takes to compile, and what running it costs.
//!
//! ```text
//! cargo run --release --example compile_time [PROFILE.json]
//! ```
//!
//! Without a file: the baseline profile of this crate, which is as large as Docker's.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::{Duration, Instant};

use cofferdam_oci::{Pointer, Seccomp};
use cofferdam_seccomp::{Arch, SeccompData, baseline::baseline, compile, interpret};

const RUNS: u32 = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut profile: Seccomp = match std::env::args().nth(1) {
        Some(path) => serde_json::from_slice(&std::fs::read(path)?)?,
        None => baseline(&[]),
    };
    let native = Arch::native().ok_or("no table for this architecture")?;
    if native == Arch::X86_64 {
        profile.architectures = ["SCMP_ARCH_X86", "SCMP_ARCH_X32"].map(str::to_owned).to_vec();
    }
    let at = Pointer::new("/linux/seccomp");
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let filter = compile(&profile, &at, native).map_err(|rejects| rejects[0].to_string())?;
        times.push(start.elapsed());
        std::hint::black_box(filter);
    }
    times.sort_unstable();
    let mean = times.iter().sum::<Duration>() / RUNS;
    println!("fastest {:?} median {:?} mean {mean:?} of {RUNS}", times[0], times[times.len() / 2]);

    let filter = compile(&profile, &at, native).map_err(|rejects| rejects[0].to_string())?;
    let mut steps: Vec<usize> = (0..480)
        .filter_map(|number| {
            let data = SeccompData::new(native, number, [0; 6]);
            interpret::steps(filter.instructions(), false, &data).map(|(_, steps)| steps)
        })
        .collect();
    steps.sort_unstable();
    println!(
        "{} names, {} instructions; a call runs {} of them (median), {} at most",
        profile.syscalls.iter().map(|rule| rule.names.len()).sum::<usize>(),
        filter.instructions().len(),
        steps[steps.len() / 2],
        steps[steps.len() - 1],
    );
    Ok(())
}
