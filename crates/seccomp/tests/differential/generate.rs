//! Profiles and calls, from a seed.

use std::collections::BTreeSet;

use cofferdam_oci::{Seccomp, SeccompArg, SeccompRule};
use cofferdam_seccomp::{Arch, SeccompData};

use crate::model::behind;
use crate::reference::action;

/// Which conflicts between rules for one call a profile may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflicts {
    /// All rules for a call have one action.
    None,
    /// Different actions, but no masks, no inequality and no rule that compares the same value with two
    /// operators: there libseccomp's order is an accident (see `lower`).
    Plain,
}

pub(crate) struct Generator<'a> {
    state: u64,
    names: &'a [String],
}

/// The first of each is the native architecture.
const FAMILIES: [&[Arch]; 9] = [
    &[Arch::X86_64, Arch::X86, Arch::X32],
    &[Arch::X86_64, Arch::Aarch64, Arch::Arm, Arch::X86, Arch::Riscv64],
    &[Arch::X32, Arch::X86],
    &[Arch::X86],
    &[Arch::Aarch64, Arch::Arm, Arch::Ppc64le],
    &[Arch::Mipsel64, Arch::Mipsel, Arch::Mipsel64n32],
    &[Arch::Mips64, Arch::Mips, Arch::Mips64n32],
    &[Arch::S390x, Arch::S390],
    &[Arch::Ppc64, Arch::Ppc, Arch::Parisc],
];

const ACTIONS: [(&str, Option<u32>); 9] = [
    ("SCMP_ACT_ALLOW", None),
    ("SCMP_ACT_ERRNO", Some(38)),
    ("SCMP_ACT_ERRNO", None),
    ("SCMP_ACT_KILL", None),
    ("SCMP_ACT_KILL_PROCESS", None),
    ("SCMP_ACT_LOG", None),
    ("SCMP_ACT_TRACE", Some(0xffff)),
    ("SCMP_ACT_TRAP", None),
    ("SCMP_ACT_NOTIFY", None),
];

const VALUES: [u64; 14] = [
    0,
    1,
    2,
    8,
    16,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0008,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_0000_0000,
    u64::MAX,
];

/// Whether a program for a generated profile may return this.
pub(crate) fn is_action(value: u32) -> bool {
    ACTIONS.iter().any(|(name, errno)| action(name, *errno) == value)
}

/// Every name that some architecture has.
pub(crate) fn all_names() -> Vec<String> {
    let mut names = BTreeSet::new();
    for arch in [Arch::X86_64, Arch::X86, Arch::Arm, Arch::Riscv64, Arch::S390, Arch::Ppc, Arch::Parisc] {
        names.extend((0..480).filter_map(|number| arch.call_name(number)));
    }
    names.extend((4000..4480).filter_map(|number| Arch::Mips.call_name(number)));
    names.extend((0xf_0000..0xf_0010).filter_map(|number| Arch::Arm.call_name(number)));
    // Rules for these and for the calls behind them would conflict.
    names.into_iter().filter(|name| !matches!(*name, "socketcall" | "ipc")).map(str::to_owned).collect()
}

