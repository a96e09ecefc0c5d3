//! The document is judged here: everything wrong with a profile at once, or the IR.
//!
//! Called by `plan` through [`compile`]. The only step that can refuse a profile for what it says; later steps
//! refuse only what is too large. What is refused and what is not:
//!
//! * refused as runc does: unknown words, `SCMP_ACT_NOTIFY` as the default action and on `write` (the child
//!   could not report its listener), argument indexes over 5, two rules with the same conditions but different
//!   actions (libseccomp: EEXIST);
//! * refused because the specification says so: an errno for an action without one, an empty list of names,
//!   metadata without a listener;
//! * not refused: names that no architecture knows ([`Filter::unknown_names`]); rules that say what the default
//!   says, which are left out, so that they do not win over other rules for the same call (as in runc); and
//!   architectures of the other byte order, which cannot run on the same kernel and are left out (libseccomp
//!   refuses them).
//!
//! Several conditions on one argument make each condition of the rule a rule of its own, as in runc and crun:
//! any of them is enough. The specification leaves this open, and profiles rely on it.

use cofferdam_oci::{Pointer, Reject, Seccomp, SeccompArg, SeccompRule};

use crate::arch::Arch;
use crate::filter::Filter;
use crate::ir::{Block, Condition, Ir, Operator, Rule, Source};
use crate::{lower, mux, table, words};

/// The largest argument index.
const LAST_ARG: u32 = 5;
/// `MAX_ERRNO` of the kernel: larger values are cut to it.
const MAX_ERRNO: u32 = 4095;
/// `SECCOMP_RET_DATA`: what fits beside `SECCOMP_RET_TRACE`.
const MAX_DATA: u32 = 0xffff;

/// Compiles a profile for a kernel whose own architecture is `native`; that one is always part of the filter.
/// `at` is where the profile stands in its document, usually `/linux/seccomp`.
///
/// Absent flags are taken as `SECCOMP_FILTER_FLAG_SPEC_ALLOW`, the default of runc and crun: without it kernels
/// before 5.16 slow every filtered process down. An empty list is no flag.
///
/// # Errors
/// Everything that is wrong with the profile, each with its pointer.
///
/// ```
/// use cofferdam_oci::Pointer;
/// use cofferdam_seccomp::{Arch, compile};
/// let profile = serde_json::from_str(
///     r#"{"defaultAction":"SCMP_ACT_DENY","syscalls":[{"names":[],"action":"SCMP_ACT_ALLOW"}]}"#,
/// ).unwrap();
/// let rejects = compile(&profile, &Pointer::new("/linux/seccomp"), Arch::X86_64).unwrap_err();
/// assert_eq!(rejects[0].pointer.as_str(), "/linux/seccomp/defaultAction");
/// assert_eq!(rejects[1].pointer.as_str(), "/linux/seccomp/syscalls/0/names");
/// ```
pub fn compile(profile: &Seccomp, at: &Pointer, native: Arch) -> Result<Filter, Vec<Reject>> {
    build(profile, at, native, true)
}

/// Like [`compile`], without the answer to newer calls: the plain meaning of the rules, for comparison with
/// libseccomp.
#[doc(hidden)]
pub fn compile_plain(profile: &Seccomp, at: &Pointer, native: Arch) -> Result<Filter, Vec<Reject>> {
    build(profile, at, native, false)
}

/// The profile as rules, for whoever explains them.
pub(crate) fn ir(profile: &Seccomp, at: &Pointer, native: Arch) -> Result<Ir, Vec<Reject>> {
    let mut check = Check { at, rejects: Vec::new(), unknown: Vec::new() };
    let ir = check.profile(profile, native);
    ir.filter(|_| check.rejects.is_empty()).ok_or(check.rejects)
}

