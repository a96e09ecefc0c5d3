//! The start of a program that is started often: the C library's `main` without what std does before its own.
//!
//! Called by [`program!`](crate::program). std looks into /proc/self/maps for the end of the stack and makes another one
//! for a handler that names overflows, at the price of seventeen system calls. What a program relies on is done here:
//! descriptors 0 to 2 are something, so that no file that it opens is taken for its output, and writing to a pipe that
//! nobody reads is an error and not the end.

use crate::open::{O_RDWR, open};
use crate::poll::{PollFd, poll};
use crate::sigprocmask;

const SIGPIPE: u32 = 13;
const POLLNVAL: i16 = 0x20;

/// Does what std would do before `main`. Gives the number of descriptors that had to be opened, or that were not there
/// and could not be.
///
/// ```
/// assert_eq!(cofferdam_sys::start::prepare(), 0);
/// ```
pub fn prepare() -> u8 {
    sigprocmask::ignore(1 << SIGPIPE.saturating_sub(1));
    let mut standard = [0, 1, 2].map(|fd| PollFd { fd, events: 0, revents: 0 });
    let _ = poll(&mut standard, Some(0));
    let mut missing: u8 = 0;
    for _ in standard.iter().filter(|entry| entry.revents & POLLNVAL != 0) {
        missing = missing.saturating_add(1);
        // It gets the lowest free number, and stays.
        if let Ok(null) = open(c"/dev/null", O_RDWR) {
            let _ = null.into_raw();
        }
    }
    missing
}

/// Makes a function that gives an exit status (`fn() -> u8`) the program, in a crate that is `#![no_main]`. It runs
/// after [`prepare`](crate::start::prepare). What std's output still holds when it returns is lost: flush it.
///
/// ```
/// #![no_main]
/// fn five() -> u8 {
///     0
/// }
/// cofferdam_sys::program!(five);
/// ```
#[macro_export]
macro_rules! program {
    ($function:path) => {
        const _: () = {
            // SAFETY: the C library calls this symbol, with arguments that nobody has to take.
            #[unsafe(no_mangle)]
            extern "C" fn main() -> i32 {
                let _ = $crate::start::prepare();
                let status: u8 = $function();
                status.into()
            }
        };
    };
}