impl<'a> Generator<'a> {
    pub(crate) fn new(seed: u64, names: &'a [String]) -> Self {
        let mut generator = Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), names };
        generator.next();
        generator
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn native(&mut self) -> Arch {
        let family = self.pick(&FAMILIES);
        family[0]
    }

    pub(crate) fn profile(&mut self, native: Arch, conflicts: Conflicts) -> Seccomp {
        let family: Vec<Arch> = self.family(native).to_vec();
        let default = self.pick(&ACTIONS[..8]);
        let mut profile = Seccomp {
            default_action: default.0.to_owned(),
            default_errno_ret: default.1,
            listener_path: Some("/run/agent".to_owned()),
            ..Seccomp::default()
        };
        for arch in &family[1..] {
            if !self.one_in(3) {
                profile.architectures.push(arch.name().to_owned());
            }
        }
        // A few calls with many rules each, or many calls with few.
        let count = if self.one_in(20) { 40 } else { 1 + self.below(6) };
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let calls: Vec<&str> = (0..count).map(|_| self.pick(&names)).collect();
        let actions: Vec<(&str, Option<u32>)> = calls.iter().map(|_| self.pick(&ACTIONS)).collect();
        let rules = calls.len() + self.below(calls.len() * 3);
        for rule in 0..rules {
            let which = if rule < calls.len() { rule } else { self.below(calls.len()) };
            // One action a name, also when the name was picked twice.
            let which = calls.iter().position(|name| *name == calls[which]).unwrap();
            let action = if conflicts == Conflicts::None { actions[which] } else { self.pick(&ACTIONS) };
            let rule = self.rule(calls[which], action, conflicts);
            profile.syscalls.push(rule);
        }
        profile
    }

    fn rule(&mut self, name: &str, action: (&str, Option<u32>), conflicts: Conflicts) -> SeccompRule {
        let notify_write = name == "write" && action.0 == "SCMP_ACT_NOTIFY";
        let action = if notify_write { ("SCMP_ACT_LOG", None) } else { action };
        let conditions = if self.one_in(3) { 0 } else { 1 + self.below(3) };
        SeccompRule {
            names: vec![name.to_owned()],
            action: action.0.to_owned(),
            errno_ret: action.1,
            args: (0..conditions).map(|_| self.condition(conflicts)).collect(),
        }
    }

    fn condition(&mut self, conflicts: Conflicts) -> SeccompArg {
        let operators: &[&str] = match conflicts {
            Conflicts::None => &["EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"],
            Conflicts::Plain => &["EQ", "LT", "GE"],
        };
        let operator = self.pick(operators);
        SeccompArg {
            index: u32::try_from(self.below(6)).unwrap(),
            value: self.pick(&VALUES),
            value_two: if operator == "MASKED_EQ" { self.pick(&VALUES) } else { 0 },
            op: format!("SCMP_CMP_{operator}"),
        }
    }

    fn family(&mut self, native: Arch) -> &'static [Arch] {
        let fitting: Vec<&[Arch]> = FAMILIES.into_iter().filter(|family| family[0] == native).collect();
        self.pick(&fitting)
    }

    /// Calls in and out of the profile, with arguments on both sides of every value.
    pub(crate) fn calls(&mut self, profile: &Seccomp, native: Arch, count: usize) -> Vec<SeccompData> {
        let archs: Vec<Arch> =
            profile.architectures.iter().filter_map(|name| Arch::from_name(name)).collect();
        let mut calls = Vec::new();
        while calls.len() < count {
            let arch = match self.below(12) {
                0 => self.pick(&Arch::ALL),
                1..=5 => native,
                _ if archs.is_empty() => native,
                _ => self.pick(&archs),
            };
            let rule = if profile.syscalls.is_empty() {
                None
            } else {
                Some(&profile.syscalls[self.below(profile.syscalls.len())])
            };
            let nr = self.number(arch, rule);
            let mut data = SeccompData::new(arch, nr, [0; 6]);
            for index in 0..6 {
                data.args[index] = self.argument(rule, index);
            }
            calls.push(data);
        }
        calls
    }

    fn number(&mut self, arch: Arch, rule: Option<&SeccompRule>) -> u32 {
        let named = rule.and_then(|rule| rule.names.first()).and_then(|name| {
            let (through, _) = behind(name);
            arch.call_number(if !through.is_empty() && self.one_in(2) { through } else { name })
        });
        match (self.below(10), named) {
            (0, _) => {
                self.pick(&[0, 1, 0x4000_0000, 0x4000_0001, 0x3fff_ffff, u32::MAX, u32::MAX - 1, 0x7fff_ffff])
            }
            (1, Some(number)) => number.wrapping_add(1),
            (2, Some(number)) => number.wrapping_sub(1),
            (3, Some(number)) => number ^ 0x4000_0000,
            (_, Some(number)) => number,
            _ => u32::try_from(self.below(480)).unwrap(),
        }
    }

    fn argument(&mut self, rule: Option<&SeccompRule>, index: usize) -> u64 {
        let front = rule.map_or(0, |rule| behind(&rule.names[0]).1);
        if front > 0 && index == 0 && self.one_in(2) {
            return front;
        }
        let compared = rule.and_then(|rule| {
            let args: Vec<&SeccompArg> =
                rule.args.iter().filter(|arg| usize::try_from(arg.index).unwrap() == index).collect();
            if args.is_empty() { None } else { Some(*self.pick(&args.iter().collect::<Vec<_>>())) }
        });
        let value = match compared {
            Some(arg) if arg.op == "SCMP_CMP_MASKED_EQ" => {
                let noise = if self.one_in(2) { self.next() } else { 0 };
                (arg.value_two & arg.value) | (noise & !arg.value)
            }
            Some(arg) => arg.value,
            None if index == 0 && self.one_in(4) => return u64::try_from(self.below(25)).unwrap(),
            None => self.pick(&VALUES),
        };
        match self.below(8) {
            0 => value.wrapping_add(1),
            1 => value.wrapping_sub(1),
            2 => value.wrapping_add(1 << 32),
            3 => value.wrapping_sub(1 << 32),
            4 => value & 0xffff_ffff,
            _ => value,
        }
    }
}
