//! The system call instruction. Everything else in this crate goes through [`call`].

use crate::Errno;

/// Makes a system call.
///
/// # Safety
/// The arguments must be what the system call `nr` may be given: pointers valid for what it reads and
/// writes.
#[inline(always)]
pub(crate) unsafe fn call(nr: usize, a: [usize; 6]) -> isize {
    let [a0, a1, a2, a3, a4, a5] = a;
    let ret: isize;
    // SAFETY: the kernel preserves all registers but those named as clobbered; what it does to memory
    // is the caller's promise.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") nr.cast_signed() => ret, in("rdi") a0, in("rsi") a1, in("rdx") a2,
            in("r10") a3, in("r8") a4, in("r9") a5, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!("svc 0", in("x8") nr, inlateout("x0") a0 as isize => ret, in("x1") a1, in("x2") a2,
            in("x3") a3, in("x4") a4, in("x5") a5, options(nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "riscv64")]
    unsafe {
        core::arch::asm!("ecall", in("a7") nr, inlateout("a0") a0 as isize => ret, in("a1") a1, in("a2") a2,
            in("a3") a3, in("a4") a4, in("a5") a5, options(nostack));
    }
    ret
}

/// As [`call`], for calls with three arguments.
///
/// # Safety
/// As [`call`].
#[inline(always)]
pub(crate) unsafe fn syscall3(nr: usize, a: usize, b: usize, c: usize) -> isize {
    // SAFETY: the caller's promise.
    unsafe { call(nr, [a, b, c, 0, 0, 0]) }
}

/// Splits the kernel's answer into value and error number.
#[inline]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn result(ret: isize) -> crate::Result<usize> {
    if (-4095..0).contains(&ret) { Err(Errno(small(ret.unsigned_abs()))) } else { Ok(ret as usize) }
}

/// What may be put into a register.
pub(crate) trait Arg {
    fn arg(self) -> usize;
}

impl Arg for usize {
    #[inline(always)]
    fn arg(self) -> usize {
        self
    }
}
impl Arg for u32 {
    #[inline(always)]
    fn arg(self) -> usize {
        self as usize
    }
}
impl Arg for u64 {
    // Only 64-bit targets are supported, as `call` shows.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)]
    fn arg(self) -> usize {
        self as usize
    }
}
impl Arg for i32 {
    // Sign extension is what the kernel expects of AT_FDCWD and of -1.
    #[inline(always)]
    #[allow(clippy::cast_sign_loss)]
    fn arg(self) -> usize {
        self as isize as usize
    }
}
impl<T> Arg for *const T {
    #[inline(always)]
    fn arg(self) -> usize {
        self.expose_provenance()
    }
}
impl<T> Arg for *mut T {
    #[inline(always)]
    fn arg(self) -> usize {
        self.expose_provenance()
    }
}

/// `syscall!(nr::CLOSE, fd)`: up to six arguments, the rest zero; gives `Result<usize>`.
macro_rules! syscall {
    ($nr:expr) => { syscall!(@ $nr, 0usize, 0usize, 0usize, 0usize, 0usize, 0usize) };
    ($nr:expr, $a:expr) => { syscall!(@ $nr, $a, 0usize, 0usize, 0usize, 0usize, 0usize) };
    ($nr:expr, $a:expr, $b:expr) => { syscall!(@ $nr, $a, $b, 0usize, 0usize, 0usize, 0usize) };
    ($nr:expr, $a:expr, $b:expr, $c:expr) => { syscall!(@ $nr, $a, $b, $c, 0usize, 0usize, 0usize) };
    ($nr:expr, $a:expr, $b:expr, $c:expr, $d:expr) => { syscall!(@ $nr, $a, $b, $c, $d, 0usize, 0usize) };
    ($nr:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => { syscall!(@ $nr, $a, $b, $c, $d, $e, 0usize) };
    ($nr:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr) => { syscall!(@ $nr, $a, $b, $c, $d, $e, $f) };
    (@ $nr:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr) => {
        $crate::raw::result($crate::raw::call($nr, [
            $crate::raw::Arg::arg($a), $crate::raw::Arg::arg($b), $crate::raw::Arg::arg($c),
            $crate::raw::Arg::arg($d), $crate::raw::Arg::arg($e), $crate::raw::Arg::arg($f),
        ]))
    };
}

/// The result of a call whose value is a descriptor or another small number.
#[inline]
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
pub(crate) fn small(value: usize) -> i32 {
    value as i32
}
