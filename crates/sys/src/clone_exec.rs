//! clone3(2) and execveat(2) in one: a child that shares the caller's memory until it executes.
//!
//! Called by `spawn`, which owns that memory. Between the two calls it may use nothing but registers, its own
//! stack and what it was handed.

use core::ffi::c_char;

use crate::clone3::{Args, CLONE_PIDFD, SIGCHLD};
use crate::{Fd, Result, nr, raw::small};

const CLONE_VM: u64 = 0x100;
const CLONE_CHILD_CLEARTID: u64 = 0x0020_0000;
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// What the process made by [`clone_exec`] does before it executes the program: everything it may
/// touch. It must stay where it is until the process has executed its program or ended.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct ExecArgs {
    /// Descriptor of the program.
    pub(crate) program: i32,
    /// Socket on which one message is awaited before the program is executed (id maps have been
    /// written), or -1.
    pub(crate) wait_on: i32,
    /// Socket on which a failure is reported: `report`, then the error number in its last four bytes.
    pub(crate) report_on: i32,
    /// Descriptors that lose their close-on-exec flag.
    pub(crate) keep: *const i32,
    /// How many.
    pub(crate) keep_len: usize,
    /// Null-terminated argument vector.
    pub(crate) argv: *const *const c_char,
    /// Null-terminated environment.
    pub(crate) envp: *const *const c_char,
    /// In a new user namespace: the ids to become first, so that the program is executed with all the
    /// rights in it (an execve by an unmapped user loses them).
    pub(crate) become_ids: Option<(u32, u32)>,
    /// The report; its last four bytes are overwritten.
    pub(crate) report: [u8; REPORT],
}

/// Size of [`ExecArgs::report`] in bytes.
pub(crate) const REPORT: usize = 16;

/// Makes a process in new namespaces that shares this memory only until it executes `args.program`:
/// what vfork(2) does, without stopping the caller. Signal handlers are reset; the signal mask is
/// emptied. The cost does not depend on the size of the caller.
///
/// # Safety
/// `args` and all it points to, `stack` and `sharing` must stay valid until the kernel has written 0 to
/// `sharing`: the child has executed its program or ended. All signals must be blocked in the calling thread during this call.
///
/// # Errors
/// As clone3(2).
pub(crate) unsafe fn clone_exec(
    flags: u64,
    cgroup: Option<i32>,
    stack: *mut [u8],
    args: *const ExecArgs,
    sharing: *const core::sync::atomic::AtomicU32,
) -> Result<(i32, Fd)> {
    let mut pidfd: i32 = -1;
    let into = cgroup.map_or((0, 0), |fd| (CLONE_INTO_CGROUP, u64::from(fd.unsigned_abs())));
    let clone = Args {
        flags: flags | CLONE_PIDFD | CLONE_VM | CLONE_CLEAR_SIGHAND | CLONE_CHILD_CLEARTID | into.0,
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        child_tid: sharing.expose_provenance() as u64,
        exit_signal: SIGCHLD,
        stack: stack.cast::<u8>().expose_provenance() as u64,
        stack_size: stack.len() as u64 & !15,
        cgroup: into.1,
        ..Args::default()
    };
    // SAFETY: the child runs `enter` on its own stack and never returns from it.
    let ret = unsafe { clone_into(&raw const clone, args) };
    crate::raw::result(ret).map(|pid| (small(pid), Fd::own(pidfd)))
}

