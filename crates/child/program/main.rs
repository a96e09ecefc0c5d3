//! The child program: an entry point, the two numbers it is given, and [`cofferdam_child::run`].
//!
//! Compiled by the library's build script into a static file without a C library. Its arguments are the
//! descriptors of the control socket and of the operations.
#![no_std]
#![no_main]

use core::ffi::{CStr, c_char};

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {}", "ud2", sym start);
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x30, xzr", "mov x0, sp", "and sp, x0, -16", "bl {}", "brk 1", sym start);
#[cfg(target_arch = "riscv64")]
core::arch::global_asm!(".globl _start", "_start:", "li fp, 0", "mv a0, sp", "andi sp, sp, -16", "call {}", "unimp", sym start);

/// The stack as the kernel left it: the number of arguments, then the arguments.
unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: the kernel puts argc there.
    let count = unsafe { *stack };
    // SAFETY: and argc pointers to null-terminated strings after it.
    let arguments = unsafe { core::slice::from_raw_parts(stack.wrapping_add(1).cast::<*const c_char>(), count) };
    let number = |i: usize| -> i32 {
        // SAFETY: as above.
        arguments.get(i).and_then(|p| decimal(unsafe { CStr::from_ptr(*p) }.to_bytes())).unwrap_or(-1)
    };
    cofferdam_child::run(number(1), number(2))
}

fn decimal(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0i32, |n, d| {
        let digit = d.checked_sub(b'0').filter(|d| *d < 10)?;
        n.checked_mul(10)?.checked_add(i32::from(digit))
    })
}

/// Nothing here can panic; the compiler wants to be told what would happen if it did.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    cofferdam_sys::setns::exit(125)
}

/// The few functions that the compiler may call for copies and comparisons of memory.
mod memory {
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's promise, that of memcpy(3).
        unsafe {
            core::arch::asm!("rep movsb", inout("rcx") n => _, inout("rdi") to => _, inout("rsi") from => _, options(nostack, preserves_flags));
        }
        #[cfg(not(target_arch = "x86_64"))]
        for i in 0..n {
            // SAFETY: the caller's promise; volatile keeps the compiler from calling memcpy again.
            unsafe { to.wrapping_add(i).write_volatile(*from.wrapping_add(i)) };
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
        if to.addr().wrapping_sub(from.addr()) >= n {
            // SAFETY: copying upwards never reads what it has written.
            return unsafe { memcpy(to, from, n) };
        }
        for i in (0..n).rev() {
            // SAFETY: the caller's promise, that of memmove(3).
            unsafe { to.wrapping_add(i).write_volatile(*from.wrapping_add(i)) };
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, byte: i32, n: usize) -> *mut u8 {
        let byte = byte.to_ne_bytes()[0];
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's promise, that of memset(3).
        unsafe {
            core::arch::asm!("rep stosb", inout("rcx") n => _, inout("rdi") to => _, in("al") byte, options(nostack, preserves_flags));
        }
        #[cfg(not(target_arch = "x86_64"))]
        for i in 0..n {
            // SAFETY: the caller's promise.
            unsafe { to.wrapping_add(i).write_volatile(byte) };
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
        for i in 0..n {
            // SAFETY: the caller's promise, that of memcmp(3).
            let (x, y) = unsafe { (a.wrapping_add(i).read_volatile(), b.wrapping_add(i).read_volatile()) };
            if x != y {
                return i32::from(x) - i32::from(y);
            }
        }
        0
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
        // SAFETY: the caller's promise.
        unsafe { memcmp(a, b, n) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn strlen(s: *const c_char) -> usize {
        let mut n = 0;
        // SAFETY: the caller's promise, that of strlen(3).
        while unsafe { s.wrapping_add(n).read_volatile() } != 0 {
            n += 1;
        }
        n
    }
    use core::ffi::c_char;
}