fn build(profile: &Seccomp, at: &Pointer, native: Arch, newer: bool) -> Result<Filter, Vec<Reject>> {
    let mut check = Check { at, rejects: Vec::new(), unknown: Vec::new() };
    let ir = check.profile(profile, native);
    let flags = check.flags(profile);
    let notifies = profile.syscalls.iter().any(|rule| words::action(&rule.action) == Some(words::USER_NOTIF));
    let listener = check.listener(profile, notifies);
    let (Some(ir), true) = (ir, check.rejects.is_empty()) else { return Err(check.rejects) };
    Ok(Filter {
        code: lower::program(&ir, newer, at)?,
        flags: kernel_flags(flags, notifies),
        notifies,
        listener: listener.filter(|_| notifies),
        unknown: check.unknown,
        big_endian: native.big_endian(),
    })
}

/// What the kernel accepts: a listener with `TSYNC` needs `TSYNC_ESRCH`, and `WAIT_KILLABLE_RECV` is an error
/// (and means nothing) without a listener.
fn kernel_flags(flags: u32, notifies: bool) -> u32 {
    match (notifies, flags & words::FLAG_TSYNC != 0) {
        (false, _) => flags & !words::FLAG_WAIT_KILLABLE_RECV,
        (true, false) => flags | words::FLAG_NEW_LISTENER,
        (true, true) => flags | words::FLAG_NEW_LISTENER | words::FLAG_TSYNC_ESRCH,
    }
}

struct Check<'a> {
    at: &'a Pointer,
    rejects: Vec<Reject>,
    unknown: Vec<String>,
}

