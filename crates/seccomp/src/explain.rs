//! What a profile answers to one call, and which rule decided.
//!
//! Called by the agent's `explain` and by whoever debugs a profile. The answer is the compiled filter's own
//! ([`crate::interpret`]); the reason is found a second way, by walking the rules as `lower` orders them, and the
//! two are tested against each other.

use cofferdam_oci::{Pointer, Reject, Seccomp};

use crate::arch::{Arch, X32_BIT};
use crate::chain;
use crate::check::{self, compile};
use crate::interpret::{self, SeccompData};
use crate::ir::{Condition, Ir, Operator, Rule, Source};
use crate::{newer, uses};

/// Why a call gets its answer.
///
/// ```
/// use cofferdam_seccomp::explain::Decided;
/// assert_ne!(Decided::Default, Decided::Foreign);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// This name in this rule of the document.
    Rule(Pointer),
    /// No rule names the call, or none whose conditions hold: `defaultAction`.
    Default,
    /// The call's number is above the largest that the profile names on this ABI, so the profile is older than
    /// the call: ENOSYS.
    Newer {
        /// That largest number.
        largest: u32,
    },
    /// The profile does not list the ABI: the thread is killed.
    Foreign,
}

/// The answer to one call.
///
/// ```
/// use cofferdam_oci::Pointer;
/// use cofferdam_seccomp::explain::{Decided, explain};
/// use cofferdam_seccomp::{Arch, SeccompData};
/// let profile = serde_json::from_str(
///     r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#,
/// ).unwrap();
/// let read = SeccompData::new(Arch::X86_64, 0, [0; 6]);
/// let answer = explain(&profile, &Pointer::root(), Arch::X86_64, &read).unwrap();
/// assert_eq!(answer.value, 0x7fff_0000); // SECCOMP_RET_ALLOW
/// assert_eq!(answer.decided, Decided::Rule(Pointer::new("/syscalls/0/names/0")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// `SECCOMP_RET_*` with its data, as the filter returns it.
    pub value: u32,
    /// Why.
    pub decided: Decided,
    /// The call's name, where the ABI has one for the number.
    pub name: Option<&'static str>,
    /// Rules that name the call and did not decide, each with its conditions in words.
    pub others: Vec<Other>,
}

/// A rule that names the call and did not decide.
///
/// ```
/// use cofferdam_seccomp::explain::Other;
/// let other = Other { pointer: cofferdam_oci::Pointer::root(), conditions: "arg 0 == 0x8".into() };
/// assert!(other.conditions.contains("arg 0"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// The name in the document.
    pub pointer: Pointer,
    /// What would have to hold; empty for a rule without conditions.
    pub conditions: String,
}

/// Says what `profile`, compiled for a kernel whose own architecture is `native`, answers to a call, and why.
/// `at` is where the profile stands in its document.
///
/// # Errors
/// As [`compile`]: everything that is wrong with the profile.
pub fn explain(
    profile: &Seccomp,
    at: &Pointer,
    native: Arch,
    data: &SeccompData,
) -> Result<Explanation, Vec<Reject>> {
    let filter = compile(profile, at, native)?;
    let ir = check::ir(profile, at, native)?;
    let value = interpret::run(&filter, data);
    let (decided, arch) = reason(&ir, at, data);
    let Some(arch) = arch else {
        return Ok(Explanation { value, decided, name: None, others: Vec::new() });
    };
    let here = |rule: &&Rule| uses::numbers(rule, arch).any(|number| number == data.nr);
    let others = ir
        .rules
        .iter()
        .chain(&ir.silent)
        .filter(here)
        .map(|rule| Other { pointer: place(at, rule.source), conditions: conditions(&ir, rule) })
        .filter(|other| !matches!(&decided, Decided::Rule(pointer) if *pointer == other.pointer))
        .collect();
    Ok(Explanation { value, decided, name: arch.call_name(data.nr), others })
}

/// Why, and through which of the profile's ABIs the call came.
fn reason(ir: &Ir, at: &Pointer, data: &SeccompData) -> (Decided, Option<Arch>) {
    let Some(arch) = abi(ir, data) else { return (Decided::Foreign, None) };
    let decided = match decider(ir, arch, data) {
        Some(source) => Decided::Rule(place(at, source)),
        None => newer_than(ir, arch, data.nr).map_or(Decided::Default, |largest| Decided::Newer { largest }),
    };
    (decided, Some(arch))
}

fn place(at: &Pointer, Source { block, name }: Source) -> Pointer {
    at.key("syscalls").index(block).key("names").index(name)
}

