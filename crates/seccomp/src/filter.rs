//! The compiled filter and what the caller of seccomp(2) needs to know beside it.
//!
//! Made by `check::compile`; carried in the plan to the child. Plain data.

/// One instruction of classic BPF: `struct sock_filter` of `linux/filter.h`.
///
/// ```
/// use cofferdam_seccomp::Instruction;
/// let allow = Instruction { code: 0x06, jt: 0, jf: 0, k: 0x7fff_0000 };
/// assert_eq!(allow.to_string(), "ret 0x7fff0000");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// Operation, size and mode.
    pub code: u16,
    /// Instructions skipped when the comparison holds.
    pub jt: u8,
    /// Instructions skipped when it does not.
    pub jf: u8,
    /// The constant, the offset, or for `ja` the distance.
    pub k: u32,
}

impl std::fmt::Display for Instruction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, jt, jf, k } = *self;
        match code {
            LOAD => write!(f, "ld [{k}]"),
            AND => write!(f, "and {k:#x}"),
            RETURN => write!(f, "ret {k:#x}"),
            JUMP => write!(f, "ja +{k}"),
            JUMP_EQUAL => write!(f, "jeq {k:#x} +{jt} +{jf}"),
            JUMP_GREATER => write!(f, "jgt {k:#x} +{jt} +{jf}"),
            JUMP_GREATER_EQUAL => write!(f, "jge {k:#x} +{jt} +{jf}"),
            _ => write!(f, "{code:#x} {k:#x} +{jt} +{jf}"),
        }
    }
}

/// `BPF_LD | BPF_W | BPF_ABS`.
pub(crate) const LOAD: u16 = 0x20;
/// `BPF_ALU | BPF_AND | BPF_K`.
pub(crate) const AND: u16 = 0x54;
/// `BPF_RET | BPF_K`.
pub(crate) const RETURN: u16 = 0x06;
/// `BPF_JMP | BPF_JA`.
pub(crate) const JUMP: u16 = 0x05;
/// `BPF_JMP | BPF_JEQ | BPF_K`.
pub(crate) const JUMP_EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGT | BPF_K`.
pub(crate) const JUMP_GREATER: u16 = 0x25;
/// `BPF_JMP | BPF_JGE | BPF_K`.
pub(crate) const JUMP_GREATER_EQUAL: u16 = 0x35;

/// A compiled profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub(crate) code: Vec<Instruction>,
    pub(crate) flags: u32,
    pub(crate) notifies: bool,
    pub(crate) listener: Option<(String, String)>,
    pub(crate) unknown: Vec<String>,
    pub(crate) big_endian: bool,
}

impl Filter {
    /// The program, at least one and at most 4096 (`BPF_MAXINSNS`) instructions.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.code
    }

    /// The program as an array of `struct sock_filter`, 8 bytes an instruction, in the byte order of the
    /// architecture it was compiled for.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.code.len() * 8);
        for Instruction { code, jt, jf, k } in &self.code {
            if self.big_endian {
                bytes.extend(code.to_be_bytes());
                bytes.extend([*jt, *jf]);
                bytes.extend(k.to_be_bytes());
            } else {
                bytes.extend(code.to_le_bytes());
                bytes.extend([*jt, *jf]);
                bytes.extend(k.to_le_bytes());
            }
        }
        bytes
    }

    /// `SECCOMP_FILTER_FLAG_*` for seccomp(2): those of the profile, `NEW_LISTENER` when a rule notifies, and
    /// then `TSYNC_ESRCH` (Linux 5.7) with `TSYNC`, without which the kernel refuses the pair.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// Whether a rule has `SCMP_ACT_NOTIFY`, so that seccomp(2) returns a listener descriptor.
    #[must_use]
    pub fn notifies(&self) -> bool {
        self.notifies
    }

    /// `listenerPath` and `listenerMetadata` (empty when absent), when there is a path and a rule notifies: the
    /// specification has the path ignored otherwise.
    #[must_use]
    pub fn listener(&self) -> Option<(&str, &str)> {
        let (path, metadata) = self.listener.as_ref()?;
        Some((path, metadata))
    }

    /// Names in the profile that are calls on no architecture, in the order of the document. They have no effect:
    /// a name may be newer than this library, so it is no reason to refuse, but it is worth a warning.
    ///
    /// ```
    /// # use cofferdam_seccomp::{Arch, compile};
    /// let profile = serde_json::from_str(
    ///     r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["raed"],"action":"SCMP_ACT_ALLOW"}]}"#,
    /// ).unwrap();
    /// let filter = compile(&profile, &cofferdam_oci::Pointer::root(), Arch::X86_64).unwrap();
    /// assert_eq!(filter.unknown_names(), ["raed"]);
    /// ```
    #[must_use]
    pub fn unknown_names(&self) -> &[String] {
        &self.unknown
    }
}