impl Check<'_> {
    fn reject(&mut self, pointer: Pointer, message: impl Into<String>) {
        self.rejects.push(Reject::new(pointer, message));
    }

    fn profile(&mut self, profile: &Seccomp, native: Arch) -> Option<Ir> {
        let default = self.action(
            &profile.default_action,
            profile.default_errno_ret,
            self.at,
            ["defaultAction", "defaultErrnoRet"],
        );
        if default == Some(words::USER_NOTIF) {
            self.reject(
                self.at.key("defaultAction"),
                "SCMP_ACT_NOTIFY cannot be the default action: the container could not report its listener",
            );
        }
        let archs = self.archs(profile, native);
        let mut blocks = Vec::with_capacity(profile.syscalls.len());
        let (mut rules, mut silent) = (Vec::new(), Vec::new());
        for (index, rule) in profile.syscalls.iter().enumerate() {
            let at = self.at.key("syscalls").index(index);
            let block = self.block(rule, &at);
            self.names(
                rule,
                index,
                &at,
                if Some(block.action) == default { &mut silent } else { &mut rules },
            );
            blocks.push(block);
        }
        Some(Ir { default: default?, archs, blocks, rules, silent })
    }

    fn action(&mut self, name: &str, errno: Option<u32>, at: &Pointer, keys: [&str; 2]) -> Option<u32> {
        let Some(action) = words::action(name) else {
            self.rejects.push(
                Reject::new(at.key(keys[0]), format!("{name:?} is not an action"))
                    .hint(format!("one of {}", words::known_actions().join(", "))),
            );
            return None;
        };
        let most = match action {
            words::ERRNO => MAX_ERRNO,
            words::TRACE => MAX_DATA,
            _ if errno.is_some() => {
                self.reject(at.key(keys[1]), format!("{name} has no errno"));
                return None;
            }
            _ => return Some(action),
        };
        let errno = errno.unwrap_or(words::EPERM);
        if errno > most {
            self.reject(at.key(keys[1]), format!("{errno} is over {most}, the largest that {name} returns"));
            return None;
        }
        Some(action | errno)
    }

    fn archs(&mut self, profile: &Seccomp, native: Arch) -> Vec<Arch> {
        let mut archs = vec![native];
        for (index, name) in profile.architectures.iter().enumerate() {
            match Arch::from_name(name) {
                None => self.rejects.push(
                    Reject::new(
                        self.at.key("architectures").index(index),
                        format!("{name:?} is not an architecture"),
                    )
                    .hint(format!("one of {}", crate::known_archs().join(", "))),
                ),
                Some(arch) if arch.big_endian() != native.big_endian() || archs.contains(&arch) => {}
                Some(arch) => archs.push(arch),
            }
        }
        archs
    }

    fn flags(&mut self, profile: &Seccomp) -> u32 {
        let Some(names) = &profile.flags else { return words::FLAG_SPEC_ALLOW };
        let mut flags = 0;
        for (index, name) in names.iter().enumerate() {
            match words::flag(name) {
                Some(flag) => flags |= flag,
                None => self.rejects.push(
                    Reject::new(self.at.key("flags").index(index), format!("{name:?} is not a flag"))
                        .hint(format!("one of {}", words::known_flags().join(", "))),
                ),
            }
        }
        flags
    }

    fn listener(&mut self, profile: &Seccomp, notifies: bool) -> Option<(String, String)> {
        let metadata = profile.listener_metadata.clone().unwrap_or_default();
        match &profile.listener_path {
            Some(path) if !path.is_empty() => Some((path.clone(), metadata)),
            _ if notifies => {
                self.reject(self.at.key("listenerPath"), "SCMP_ACT_NOTIFY needs the socket of an agent");
                None
            }
            _ if !metadata.is_empty() => {
                self.reject(
                    self.at.key("listenerMetadata"),
                    "metadata without listenerPath goes to no agent",
                );
                None
            }
            _ => None,
        }
    }

    /// Rejected parts are replaced by something harmless: the IR is thrown away then.
    fn block(&mut self, rule: &SeccompRule, at: &Pointer) -> Block {
        let action = self
            .action(&rule.action, rule.errno_ret, at, ["action", "errnoRet"])
            .unwrap_or(words::KILL_THREAD);
        let mut conditions = Vec::with_capacity(rule.args.len());
        for (index, arg) in rule.args.iter().enumerate() {
            conditions.extend(self.condition(arg, &at.key("args").index(index)));
        }
        let repeated =
            conditions.iter().enumerate().any(|(i, c)| conditions[..i].iter().any(|d| d.arg == c.arg));
        let alternatives = if repeated {
            conditions.into_iter().map(|condition| vec![condition]).collect()
        } else {
            conditions.sort_by_key(|condition| condition.arg);
            vec![conditions]
        };
        Block { action, alternatives }
    }

    fn condition(&mut self, arg: &SeccompArg, at: &Pointer) -> Option<Condition> {
        let operator = words::operator(&arg.op);
        if operator.is_none() {
            self.rejects.push(
                Reject::new(at.key("op"), format!("{:?} is not an operator", arg.op))
                    .hint(format!("one of {}", words::known_operators().join(", "))),
            );
        }
        if arg.index > LAST_ARG {
            self.reject(at.key("index"), format!("{} is over {LAST_ARG}, the last argument", arg.index));
            return None;
        }
        let (mask, value) = match operator? {
            Operator::MaskedEqual => (arg.value, arg.value_two & arg.value),
            _ => (u64::MAX, arg.value),
        };
        Some(Condition { arg: u8::try_from(arg.index).ok()?, operator: operator?, mask, value })
    }

    fn names(&mut self, rule: &SeccompRule, block: usize, at: &Pointer, rules: &mut Vec<Rule>) {
        if rule.names.is_empty() {
            self.reject(at.key("names"), "a rule needs at least one name");
        }
        let notify = words::action(&rule.action) == Some(words::USER_NOTIF);
        for (index, name) in rule.names.iter().enumerate() {
            if name.is_empty() {
                self.reject(at.key("names").index(index), "an empty name is no system call");
            } else if notify && name == "write" {
                self.reject(
                    at.key("names").index(index),
                    "SCMP_ACT_NOTIFY cannot be used for the write syscall: the container could not report its listener",
                );
            }
            match table::find(name) {
                Some(call) => {
                    let source = Source { block, name: index };
                    rules.push(Rule { call, multiplexed: mux::multiplexed(name), source });
                }
                None if self.unknown.contains(name) => {}
                None => self.unknown.push(name.clone()),
            }
        }
    }
}
