//! What was learned, in words: the counts, and how the profile differs from Docker's default.
//!
//! Called by the command `learn`. Pure.

use std::collections::BTreeSet;
use std::fmt::Write;

use cofferdam_oci::{Pointer, Seccomp};
use cofferdam_seccomp::{Arch, Filter, SeccompData, compile, interpret};

use super::count::{Count, Counts};
use super::docker;

const ALLOW: u32 = 0x7fff_0000;

/// The text: counts, largest first, then the differences.
pub(crate) fn report(counts: &Counts, learned: &Seccomp, native: Arch) -> String {
    let mut text = format!("{} calls were made\n", counts.total());
    let mut rows: Vec<_> = counts.all().collect();
    rows.sort_by_key(|(arch, number, count)| (std::cmp::Reverse(count.calls), arch.name(), *number));
    for (arch, number, count) in &rows {
        let _ = writeln!(text, "{:>12}  {}", count.calls, name(*arch, *number, native));
    }
    if counts.foreign > 0 {
        let _ = writeln!(
            text,
            "{:>12}  through an ABI that has no table here, and not in the profile",
            counts.foreign
        );
    }
    for name in &counts.unseen {
        let _ = writeln!(text, "{:>12}  {name}: not counted in a container, and allowed", "?");
    }
    differences(&mut text, &rows, learned, native);
    text
}

fn name(arch: Arch, number: u32, native: Arch) -> String {
    let name = arch.call_name(number).map_or_else(
        || format!("call {number}, which has no name here and is not in the profile"),
        str::to_owned,
    );
    if arch == native { name } else { format!("{name} ({})", arch.name()) }
}

fn differences(text: &mut String, rows: &[(Arch, u32, &Count)], learned: &Seccomp, native: Arch) {
    // Docker has other rules elsewhere, which are not written down here.
    let (Arch::X86_64, Ok(filter)) = (native, compile(&docker::default(), &Pointer::root(), native)) else {
        return;
    };
    let refused: Vec<String> = rows
        .iter()
        .filter(|(arch, number, count)| !allowed(&filter, *arch, *number, count))
        .map(|(arch, number, _)| name(*arch, *number, native))
        .collect();
    let mine: BTreeSet<&String> = learned.syscalls.iter().flat_map(|rule| &rule.names).collect();
    let docker = docker::default();
    let allow = docker.syscalls.iter().filter(|rule| rule.action == "SCMP_ACT_ALLOW");
    let unused: BTreeSet<&String> =
        allow.flat_map(|rule| &rule.names).filter(|name| !mine.contains(name)).collect();
    let _ = writeln!(text, "\nagainst Docker's default profile:");
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(" ") };
    let _ = writeln!(text, "  + refused there, allowed here: {}", list(&refused));
    let unused: Vec<String> = unused.into_iter().cloned().collect();
    let _ = writeln!(text, "  - allowed there, not called ({}): {}", unused.len(), list(&unused));
}

/// Whether Docker's filter allows all that was counted of a call, with the arguments that it looks at.
fn allowed(filter: &Filter, arch: Arch, number: u32, count: &Count) -> bool {
    let answer =
        |first| interpret::run(filter, &SeccompData::new(arch, number, [first, 0, 0, 0, 0, 0])) == ALLOW;
    match &count.values {
        Some(values) if !values.is_empty() => values.iter().all(|value| answer(*value)),
        _ => answer(count.bits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::profile;

    #[test]
    fn what_docker_refuses_is_told_with_regard_to_arguments() {
        let mut counts = Counts::default();
        let mut call = |name: &str, first| {
            counts.add(Some(Arch::X86_64), Arch::X86_64.call_number(name).unwrap(), [first, 0, 0, 0, 0, 0]);
        };
        call("read", 0);
        call("read", 0);
        call("bpf", 0);
        call("clone", 0x1000_0000);
        call("personality", 8);
        let learned = profile(&counts, Arch::X86_64, &[]);
        let text = report(&counts, &learned, Arch::X86_64);
        assert!(text.starts_with("5 calls were made\n           2  read\n"), "{text}");
        assert!(text.contains("+ refused there, allowed here: clone bpf\n"), "{text}");
        let missing = text.lines().last().unwrap();
        assert!(missing.contains(" write ") && !missing.contains(" read "), "{missing}");
    }

    #[test]
    fn dockers_profile_compiles() {
        compile(&docker::default(), &Pointer::root(), Arch::X86_64).unwrap();
    }
}
