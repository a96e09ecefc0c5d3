//! ENOSYS for calls that are newer than the profile.
//!
//! Called by `lower`, unless the plain meaning of the rules is wanted. Why: a C library tries a new call first
//! and falls back when the kernel answers ENOSYS. A profile written before the call existed answers what its
//! default says, mostly EPERM; the library then believes that the operation itself was refused, and programs
//! break when their base image is updated (clone3 and faccessat2 with glibc, in 2020 and 2021). A profile cannot
//! have meant to refuse what it could not know. So, as in runc since 1.0.0-rc93: on each ABI, calls with a number
//! above the largest that the profile names, in whatever rule, fail with ENOSYS, unless the default action lets
//! calls pass (`ALLOW`, `LOG`, `TRACE`).
//!
//! Since Linux 5.1 new calls get the next number on all ABIs alike, so "above" is "newer". Two ABIs keep other
//! calls above the common ones: Arm its private range, x32 its own variants from 512 on. There the range ends
//! below those, where runc's rule never applies once a profile names one of them (Docker's does).
//!
//! On s390 a number over 32767 comes in as call 0, which no other call has: that fails with ENOSYS, too.

use crate::arch::{ARM_PRIVATE, Arch, X32_BIT};
use crate::words::{ALLOW, LOG, TRACE};

/// x32's own variants of some calls start here.
const X32_VARIANTS: u32 = X32_BIT | 512;
/// `SECCOMP_RET_ACTION_FULL`.
const ACTION: u32 = 0xffff_0000;

/// Whether unknown calls may be told apart from refused ones under this default action.
pub(crate) fn applies(default: u32) -> bool {
    !matches!(default & ACTION, ALLOW | LOG | TRACE)
}

/// The numbers, first and last included, that fail with ENOSYS on `arch` when a profile names those of `named`.
pub(crate) fn ranges(arch: Arch, named: impl Iterator<Item = u32>) -> Vec<(u32, u32)> {
    let end = match arch {
        Arch::Arm => ARM_PRIVATE - 1,
        Arch::X32 => X32_VARIANTS - 1,
        Arch::X86_64 => X32_BIT - 1,
        _ => u32::MAX,
    };
    let Some(largest) = named.filter(|number| *number < end).max() else {
        return Vec::new();
    };
    let mut ranges = vec![(largest + 1, end)];
    if matches!(arch, Arch::S390 | Arch::S390x) && largest > 0 {
        ranges.push((0, 0));
    }
    ranges
}
