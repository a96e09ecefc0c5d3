//! libseccomp behind a pipe: a small C program, built for the test.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use cofferdam_oci::{Seccomp, SeccompRule};
use cofferdam_seccomp::{Arch, Instruction};

use crate::generate;
use crate::model::behind;

/// The architectures whose numbers the helper writes, in its order.
const NUMBERED: [Arch; 15] = [
    Arch::X86_64,
    Arch::X86,
    Arch::X32,
    Arch::Arm,
    Arch::Aarch64,
    Arch::Mips,
    Arch::Mips64,
    Arch::Mips64n32,
    Arch::Ppc,
    Arch::Ppc64,
    Arch::S390,
    Arch::S390x,
    Arch::Parisc,
    Arch::Parisc64,
    Arch::Riscv64,
];

pub(crate) enum Answer {
    Program(Vec<Instruction>),
    /// With a negative errno.
    Refused(i32),
}

pub(crate) struct Reference {
    child: Child,
    program: PathBuf,
}

impl Reference {
    /// Builds and starts the helper; `None`, with the reason printed, where it cannot be built.
    pub(crate) fn start() -> Option<Self> {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/libseccomp.c");
        let unique = format!("libseccomp-{}-{:?}", std::process::id(), std::thread::current().id());
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(unique);
        let built = Command::new("cc")
            .args(["-O1", "-o"])
            .arg(&program)
            .args([source, "-lseccomp"])
            .stderr(Stdio::null())
            .status();
        if !built.is_ok_and(|status| status.success()) {
            println!("skipped: cc or libseccomp-dev is not installed");
            return None;
        }
        let child = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the helper starts");
        Some(Self { child, program })
    }

    fn ask(&mut self, request: &str) {
        let stdin = self.child.stdin.as_mut().expect("stdin is a pipe");
        stdin.write_all(request.as_bytes()).and_then(|()| stdin.flush()).expect("the helper reads");
    }

    fn read<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.child
            .stdout
            .as_mut()
            .expect("stdout is a pipe")
            .read_exact(&mut bytes)
            .expect("the helper writes");
        bytes
    }

    /// The numbers of a call, and whether a rule can name it alone.
    pub(crate) fn numbers(&mut self, name: &str) -> (Vec<(Arch, Option<u32>)>, bool) {
        self.ask(&format!("N {name}\n"));
        let numbers = NUMBERED.map(|arch| (arch, u32::try_from(i32::from_le_bytes(self.read())).ok()));
        (numbers.to_vec(), i32::from_le_bytes(self.read()) == 1)
    }

    /// Names that libseccomp resolves as we do on every architecture that the profiles use.
    pub(crate) fn names(&mut self) -> Vec<String> {
        let mut names = generate::all_names();
        names.retain(|name| {
            let (numbers, unique) = self.numbers(name);
            // The multiplexed ones are negative there.
            let same = |(arch, theirs): (Arch, Option<u32>)| {
                arch.call_number(name) == theirs || (theirs.is_none() && !behind(name).0.is_empty())
            };
            unique && numbers.into_iter().all(same)
        });
        names
    }

    pub(crate) fn compile(&mut self, profile: &Seccomp, native: Arch) -> Answer {
        let mut text = format!("P {:x}\n", action(&profile.default_action, profile.default_errno_ret));
        let names = std::iter::once(native.name()).chain(profile.architectures.iter().map(String::as_str));
        for name in names {
            let name = name.trim_start_matches("SCMP_ARCH_").to_lowercase();
            writeln!(text, "A {name}").expect("a string takes all");
        }
        for rule in &profile.syscalls {
            for name in &rule.names {
                rule_line(&mut text, rule, name);
            }
        }
        text.push_str("E\n");
        self.ask(&text);
        let status = i32::from_le_bytes(self.read());
        let len = u32::from_le_bytes(self.read());
        let big = native.token() & 0x4000_0000 == 0;
        let code = (0..len / 8).map(|_| instruction(self.read(), big)).collect();
        if status == 0 { Answer::Program(code) } else { Answer::Refused(status) }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.program);
    }
}

fn instruction(b: [u8; 8], big: bool) -> Instruction {
    let (code, k) = ([b[0], b[1]], [b[4], b[5], b[6], b[7]]);
    let (code, k) = if big {
        (u16::from_be_bytes(code), u32::from_be_bytes(k))
    } else {
        (u16::from_le_bytes(code), u32::from_le_bytes(k))
    };
    // Writing for the other byte order, libseccomp swaps a `ret` twice when it copies it to within reach of a jump.
    let swapped = big && code == 6 && !generate::is_action(k);
    let k = if swapped { k.swap_bytes() } else { k };
    Instruction { code, jt: b[2], jf: b[3], k }
}

fn rule_line(text: &mut String, rule: &SeccompRule, name: &str) {
    write!(text, "R {:x} {name} {:x}", action(&rule.action, rule.errno_ret), rule.args.len()).expect("fits");
    for arg in &rule.args {
        // enum scmp_compare.
        let operators = ["", "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];
        let word = arg.op.trim_start_matches("SCMP_CMP_");
        let operator = operators.iter().position(|known| *known == word).expect("known");
        write!(text, " {:x} {operator:x} {:x} {:x}", arg.index, arg.value, arg.value_two).expect("fits");
    }
    text.push('\n');
}

/// `SCMP_ACT_*` of seccomp.h, which are the kernel's values.
pub(crate) fn action(name: &str, errno: Option<u32>) -> u32 {
    match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_ERRNO" => 0x0005_0000 | errno.unwrap_or(1),
        "SCMP_ACT_TRACE" => 0x7ff0_0000 | errno.unwrap_or(1),
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_NOTIFY" => 0x7fc0_0000,
        "SCMP_ACT_ALLOW" => 0x7fff_0000,
        other => panic!("{other}"),
    }
}
