//! `seccomp`: numbers of calls become their names on this machine.

use cofferdam_oci::{Pointer, Seccomp as OciSeccomp, SeccompArg as OciArg, SeccompRule};
use cofferdam_seccomp::Arch;

use super::Findings;
use crate::{Config, SeccompArg, SeccompCall};

const KILL: i64 = -3;
const TRAP: i64 = -2;
const ALLOW: i64 = -1;
const LARGEST_ERRNO: i64 = 4095;

pub(super) fn seccomp(config: &Config, findings: &mut Findings) -> Option<OciSeccomp> {
    let calls = &config.seccomp.as_ref()?.syscalls;
    let mut rules = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        let at = Pointer::new("/seccomp/syscalls").index(index);
        let made = call_rules(call, &at, findings);
        let later = calls.get(index.saturating_add(1)..).unwrap_or_default();
        if !later.iter().any(|other| other.value == call.value) {
            for rule in made {
                let there = Pointer::new("/linux/seccomp/syscalls").index(rules.len());
                findings.places.one(there.as_str(), at.as_str());
                rules.push(rule);
            }
        }
    }
    Some(OciSeccomp { default_action: "SCMP_ACT_ALLOW".to_owned(), syscalls: rules, ..OciSeccomp::default() })
}

/// One rule for every condition: any of them was enough.
fn call_rules(call: &SeccompCall, at: &Pointer, findings: &mut Findings) -> Vec<SeccompRule> {
    let number = u32::try_from(call.value).ok();
    let name = number.and_then(|number| Arch::native()?.call_name(number));
    if name.is_none() {
        findings.wrong(at.key("value"), format!("there is no system call {} on this machine", call.value));
    }
    let (action, errno_ret) = match call.action {
        KILL => ("SCMP_ACT_KILL", None),
        TRAP => ("SCMP_ACT_TRAP", None),
        ALLOW => ("SCMP_ACT_ALLOW", None),
        errno => ("SCMP_ACT_ERRNO", u32::try_from(errno).ok()),
    };
    if call.action < KILL || call.action > LARGEST_ERRNO {
        let what = format!("{} is neither kill (-3), trap (-2), allow (-1) nor an errno", call.action);
        findings.wrong(at.key("action"), what);
    }
    let rule = |args| SeccompRule {
        names: name.iter().map(|&name| name.to_owned()).collect(),
        action: action.to_owned(),
        errno_ret,
        args,
    };
    if call.args.is_empty() {
        return vec![rule(Vec::new())];
    }
    let args = call.args.iter().enumerate();
    args.map(|(index, arg)| rule(vec![condition(*arg, &at.key("args").index(index), findings)])).collect()
}

fn condition(arg: SeccompArg, at: &Pointer, findings: &mut Findings) -> OciArg {
    let index = u32::try_from(arg.index).ok().filter(|index| *index < 6);
    if index.is_none() {
        findings.wrong(at.key("index"), format!("{} is not one of the arguments 0 to 5", arg.index));
    }
    let value = u64::from(arg.value);
    let (op, value_two) = match arg.op {
        0 => ("SCMP_CMP_EQ", 0),
        1 => ("SCMP_CMP_NE", 0),
        // Called greater and less than; that is not what libcontainer's filters did.
        2 => ("SCMP_CMP_GE", 0),
        3 => ("SCMP_CMP_LE", 0),
        4 => ("SCMP_CMP_MASKED_EQ", value),
        other => {
            findings.wrong(at.key("op"), format!("{other} is not one of the operators 0 to 4"));
            ("SCMP_CMP_EQ", 0)
        }
    };
    OciArg { index: index.unwrap_or_default(), value, value_two, op: op.to_owned() }
}