/// Which of the profile's ABIs the call was made through.
fn abi(ir: &Ir, data: &SeccompData) -> Option<Arch> {
    let x32 = data.nr & X32_BIT != 0 && data.nr != u32::MAX;
    let fits = |arch: &Arch| match arch {
        Arch::X32 => x32,
        Arch::X86_64 => !x32,
        _ => true,
    };
    ir.archs.iter().copied().find(|arch| arch.token() == data.arch && fits(arch))
}

/// The rule that decides, in the order in which the filter looks.
fn decider(ir: &Ir, arch: Arch, data: &SeccompData) -> Option<Source> {
    let uses: Vec<_> = uses::of(ir, arch).into_iter().filter(|of| of.number == data.nr).collect();
    if let Some(of) = uses.iter().find(|of| of.always(ir, arch)) {
        return Some(of.link(ir, arch).source);
    }
    let links = uses.iter().map(|of| of.link(ir, arch)).collect();
    let holds = |c: &Condition| holds(c, arch, data.args);
    chain::sort(links, &mut Vec::new())
        .into_iter()
        .find(|link| link.conditions.iter().all(holds))
        .map(|link| link.source)
}

fn holds(condition: &Condition, arch: Arch, args: [u64; 6]) -> bool {
    let word = if arch.wide() { u64::MAX } else { u64::from(u32::MAX) };
    let Some(arg) = args.get(usize::from(condition.arg)).map(|arg| arg & word) else { return false };
    let value = condition.value & word;
    match condition.operator {
        Operator::Equal | Operator::MaskedEqual => arg & condition.mask & word == value,
        Operator::NotEqual => arg != value,
        Operator::Greater => arg > value,
        Operator::GreaterEqual => arg >= value,
        Operator::Less => arg < value,
        Operator::LessEqual => arg <= value,
    }
}

/// The largest number that the profile names, if the call's is in the range above it.
fn newer_than(ir: &Ir, arch: Arch, nr: u32) -> Option<u32> {
    if !newer::applies(ir.default) {
        return None;
    }
    let named: Vec<u32> =
        ir.rules.iter().chain(&ir.silent).flat_map(|rule| uses::numbers(rule, arch)).collect();
    let ranges = newer::ranges(arch, named.into_iter());
    let first = ranges.first()?.0;
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&nr)).then(|| first - 1)
}

/// All conditions of a rule in words.
fn conditions(ir: &Ir, rule: &Rule) -> String {
    let alternatives =
        ir.blocks.get(rule.source.block).map(|b| b.alternatives.as_slice()).unwrap_or_default();
    let all = |set: &Vec<Condition>| set.iter().map(words).collect::<Vec<_>>().join(" and ");
    alternatives.iter().map(all).collect::<Vec<_>>().join(" or ")
}

fn words(c: &Condition) -> String {
    let operator = match c.operator {
        Operator::MaskedEqual => return format!("arg {} & {:#x} == {:#x}", c.arg, c.mask, c.value),
        Operator::Equal => "==",
        Operator::NotEqual => "!=",
        Operator::Greater => ">",
        Operator::GreaterEqual => ">=",
        Operator::Less => "<",
        Operator::LessEqual => "<=",
    };
    format!("arg {} {operator} {:#x}", c.arg, c.value)
}

