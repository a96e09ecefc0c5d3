//! What was called, how often, and with which of those arguments that a profile can tell apart.
//!
//! Filled by `watch` and `bundle`, read by `document` and `report`. Pure.

use std::collections::{BTreeMap, BTreeSet};

use cofferdam_seccomp::Arch;

/// So many different values of an argument are told apart; with more the rule is for all.
const MOST_VALUES: usize = 16;
/// All of `CLONE_NEW*` that clone(2) takes.
const CLONE_NAMESPACES: u64 = 0x7e02_0000;
/// What the kernel looks at of an `int`.
const INT: u64 = 0xffff_ffff;

/// Which argument of a call makes a rule narrower, and how it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Narrowed {
    /// Each value is a rule of its own.
    Values,
    /// The bits of this mask that were never set must not be set.
    Bits(u64),
}

/// Calls whose first argument is a number that decides how much of the kernel is reached.
pub(crate) fn narrowed(call: &str, arch: Arch) -> Option<Narrowed> {
    match call {
        "personality" | "socket" | "socketpair" => Some(Narrowed::Values),
        // There the flags are the second argument.
        "clone" if !matches!(arch, Arch::S390 | Arch::S390x) => Some(Narrowed::Bits(CLONE_NAMESPACES)),
        _ => None,
    }
}

/// One call through one ABI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) calls: u64,
    /// Of the first argument, for calls that are narrowed by values. `None` after too many.
    pub(crate) values: Option<BTreeSet<u64>>,
    /// Bits of the first argument that were set.
    pub(crate) bits: u64,
}

/// Everything that was called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// By ABI and number; ordered by name of the ABI.
    calls: BTreeMap<(&'static str, u32), Count>,
    /// Calls through ABIs that are not known here.
    pub(crate) foreign: u64,
    /// Calls that could not be seen and are allowed for that reason.
    pub(crate) unseen: Vec<&'static str>,
}

impl Counts {
    /// Counts one call.
    pub(crate) fn add(&mut self, arch: Option<Arch>, number: u32, args: [u64; 6]) {
        let Some(arch) = arch else {
            self.foreign += 1;
            return;
        };
        let entry = self.calls.entry((arch.name(), number));
        let count = entry.or_insert_with(|| Count { values: Some(BTreeSet::new()), ..Count::default() });
        count.calls += 1;
        let [first, ..] = args;
        count.bits |= first;
        let narrowed = arch.call_name(number).and_then(|name| narrowed(name, arch));
        if narrowed == Some(Narrowed::Values)
            && let Some(values) = &mut count.values
        {
            values.insert(first & INT);
            if values.len() > MOST_VALUES {
                count.values = None;
            }
        }
    }

    /// Each call with its ABI and number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Arch, u32, &Count)> {
        self.calls.iter().filter_map(|((arch, number), count)| Some((Arch::from_name(arch)?, *number, count)))
    }

    /// How many calls in all.
    pub(crate) fn total(&self) -> u64 {
        self.calls.values().map(|count| count.calls).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart_until_there_are_too_many() {
        let mut counts = Counts::default();
        let socket = Arch::X86_64.call_number("socket").unwrap();
        for value in [2, 10, 2, 0xdead_0000_0001] {
            counts.add(Some(Arch::X86_64), socket, [value, 0, 0, 0, 0, 0]);
        }
        let (.., count) = counts.all().next().unwrap();
        assert_eq!(count.values, Some(BTreeSet::from([2, 10, 1])), "an int is 32 bits");
        assert_eq!(count.calls, 4);
        for value in 0..=20 {
            counts.add(Some(Arch::X86_64), socket, [value, 0, 0, 0, 0, 0]);
        }
        assert_eq!(counts.all().next().unwrap().2.values, None);
        counts.add(None, 1, [0; 6]);
        assert_eq!((counts.foreign, counts.total()), (1, 25));
    }
}
