//! `explain`: what a profile answers to a call, and which rule decided.

use std::fmt::Write;
use std::path::PathBuf;

use cofferdam_oci::Reject;
use cofferdam_seccomp::explain::{Decided, Explanation, action, explain};
use cofferdam_seccomp::{Arch, SeccompData};
use cofferdam_sys::Errno;

use crate::failure::{Failure, Outcome};
use crate::{cli, profile, words};

/// Say what a seccomp profile answers to a system call, and which rule decides
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// ABI through which the call is made, SCMP_ARCH_X86 style [default: the host's own]
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
    /// Capability of the container, for the conditional rules of a profile in Docker's dialect
    #[arg(long = "cap", value_name = "CAP")]
    caps: Vec<String>,
    /// A profile, a config.json, or a bundle's directory; - is standard input
    #[arg(value_name = "PROFILE")]
    profile: PathBuf,
    /// The call's name or number
    #[arg(value_name = "SYSCALL")]
    call: String,
    /// Its arguments, from the first on: decimal, 0x, 0o or negative; what is not said is 0
    #[arg(value_name = "ARGS", num_args = 0..=6, allow_negative_numbers = true)]
    args: Vec<String>,
}

impl Explain {
    /// Prints the answer. The exit code is 0 when the call is allowed or logged, 1 for mistakes, and 3 when it
    /// gets another answer.
    pub(crate) fn execute(self) -> Outcome {
        let native = Arch::native()
            .ok_or_else(|| Failure::new("there is no table of system calls for this architecture"))?;
        let arch = match &self.arch {
            None => native,
            Some(name) => Arch::from_name(name).ok_or_else(|| {
                let known = cofferdam_seccomp::known_archs().join(", ");
                Failure::new(format!("--arch: {name:?} is not an architecture (hint: one of {known})"))
            })?,
        };
        let profile = profile::read(&self.profile, &self.caps)?;
        let data = SeccompData::new(arch, self.number(arch)?, self.registers()?);
        let answer = explain(&profile.seccomp, &profile.at, native, &data).map_err(|r| rejected(&r))?;
        cli::print(&render(&answer, arch, &data));
        Ok(if matches!(action(answer.value).0, "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG") { 0 } else { 3 })
    }

    fn number(&self, arch: Arch) -> Result<u32, Failure> {
        let known = arch.call_number(&self.call).or_else(|| self.call.parse().ok());
        known.ok_or_else(|| {
            let elsewhere = Arch::ALL.into_iter().find(|other| other.call_number(&self.call).is_some());
            let hint = elsewhere
                .map(|other| format!(" (hint: {} has it, see --arch)", other.name()))
                .unwrap_or_default();
            Failure::new(format!("{:?} is no system call of {}{hint}", self.call, arch.name()))
        })
    }

    fn registers(&self) -> Result<[u64; 6], Failure> {
        let mut registers = [0; 6];
        for (register, word) in registers.iter_mut().zip(&self.args) {
            *register = words::register(word)
                .ok_or_else(|| Failure::new(format!("argument {word:?} is no number")))?;
        }
        Ok(registers)
    }
}

/// All that is wrong with a profile, one a line.
pub(crate) fn rejected(rejects: &[Reject]) -> Failure {
    let lines: Vec<String> = rejects.iter().map(ToString::to_string).collect();
    Failure::new(format!("the profile is refused:\n  {}", lines.join("\n  ")))
}

fn render(answer: &Explanation, arch: Arch, data: &SeccompData) -> String {
    let mut text = String::new();
    let name = answer.name.map_or_else(|| format!("call {}", data.nr), str::to_owned);
    let last = data.args.iter().rposition(|arg| *arg != 0).map_or(0, |last| last + 1);
    let args: Vec<String> = data.args.iter().take(last).map(|arg| format!("{arg:#x}")).collect();
    let (action, number) = action(answer.value);
    let errno = match (action, number) {
        ("SCMP_ACT_ERRNO", Some(n)) => {
            format!(" {}", i32::try_from(n).map_or_else(|_| n.to_string(), |n| Errno(n).name().to_owned()))
        }
        (_, Some(n)) => format!(" {n}"),
        (_, None) => String::new(),
    };
    let _ = writeln!(text, "{name}({}) on {}: {action}{errno}", args.join(", "), arch.name());
    let _ = writeln!(text, "  decided by: {}", reason(answer, arch));
    for other in &answer.others {
        let conditions =
            if other.conditions.is_empty() { "has no effect here" } else { other.conditions.as_str() };
        let _ = writeln!(text, "  not by: {} ({conditions})", other.pointer);
    }
    text
}

fn reason(answer: &Explanation, arch: Arch) -> String {
    match &answer.decided {
        Decided::Rule(pointer) => pointer.to_string(),
        Decided::Default if answer.others.is_empty() => "defaultAction: no rule names the call".to_owned(),
        Decided::Default => "defaultAction: no rule's conditions hold".to_owned(),
        Decided::Newer { largest } => {
            let last = arch.call_name(*largest).map(|name| format!(", {name}")).unwrap_or_default();
            format!("no rule: the call is newer than the profile, whose newest is number {largest}{last}")
        }
        Decided::Foreign => "no rule: the profile does not list this architecture".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_oci::Pointer;

    #[test]
    fn the_answer_names_errno_rule_and_what_did_not_decide() {
        let profile = serde_json::from_str(
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
                {"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":8,"op":"SCMP_CMP_EQ"}]},
                {"names":["statx"],"action":"SCMP_ACT_ALLOW"}]}"#,
        )
        .unwrap();
        let data = SeccompData::new(Arch::X86_64, 135, [7, 0, 0, 0, 0, 0]);
        let answer = explain(&profile, &Pointer::root(), Arch::X86_64, &data).unwrap();
        assert_eq!(
            render(&answer, Arch::X86_64, &data),
            "personality(0x7) on SCMP_ARCH_X86_64: SCMP_ACT_ERRNO EPERM\n  \
             decided by: defaultAction: no rule's conditions hold\n  \
             not by: /syscalls/0/names/0 (arg 0 == 0x8)\n"
        );
    }
}
