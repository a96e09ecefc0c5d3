//! The same profiles through this compiler and through libseccomp; the same calls through both filters.
//!
//! Needs `cc` and libseccomp's development files; says so and skips when they are absent. The seed is fixed;
//! `SECCOMP_SEED` and `SECCOMP_PROFILES` choose others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod generate;
mod model;
mod reference;

use cofferdam_oci::{Pointer, Seccomp};
use cofferdam_seccomp::{Arch, Instruction, SeccompData, compile_plain, interpret};
use generate::{Conflicts, Generator};
use reference::{Answer, Reference};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// What one comparison of a profile found.
enum Compared {
    Same,
    /// Both refuse.
    Refused,
    /// Only libseccomp refuses, with this errno.
    TheyRefuse(i32),
    /// This call gets another answer.
    Differs(SeccompData),
    /// As before, but the answer is right and libseccomp's is not, in a way that is known.
    Confused,
}

fn compare(
    reference: &mut Reference,
    profile: &Seccomp,
    native: Arch,
    calls: &[SeccompData],
    conflicts: Conflicts,
) -> Compared {
    let ours = compile_plain(profile, &Pointer::root(), native);
    let (ours, theirs) = match (ours, reference.compile(profile, native)) {
        (Ok(ours), Answer::Program(theirs)) => (ours, theirs),
        (Ok(_), Answer::Refused(errno)) => return Compared::TheyRefuse(errno),
        (Err(_), Answer::Refused(_)) => return Compared::Refused,
        (Err(rejects), Answer::Program(_)) => panic!("only we refuse {profile:#?}: {rejects:?}"),
    };
    let big = native.token() & 0x4000_0000 == 0;
    let mut compared = Compared::Same;
    for data in calls {
        let answer = interpret::run(&ours, data);
        if conflicts == Conflicts::None && answer != model::decide(profile, native, data) {
            return Compared::Differs(*data);
        }
        if Some(answer) != interpret::run_program(&theirs, big, data) {
            if !model::confuses_libseccomp(profile) {
                return Compared::Differs(*data);
            }
            compared = Compared::Confused;
        }
    }
    compared
}

/// Leaves out of the profile what is not needed for this call to differ.
fn shrink(
    reference: &mut Reference,
    mut profile: Seccomp,
    native: Arch,
    data: SeccompData,
    conflicts: Conflicts,
) -> Seccomp {
    let mut differs = |candidate: &Seccomp| {
        matches!(compare(reference, candidate, native, &[data], conflicts), Compared::Differs(_))
    };
    let mut size = profile.syscalls.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < profile.syscalls.len() {
            let mut without = profile.clone();
            without.syscalls.drain(start..without.syscalls.len().min(start + size));
            if differs(&without) { profile = without } else { start += size }
        }
        size /= 2;
    }
    for rule in 0..profile.syscalls.len() {
        for arg in (0..profile.syscalls[rule].args.len()).rev() {
            let mut without = profile.clone();
            without.syscalls[rule].args.remove(arg);
            if differs(&without) {
                profile = without;
            }
        }
    }
    profile
}

fn fail(
    reference: &mut Reference,
    profile: Seccomp,
    native: Arch,
    data: SeccompData,
    conflicts: Conflicts,
) -> ! {
    let profile = shrink(reference, profile, native, data, conflicts);
    let ours = compile_plain(&profile, &Pointer::root(), native).unwrap();
    let Answer::Program(theirs) = reference.compile(&profile, native) else {
        panic!("it was compiled before")
    };
    let big = native.token() & 0x4000_0000 == 0;
    panic!(
        "{:#x?} here, {:#x?} in libseccomp, {:#x} when the rules agree, for {data:x?} under {}\n{}\nlibseccomp:\n{}",
        interpret::run(&ours, &data),
        interpret::run_program(&theirs, big, &data),
        model::decide(&profile, native, &data),
        serde_json::to_string(&profile).unwrap(),
        listing(ours.instructions()),
        listing(&theirs),
    );
}