/// The specification's name of what a filter returned, and its number where it has one: `SCMP_ACT_ERRNO`, 1.
///
/// ```
/// use cofferdam_seccomp::explain::action;
/// assert_eq!(action(0x0005_0026), ("SCMP_ACT_ERRNO", Some(38)));
/// assert_eq!(action(0x7fff_0000), ("SCMP_ACT_ALLOW", None));
/// ```
#[must_use]
pub fn action(value: u32) -> (&'static str, Option<u32>) {
    let name = crate::words::name(value & 0xffff_0000);
    let carries = matches!(value & 0xffff_0000, crate::words::ERRNO | crate::words::TRACE);
    (name, carries.then_some(value & 0xffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(json: &str) -> Seccomp {
        serde_json::from_str(json).unwrap()
    }

    const TRICKY: &str = r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86"],"syscalls":[
        {"names":["read","socket"],"action":"SCMP_ACT_ALLOW"},
        {"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":8,"op":"SCMP_CMP_EQ"}]},
        {"names":["personality"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":4294967305,"op":"SCMP_CMP_EQ"}]},
        {"names":["clone"],"action":"SCMP_ACT_ALLOW",
         "args":[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]},
        {"names":["kill"],"action":"SCMP_ACT_KILL_PROCESS","args":[
            {"index":0,"value":1,"op":"SCMP_CMP_LE"},{"index":1,"value":9,"op":"SCMP_CMP_NE"}]},
        {"names":["dup"],"action":"SCMP_ACT_TRACE","errnoRet":7,"args":[
            {"index":0,"value":3,"op":"SCMP_CMP_EQ"},{"index":0,"value":90,"op":"SCMP_CMP_GT"}]},
        {"names":["mseal"],"action":"SCMP_ACT_ERRNO"}]}"#;

    fn say(profile: &Seccomp, arch: Arch, name: &str, args: [u64; 6]) -> Explanation {
        let data = SeccompData::new(arch, arch.call_number(name).unwrap(), args);
        explain(profile, &Pointer::root(), Arch::X86_64, &data).unwrap()
    }

    fn action_of(profile: &Seccomp, decided: &Decided) -> u32 {
        let block = match decided {
            Decided::Rule(pointer) => {
                let index: usize = pointer.as_str().split('/').nth(2).unwrap().parse().unwrap();
                let rule = &profile.syscalls[index];
                (rule.action.as_str(), rule.errno_ret)
            }
            Decided::Default => (profile.default_action.as_str(), profile.default_errno_ret),
            Decided::Newer { .. } => return 0x0005_0026,
            Decided::Foreign => return 0,
        };
        let value = crate::words::action(block.0).unwrap();
        if matches!(value, crate::words::ERRNO | crate::words::TRACE) {
            value | block.1.unwrap_or(1)
        } else {
            value
        }
    }

    #[test]
    fn the_reason_and_the_filter_agree_on_every_call() {
        let profile = profile(TRICKY);
        let filter = compile(&profile, &Pointer::root(), Arch::X86_64).unwrap();
        let ir = check::ir(&profile, &Pointer::root(), Arch::X86_64).unwrap();
        let words = [0, 1, 2, 3, 8, 9, 90, 91, 0x7e02_0000, 9, 0x1_0000_0009, u64::MAX];
        for arch in [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64] {
            for nr in (0..520).chain([u32::MAX]) {
                let nr = if arch == Arch::X32 { nr | X32_BIT } else { nr };
                for (first, second) in words.iter().flat_map(|a| words.iter().map(move |b| (*a, *b))) {
                    let data = SeccompData::new(arch, nr, [first, second, 0, 0, 0, 0]);
                    let decided = reason(&ir, &Pointer::root(), &data).0;
                    let value = interpret::run(&filter, &data);
                    assert_eq!(value, action_of(&profile, &decided), "{arch:?} {nr} {first:#x} {second:#x}");
                }
            }
        }
    }

    #[test]
    fn the_rule_that_decided_is_named_and_so_are_the_others() {
        let profile = profile(TRICKY);
        let eight = say(&profile, Arch::X86_64, "personality", [8, 0, 0, 0, 0, 0]);
        assert_eq!(eight.decided, Decided::Rule(Pointer::new("/syscalls/1/names/0")));
        assert_eq!(eight.others[0].pointer.as_str(), "/syscalls/2/names/0");
        assert_eq!(eight.others[0].conditions, "arg 0 == 0x100000009");
        let none = say(&profile, Arch::X86_64, "personality", [7, 0, 0, 0, 0, 0]);
        assert_eq!((none.decided, none.others.len()), (Decided::Default, 2));
    }

    #[test]
    fn calls_newer_than_the_profile_and_foreign_abis_are_said_to_be_so() {
        let profile = profile(TRICKY);
        let data = SeccompData::new(Arch::X86_64, 470, [0; 6]);
        let newer = explain(&profile, &Pointer::root(), Arch::X86_64, &data).unwrap();
        assert_eq!((newer.decided, newer.value), (Decided::Newer { largest: 462 }, 0x0005_0026));
        let foreign = say(&profile, Arch::X32, "read", [0; 6]);
        assert_eq!((foreign.decided, foreign.value), (Decided::Foreign, 0));
    }

    #[test]
    fn on_an_abi_that_multiplexes_the_rule_for_the_call_behind_is_named() {
        let socket = say(&profile(TRICKY), Arch::X86, "socketcall", [1, 0, 0, 0, 0, 0]);
        assert_eq!(socket.decided, Decided::Rule(Pointer::new("/syscalls/0/names/1")));
        let bind = say(&profile(TRICKY), Arch::X86, "socketcall", [2, 0, 0, 0, 0, 0]);
        assert_eq!(bind.decided, Decided::Default);
    }
}
