//! A filter run on a call, as the kernel would.
//!
//! Called by tests and by the command line's `explain`. Only what seccomp allows of classic BPF
//! (`seccomp_check_filter` in kernel/seccomp.c) and, of that, only what filters use.

use crate::arch::Arch;
use crate::filter::{
    AND, Filter, Instruction, JUMP, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_EQUAL, LOAD, RETURN,
};

/// `BPF_JMP | BPF_JSET | BPF_K`.
const JUMP_SET: u16 = 0x45;

/// What a filter sees of a call: `struct seccomp_data` of seccomp(2).
///
/// ```
/// use cofferdam_seccomp::{Arch, SeccompData};
/// assert_eq!(SeccompData::new(Arch::X86, 1, [0; 6]).arch, 0x4000_0003);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeccompData {
    /// The call's number.
    pub nr: u32,
    /// `AUDIT_ARCH_*`.
    pub arch: u32,
    /// Where the call was made.
    pub instruction_pointer: u64,
    /// The six registers.
    pub args: [u64; 6],
}

impl SeccompData {
    /// The call `nr` on `arch`.
    #[must_use]
    pub const fn new(arch: Arch, nr: u32, args: [u64; 6]) -> Self {
        Self { nr, arch: arch.token(), instruction_pointer: 0, args }
    }

    /// The 32-bit word at `offset`, in a kernel of the given byte order.
    fn word(&self, offset: u32, big_endian: bool) -> Option<u32> {
        let index = usize::try_from(offset / 4).ok()?;
        let wide = match index {
            0 => return Some(self.nr),
            1 => return Some(self.arch),
            2 | 3 => self.instruction_pointer,
            _ => *self.args.get((index - 4) / 2)?,
        };
        let high = (index % 2 == 1) != big_endian;
        u32::try_from(if high { wide >> 32 } else { wide & 0xffff_ffff })
            .ok()
            .filter(|_| offset.is_multiple_of(4))
    }
}

/// Runs a compiled filter. What it returns is `SECCOMP_RET_*` with its data.
///
/// ```
/// use cofferdam_seccomp::{Arch, SeccompData, compile, interpret};
/// let profile = serde_json::from_str(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).unwrap();
/// let filter = compile(&profile, &cofferdam_oci::Pointer::root(), Arch::X86_64).unwrap();
/// let read = SeccompData::new(Arch::X86_64, 0, [0; 6]);
/// assert_eq!(interpret::run(&filter, &read), 0x7fff_0000); // SECCOMP_RET_ALLOW
/// ```
#[must_use]
pub fn run(filter: &Filter, data: &SeccompData) -> u32 {
    // The compiler writes no program that fails; KILL_PROCESS is what the kernel does with a bad one.
    run_program(&filter.code, filter.big_endian, data).unwrap_or(0x8000_0000)
}

/// Runs any program, such as one that libseccomp made, in a kernel of the given byte order. `None` when it has an
/// instruction that seccomp does not allow, or leaves its own bounds.
///
/// ```
/// use cofferdam_seccomp::{Arch, Instruction, SeccompData, interpret};
/// let code = [Instruction { code: 0x20, jt: 0, jf: 0, k: 0 }];
/// assert_eq!(interpret::run_program(&code, false, &SeccompData::new(Arch::X86_64, 0, [0; 6])), None);
/// ```
#[must_use]
pub fn run_program(code: &[Instruction], big_endian: bool, data: &SeccompData) -> Option<u32> {
    steps(code, big_endian, data).map(|(value, _)| value)
}

/// As [`run_program`], with the number of instructions that were run.
///
/// ```
/// use cofferdam_seccomp::{Arch, Instruction, SeccompData, interpret};
/// let code = [Instruction { code: 0x06, jt: 0, jf: 0, k: 7 }]; // ret #7
/// assert_eq!(interpret::steps(&code, false, &SeccompData::new(Arch::X86_64, 0, [0; 6])), Some((7, 1)));
/// ```
#[must_use]
pub fn steps(code: &[Instruction], big_endian: bool, data: &SeccompData) -> Option<(u32, usize)> {
    let (mut at, mut accumulator, mut steps) = (0usize, 0u32, 0);
    loop {
        let Instruction { code, jt, jf, k } = *code.get(at)?;
        at += 1;
        steps += 1;
        let holds = match code {
            LOAD => {
                accumulator = data.word(k, big_endian)?;
                continue;
            }
            AND => {
                accumulator &= k;
                continue;
            }
            JUMP => {
                at = at.checked_add(usize::try_from(k).ok()?)?;
                continue;
            }
            RETURN => return Some((k, steps)),
            JUMP_EQUAL => accumulator == k,
            JUMP_GREATER => accumulator > k,
            JUMP_GREATER_EQUAL => accumulator >= k,
            JUMP_SET => accumulator & k != 0,
            _ => return None,
        };
        at += usize::from(if holds { jt } else { jf });
    }
}
