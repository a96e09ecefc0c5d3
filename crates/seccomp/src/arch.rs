//! The kernel ABIs: name, audit token, word size, byte order, and where their call numbers stand in the table.
//!
//! Called by every step of the compiler and, through the public type, by the notify agent. Facts only.

use crate::table;

/// A kernel ABI as the specification names it (`SCMP_ARCH_*`, `config-linux.md`, Seccomp).
///
/// ```
/// use cofferdam_seccomp::Arch;
/// assert_eq!(Arch::from_name("SCMP_ARCH_AARCH64"), Some(Arch::Aarch64));
/// assert_eq!(Arch::X86_64.token(), 0xc000_003e);
/// assert_eq!(Arch::X86_64.call_number("openat"), Some(257));
/// assert_eq!(Arch::X86_64.call_name(257), Some("openat"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it all
pub enum Arch {
    X86_64,
    X86,
    X32,
    Arm,
    Aarch64,
    Loongarch64,
    M68k,
    Mips,
    Mips64,
    Mips64n32,
    Mipsel,
    Mipsel64,
    Mipsel64n32,
    Ppc,
    Ppc64,
    Ppc64le,
    S390,
    S390x,
    Sh,
    Sheb,
    Parisc,
    Parisc64,
    Riscv64,
}

/// Set in every call number of x32 (`__X32_SYSCALL_BIT`).
pub(crate) const X32_BIT: u32 = 0x4000_0000;
/// Where Arm keeps its private calls (`__ARM_NR_BASE`).
pub(crate) const ARM_PRIVATE: u32 = 0xf_0000;

/// `__AUDIT_ARCH_64BIT` and `__AUDIT_ARCH_LE` of linux/audit.h.
const BITS64: u32 = 0x8000_0000;
const LITTLE: u32 = 0x4000_0000;
/// `__AUDIT_ARCH_CONVENTION_MIPS64_N32`.
const N32: u32 = 0x2000_0000;

/// One row an ABI: the names in the order of [`Arch`], the audit token, the column of the number table.
const FACTS: [(&str, u32, usize); 23] = [
    ("SCMP_ARCH_X86_64", 62 | BITS64 | LITTLE, 0),
    ("SCMP_ARCH_X86", 3 | LITTLE, 1),
    ("SCMP_ARCH_X32", 62 | BITS64 | LITTLE, 2),
    ("SCMP_ARCH_ARM", 40 | LITTLE, 3),
    ("SCMP_ARCH_AARCH64", 183 | BITS64 | LITTLE, 4),
    ("SCMP_ARCH_LOONGARCH64", 258 | BITS64 | LITTLE, 5),
    ("SCMP_ARCH_M68K", 4, 6),
    ("SCMP_ARCH_MIPS", 8, 7),
    ("SCMP_ARCH_MIPS64", 8 | BITS64, 8),
    ("SCMP_ARCH_MIPS64N32", 8 | BITS64 | N32, 9),
    ("SCMP_ARCH_MIPSEL", 8 | LITTLE, 7),
    ("SCMP_ARCH_MIPSEL64", 8 | BITS64 | LITTLE, 8),
    ("SCMP_ARCH_MIPSEL64N32", 8 | BITS64 | LITTLE | N32, 9),
    ("SCMP_ARCH_PPC", 20, 10),
    ("SCMP_ARCH_PPC64", 21 | BITS64, 11),
    ("SCMP_ARCH_PPC64LE", 21 | BITS64 | LITTLE, 11),
    ("SCMP_ARCH_S390", 22, 12),
    ("SCMP_ARCH_S390X", 22 | BITS64, 13),
    ("SCMP_ARCH_SH", 42 | LITTLE, 14),
    ("SCMP_ARCH_SHEB", 42, 14),
    ("SCMP_ARCH_PARISC", 15, 15),
    ("SCMP_ARCH_PARISC64", 15 | BITS64, 16),
    ("SCMP_ARCH_RISCV64", 243 | BITS64 | LITTLE, 17),
];

/// Every architecture that a profile may name, for the features document.
///
/// ```
/// assert!(cofferdam_seccomp::known_archs().contains(&"SCMP_ARCH_RISCV64"));
/// ```
#[must_use]
pub fn known_archs() -> &'static [&'static str] {
    const NAMES: [&str; FACTS.len()] = {
        let mut names = [""; FACTS.len()];
        let mut i = 0;
        while i < FACTS.len() {
            names[i] = FACTS[i].0;
            i += 1;
        }
        names
    };
    &NAMES
}