/// clone3, then in the child `enter(args)` on the new stack.
unsafe fn clone_into(clone: *const Args, args: *const ExecArgs) -> isize {
    let ret: isize;
    // SAFETY: in the child only registers and the new stack are used until `enter`, which never
    // returns; the parent continues after the label as after any system call. The clobbers are not late
    // ones: `args` must not share a register that the system call overwrites. It may be in the frame
    // pointer, which is therefore cleared last.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!(
            "syscall", "test rax, rax", "jnz 2f", "mov rdi, {args}", "xor ebp, ebp", "call {enter}", "ud2", "2:",
            args = in(reg) args, enter = sym enter,
            inlateout("rax") nr::CLONE3.cast_signed() => ret, in("rdi") clone, in("rsi") size_of::<Args>(),
            out("rcx") _, out("r11") _, options(nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!(
            "svc 0", "cbnz x0, 2f", "mov x0, {args}", "mov x29, xzr", "bl {enter}", "brk 1", "2:",
            args = in(reg) args, enter = sym enter,
            in("x8") nr::CLONE3, inlateout("x0") clone.expose_provenance() as isize => ret, in("x1") size_of::<Args>(),
            out("x30") _, options(nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "riscv64")]
    unsafe {
        core::arch::asm!(
            "ecall", "bnez a0, 2f", "mv a0, {args}", "li fp, 0", "call {enter}", "unimp", "2:",
            args = in(reg) args, enter = sym enter,
            in("a7") nr::CLONE3, inlateout("a0") clone.expose_provenance() as isize => ret, in("a1") size_of::<Args>(),
            out("ra") _, options(nostack));
    }
    ret
}

/// The child's first and only function in the caller's memory: no heap, no thread-local, no panic.
unsafe extern "C" fn enter(args: *const ExecArgs) -> ! {
    // SAFETY: `clone_exec`'s contract keeps `args` and what it points to alive.
    let errno = unsafe { execute(&*args) };
    // SAFETY: as above; the report is copied to this stack.
    let mut report = unsafe { (*args).report };
    if let Some(last) = report.last_chunk_mut::<4>() {
        *last = errno.to_ne_bytes();
    }
    // SAFETY: the report lies on this stack; exiting is always allowed.
    unsafe {
        let _ = syscall!(nr::WRITE, (*args).report_on, report.as_ptr(), report.len());
        let _ = syscall!(nr::EXIT_GROUP, 1u32);
    }
    loop {
        core::hint::spin_loop();
    }
}

/// Waits, keeps descriptors, executes; returns only an error number.
unsafe fn execute(args: &ExecArgs) -> i32 {
    let mut byte = 0u8;
    if args.wait_on >= 0 {
        // SAFETY: one byte of this stack. An end of file means that the parent has gone.
        match unsafe { syscall!(nr::READ, args.wait_on, &raw mut byte, 1usize) } {
            Ok(1) => {}
            Ok(_) => return crate::Errno::EPIPE.0,
            Err(e) => return e.0,
        }
    }
    if let Some((uid, gid)) = args.become_ids
        && let Err(e) = own(uid, gid)
    {
        return e.0;
    }
    for i in 0..args.keep_len {
        const F_SETFD: u32 = 2;
        // SAFETY: `keep` has `keep_len` elements.
        let fd = unsafe { *args.keep.wrapping_add(i) };
        // SAFETY: no memory is handed over.
        let _ = unsafe { syscall!(nr::FCNTL, fd, F_SETFD, 0u32) };
    }
    let _ = crate::sigprocmask::set(0);
    // SAFETY: the vectors are null-terminated, by the contract of `clone_exec`.
    match unsafe {
        crate::execveat::raw(args.program, c"".as_ptr(), args.argv, args.envp, crate::open::AT_EMPTY_PATH)
    } {
        Err(e) => e.0,
        Ok(never) => match never {},
    }
}

/// Takes ids of the new user namespace; the capabilities it gave are made ambient to survive execve by
/// an id that is not its root.
fn own(uid: u32, gid: u32) -> Result<()> {
    crate::setuid::setresgid(gid)?;
    crate::setuid::setresuid(uid)?;
    let (permitted, _, _) = crate::capset::capget()?;
    crate::capset::capset(permitted, permitted, permitted)?;
    for capability in 0..64 {
        if permitted >> capability & 1 == 1 {
            crate::prctl::raise_ambient(capability)?;
        }
    }
    Ok(())
}