fn listing(code: &[Instruction]) -> String {
    code.iter().enumerate().map(|(n, i)| format!("{n:4} {i}\n")).collect()
}

#[derive(Debug, Default, PartialEq)]
struct Tally {
    same: u64,
    refused: u64,
    refused_there: u64,
    confused: u64,
    never_came_back: u64,
}

/// Runs `count` generated profiles.
fn run(conflicts: Conflicts, count: u64) -> Option<Tally> {
    let mut reference = Reference::start()?;
    let seed = setting("SECCOMP_SEED", 0x5ec0_c0de);
    println!("seed {seed}");
    let names = reference.names();
    let mut tally = Tally::default();
    for index in 0..count {
        let mut generator = Generator::new(seed.wrapping_add(index), &names);
        let native = generator.native();
        let profile = generator.profile(native, conflicts);
        let calls = generator.calls(&profile, native, 60);
        match compare(&mut reference, &profile, native, &calls, conflicts) {
            Compared::Same => tally.same += 1,
            Compared::Refused => tally.refused += 1,
            Compared::Confused => tally.confused += 1,
            Compared::TheyRefuse(errno) => match errno {
                -17 => tally.refused_there += 1,
                -62 => tally.never_came_back += 1,
                other => panic!("libseccomp refuses profile {index} of seed {seed}: errno {other}"),
            },
            Compared::Differs(data) => {
                println!("profile {index}: SECCOMP_SEED={} SECCOMP_PROFILES=1", seed.wrapping_add(index));
                fail(&mut reference, profile, native, data, conflicts);
            }
        }
    }
    println!("{tally:?}");
    Some(tally)
}

#[test]
fn rules_that_agree_for_each_call_mean_what_they_say_and_what_they_mean_in_libseccomp() {
    let count = setting("SECCOMP_PROFILES", 2000);
    let Some(tally) = run(Conflicts::None, count) else { return };
    assert_eq!((tally.refused, tally.refused_there), (0, 0));
    assert!(tally.same > count / 10 * 9, "{tally:?}");
}

#[test]
fn rules_that_conflict_are_settled_as_in_libseccomp() {
    let count = setting("SECCOMP_PROFILES", 2000);
    let Some(tally) = run(Conflicts::Plain, count) else { return };
    assert!(tally.same > count / 10 * 7, "{tally:?}");
}

#[test]
fn call_numbers_are_those_of_libseccomp() {
    let Some(mut reference) = Reference::start() else { return };
    let mut compared = 0;
    for name in generate::all_names() {
        for (arch, number) in reference.numbers(&name).0 {
            if let Some(theirs) = number {
                assert_eq!(arch.call_number(&name), Some(theirs), "{name} on {arch:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 5000, "{compared}");
}

#[test]
fn the_profile_of_containers_common_means_what_it_means_in_libseccomp() {
    let path = std::env::var("SECCOMP_JSON").unwrap_or_else(|_| "/usr/share/containers/seccomp.json".into());
    let Ok(text) = std::fs::read(&path) else {
        println!("skipped: {path} is not there (Debian package golang-github-containers-common)");
        return;
    };
    let Some(mut reference) = Reference::start() else { return };
    let mut profile: Seccomp = serde_json::from_slice(&text).unwrap();
    profile.architectures = ["SCMP_ARCH_X86", "SCMP_ARCH_X32"].map(str::to_owned).to_vec();
    let mut generator = Generator::new(1, &[]);
    let mut calls = generator.calls(&profile, Arch::X86_64, 5000);
    for arch in [Arch::X86_64, Arch::X86, Arch::X32] {
        let base = if arch == Arch::X32 { 0x4000_0000 } else { 0 };
        calls.extend((0..600).map(|number| SeccompData::new(arch, base + number, [0; 6])));
    }
    match compare(&mut reference, &profile, Arch::X86_64, &calls, Conflicts::Plain) {
        Compared::Same => {}
        Compared::Differs(data) => fail(&mut reference, profile, Arch::X86_64, data, Conflicts::Plain),
        _ => panic!("both compile it"),
    }
}