impl Arch {
    /// All of them.
    pub const ALL: [Self; 23] = {
        use Arch::{
            Aarch64, Arm, Loongarch64, M68k, Mips, Mips64, Mips64n32, Mipsel, Mipsel64, Mipsel64n32, Parisc,
            Parisc64, Ppc, Ppc64, Ppc64le, Riscv64, S390, S390x, Sh, Sheb, X32, X86, X86_64,
        };
        [
            X86_64,
            X86,
            X32,
            Arm,
            Aarch64,
            Loongarch64,
            M68k,
            Mips,
            Mips64,
            Mips64n32,
            Mipsel,
            Mipsel64,
            Mipsel64n32,
            Ppc,
            Ppc64,
            Ppc64le,
            S390,
            S390x,
            Sh,
            Sheb,
            Parisc,
            Parisc64,
            Riscv64,
        ]
    };

    /// The ABI this program was built for; `None` where this crate has no table for it.
    #[must_use]
    pub const fn native() -> Option<Self> {
        let big = cfg!(target_endian = "big");
        Some(if cfg!(all(target_arch = "x86_64", target_pointer_width = "32")) {
            Self::X32
        } else if cfg!(target_arch = "x86_64") {
            Self::X86_64
        } else if cfg!(target_arch = "x86") {
            Self::X86
        } else if cfg!(target_arch = "arm") {
            Self::Arm
        } else if cfg!(target_arch = "aarch64") {
            Self::Aarch64
        } else if cfg!(target_arch = "loongarch64") {
            Self::Loongarch64
        } else if cfg!(target_arch = "m68k") {
            Self::M68k
        } else if cfg!(target_arch = "mips") {
            if big { Self::Mips } else { Self::Mipsel }
        } else if cfg!(all(target_arch = "mips64", target_pointer_width = "32")) {
            if big { Self::Mips64n32 } else { Self::Mipsel64n32 }
        } else if cfg!(target_arch = "mips64") {
            if big { Self::Mips64 } else { Self::Mipsel64 }
        } else if cfg!(target_arch = "powerpc") {
            Self::Ppc
        } else if cfg!(target_arch = "powerpc64") {
            if big { Self::Ppc64 } else { Self::Ppc64le }
        } else if cfg!(target_arch = "s390x") {
            Self::S390x
        } else if cfg!(target_arch = "riscv64") {
            Self::Riscv64
        } else {
            return None;
        })
    }

    /// The ABI of this name, `SCMP_ARCH_X86_64` style.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.name() == name)
    }

    /// The specification's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        FACTS[self as usize].0
    }

    /// The kernel's `AUDIT_ARCH_*` value (linux/audit.h). x32 has that of x86_64.
    #[must_use]
    pub const fn token(self) -> u32 {
        FACTS[self as usize].1
    }

    /// The number of the call `name`, as the kernel passes it to a filter (x32's bit 30 included).
    #[must_use]
    pub fn call_number(self, name: &str) -> Option<u32> {
        table::find(name).and_then(|call| call.number(self))
    }

    /// Every call of this ABI, by name, with its number.
    ///
    /// ```
    /// use cofferdam_seccomp::Arch;
    /// assert!(Arch::X86.calls().any(|call| call == (102, "socketcall")));
    /// ```
    pub fn calls(self) -> impl Iterator<Item = (u32, &'static str)> {
        table::all(self)
    }

    /// The name of the call `number`.
    #[must_use]
    pub fn call_name(self, number: u32) -> Option<&'static str> {
        table::name_of(self, number)
    }

    pub(crate) const fn column(self) -> usize {
        FACTS[self as usize].2
    }

    /// Whether arguments are compared as 64 bits. libseccomp compares 32 on x32 and n32, whose tokens say 64.
    pub(crate) const fn wide(self) -> bool {
        self.token() & BITS64 != 0 && !matches!(self, Self::X32 | Self::Mips64n32 | Self::Mipsel64n32)
    }

    /// Whether the high half of an argument comes first.
    pub(crate) const fn big_endian(self) -> bool {
        self.token() & LITTLE == 0
    }

    /// Whether socket and System V IPC calls also go through socketcall(2) and ipc(2).
    pub(crate) const fn multiplexes(self) -> bool {
        matches!(
            self,
            Self::X86
                | Self::M68k
                | Self::Mips
                | Self::Mipsel
                | Self::Ppc
                | Self::Ppc64
                | Self::Ppc64le
                | Self::S390
                | Self::S390x
                | Self::Sh
                | Self::Sheb
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_in_the_order_of_the_enum() {
        for arch in Arch::ALL {
            let name = format!("SCMP_ARCH_{arch:?}").to_uppercase();
            assert_eq!(arch.name(), name);
            assert_eq!(Arch::from_name(&name), Some(arch));
        }
    }
}
