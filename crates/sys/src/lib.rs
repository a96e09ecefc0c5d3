//! The kernel: one module per man page, raw system calls, nothing in between.
//!
//! Called by the child between clone and execve, where there is no heap and no C library, and by the
//! library where std has no word for what it needs. One of the two rooms where `unsafe` may live.
//!
//! What it does: puts arguments into registers, gives names to flags, returns the kernel's answer.
//! What it does not: allocate, retry (except `EINTR` where said), keep state, format text, decide.
//!
//! It is our own and not rustix because the child must build from a build script without a registry,
//! and because half of these calls (clone3, seccomp, mount_setattr, set_mempolicy…) are missing there.
#![no_std]

#[cfg(feature = "std")]
extern crate std;

#[macro_use]
mod raw;
#[cfg_attr(not(feature = "std"), allow(dead_code, reason = "some calls are the library's alone"))]
mod nr;

pub mod accept4;
pub mod access;
pub mod bpf;
pub mod capset;
pub mod clone3;
#[cfg(feature = "std")]
mod clone_exec;
pub mod close_range;
pub mod connect;
pub mod dirs;
#[cfg(feature = "std")]
pub mod environ;
mod errno;
pub mod execveat;
pub mod fcntl;
mod fd;
pub mod fsopen;
pub mod getdents64;
pub mod getppid;
#[cfg(feature = "std")]
pub mod getxattr;
pub mod ioctl_ns;
pub mod ioprio_set;
pub mod keyctl;
pub mod memfd_create;
pub mod mknodat;
pub mod mmap;
pub mod mount_setattr;
pub mod netdevice;
pub mod open;
pub mod personality;
pub mod pidfd;
pub mod pivot_root;
pub mod poll;
pub mod prctl;
pub mod process_vm_readv;
pub mod rlimit;
pub mod sched;
pub mod seccomp;
pub mod seccomp_unotify;
pub mod set_mempolicy;
pub mod setns;
pub mod setuid;
pub mod setxattr;
pub mod sigprocmask;
pub mod socket;
#[cfg(feature = "std")]
pub mod spawn;
#[cfg(feature = "std")]
pub mod start;
pub mod stat;
pub mod tty;
pub mod uname;
pub mod wait;

pub use errno::Errno;
pub use fd::Fd;

/// The kernel's answer.
pub type Result<T> = core::result::Result<T, Errno>;

/// Has a function called before `main`, by the dynamic loader or the start of a static program
/// (`.init_array`, see the System V ABI). The function must do without what `main` sets up.
///
/// ```
/// static EARLY: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
/// fn early() {
///     EARLY.store(true, std::sync::atomic::Ordering::Relaxed);
/// }
/// cofferdam_sys::constructor!(early);
/// assert!(EARLY.load(std::sync::atomic::Ordering::Relaxed));
/// ```
#[macro_export]
macro_rules! constructor {
    ($function:path) => {
        const _: () = {
            extern "C" fn call() {
                $function()
            }
            #[used]
            // SAFETY: the section holds pointers to functions without results, and this is one.
            #[unsafe(link_section = ".init_array")]
            static ENTRY: extern "C" fn() = call;
        };
    };
}
