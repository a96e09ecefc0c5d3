//! bpf(2): device programs of cgroup v2 (`BPF_PROG_TYPE_CGROUP_DEVICE`, Linux 4.15).
//!
//! `int bpf(int cmd, union bpf_attr *attr, unsigned int size)`
//!
//! Called by the cgroup crate. Not wrapped: maps, links, BTF and every other program type.

#![allow(unsafe_code)]

use crate::{Fd, Result, nr, raw};

/// `BPF_F_ALLOW_MULTI`: programs of this cgroup and of those above and below it all have to allow.
pub const BPF_F_ALLOW_MULTI: u32 = 1 << 1;
/// `BPF_F_REPLACE` (Linux 5.6): takes the place of the program given as `replace`.
pub const BPF_F_REPLACE: u32 = 1 << 2;

const BPF_PROG_LOAD: usize = 5;
const BPF_PROG_ATTACH: usize = 8;
const BPF_PROG_DETACH: usize = 9;
const BPF_PROG_GET_FD_BY_ID: usize = 13;
const BPF_PROG_QUERY: usize = 16;

const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;

#[repr(C)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

#[repr(C)]
struct AttachAttr {
    target_fd: i32,
    attach_bpf_fd: i32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: i32,
}

#[repr(C)]
struct QueryAttr {
    target_fd: i32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    padding: u32,
}

#[repr(C)]
struct IdAttr {
    prog_id: u32,
    next_id: u32,
    open_flags: u32,
}

/// # Safety
/// Every pointer inside `attr` must be valid for what `cmd` does with it.
unsafe fn bpf<T>(cmd: usize, attr: &mut T) -> Result<usize> {
    let at = core::ptr::from_mut(attr).expose_provenance();
    // SAFETY: attr is valid for size_of::<T>() bytes; pointers in it are the caller's promise.
    raw::result(unsafe { raw::syscall3(nr::BPF, cmd, at, size_of::<T>()) })
}

/// Loads a program; `log`, when given, receives the verifier's words.
///
/// An instruction is a `struct bpf_insn` as one little-endian number. The program needs
/// `CAP_BPF` with `CAP_NET_ADMIN`, or `CAP_SYS_ADMIN`.
///
/// # Errors
/// `EINVAL` or `EACCES` for what the verifier refuses, `EPERM` without the capability, `ENOSPC` when
/// the log did not fit, `E2BIG` for more instructions than allowed.
///
/// ```
/// // mov r0, 1; exit
/// match cofferdam_sys::bpf::prog_load_cgroup_device(&[0x0000_0001_0000_00b7, 0x95], None) {
///     Ok(program) => assert!(program.raw() > 2),
///     Err(errno) => assert_eq!(errno, cofferdam_sys::Errno::EPERM),
/// }
/// ```
pub fn prog_load_cgroup_device(insns: &[u64], log: Option<&mut [u8]>) -> Result<Fd> {
    let license = c"Apache-2.0";
    let (log_buf, log_size) = match log {
        Some(log) => (log.as_mut_ptr().expose_provenance(), u32::try_from(log.len()).unwrap_or(u32::MAX)),
        None => (0, 0),
    };
    let mut attr = LoadAttr {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(insns.len()).unwrap_or(u32::MAX),
        insns: insns.as_ptr().expose_provenance() as u64,
        license: license.as_ptr().expose_provenance() as u64,
        log_level: u32::from(log_size > 0),
        log_size,
        log_buf: log_buf as u64,
        kern_version: 0,
        prog_flags: 0,
    };
    // SAFETY: insns, license and log outlive the call and are as long as said.
    unsafe { bpf(BPF_PROG_LOAD, &mut attr) }.map(|fd| Fd::own(raw::small(fd)))
}

/// Attaches a device program to a cgroup; with `replace` (and [`BPF_F_REPLACE`]) in place of that one.
///
/// # Errors
/// `EPERM` when a program above forbids it or without `CAP_NET_ADMIN`, `EINVAL` for a wrong flag,
/// `E2BIG` for more than 64 programs.
///
/// ```
/// use cofferdam_sys::{Errno, bpf};
/// assert_eq!(bpf::prog_attach(-1, -1, bpf::BPF_F_ALLOW_MULTI, None).is_err(), true);
/// ```
pub fn prog_attach(cgroup: i32, program: i32, flags: u32, replace: Option<i32>) -> Result<()> {
    let mut attr = AttachAttr {
        target_fd: cgroup,
        attach_bpf_fd: program,
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: flags,
        replace_bpf_fd: replace.unwrap_or(0),
    };
    // SAFETY: there are no pointers in it.
    unsafe { bpf(BPF_PROG_ATTACH, &mut attr) }.map(drop)
}

/// Detaches a device program from a cgroup.
///
/// # Errors
/// `ENOENT` when it is not attached.
///
/// ```
/// assert!(cofferdam_sys::bpf::prog_detach(-1, -1).is_err());
/// ```
pub fn prog_detach(cgroup: i32, program: i32) -> Result<()> {
    let mut attr = AttachAttr {
        target_fd: cgroup,
        attach_bpf_fd: program,
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: 0,
        replace_bpf_fd: 0,
    };
    // SAFETY: there are no pointers in it.
    unsafe { bpf(BPF_PROG_DETACH, &mut attr) }.map(drop)
}

/// The ids of the device programs attached to a cgroup; gives how many there are.
///
/// # Errors
/// `ENOSPC` when `ids` is too short; the first of them are in it all the same.
///
/// ```
/// assert!(cofferdam_sys::bpf::prog_query(-1, &mut [0; 4]).is_err());
/// ```
pub fn prog_query(cgroup: i32, ids: &mut [u32]) -> Result<u32> {
    let mut attr = QueryAttr {
        target_fd: cgroup,
        attach_type: BPF_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: ids.as_mut_ptr().expose_provenance() as u64,
        prog_cnt: u32::try_from(ids.len()).unwrap_or(u32::MAX),
        padding: 0,
    };
    // SAFETY: ids outlives the call and has prog_cnt places.
    unsafe { bpf(BPF_PROG_QUERY, &mut attr) }?;
    Ok(attr.prog_cnt)
}

/// A descriptor for a loaded program.
///
/// # Errors
/// `ENOENT` when there is none with that id, `EPERM` without `CAP_SYS_ADMIN`.
///
/// ```
/// assert!(cofferdam_sys::bpf::prog_get_fd_by_id(u32::MAX).is_err());
/// ```
pub fn prog_get_fd_by_id(id: u32) -> Result<Fd> {
    let mut attr = IdAttr { prog_id: id, next_id: 0, open_flags: 0 };
    // SAFETY: there are no pointers in it.
    unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &mut attr) }.map(|fd| Fd::own(raw::small(fd)))
}

// The kernel's offsets (include/uapi/linux/bpf.h, union bpf_attr).
const _: () = {
    assert!(core::mem::offset_of!(LoadAttr, insns) == 8);
    assert!(core::mem::offset_of!(LoadAttr, log_buf) == 32);
    assert!(core::mem::offset_of!(LoadAttr, prog_flags) == 44);
    assert!(core::mem::offset_of!(AttachAttr, replace_bpf_fd) == 16);
    assert!(core::mem::offset_of!(QueryAttr, prog_ids) == 16);
    assert!(core::mem::offset_of!(QueryAttr, prog_cnt) == 24);
};
