//! The helper that runs modules, from the inside: the caller's program, started again, at the beginning of its
//! `main`.
//!
//! Entered by [`init`]. In an ordinary run that returns at once; in a helper it joins what it is told to, runs
//! what it is told to, and never returns. It trusts nobody but the process that made its socket.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use cofferdam_child::frame::{DONE, Frame, INLINE, SEALED};
use cofferdam_sys::{mmap, setns, sigprocmask, socket};

use crate::Module;
use crate::speech::{self, ANSWER, ERROR, MARK, PANIC, UNKNOWN};

/// Set by an ordinary run: the program does call [`init`].
static INITIALISED: AtomicBool = AtomicBool::new(false);
/// What the last panic said.
static SAID: Mutex<String> = Mutex::new(String::new());
/// The helper's socket, for a panic that ends the process.
static CONTROL: AtomicI32 = AtomicI32::new(-1);

/// Status of a helper that was not started by a caller of ours.
const NOT_OURS: i32 = 125;

/// Whether modules can be run at all.
pub(crate) fn initialised() -> bool {
    INITIALISED.load(Ordering::Acquire)
}

/// Registers modules, and turns a process that was started as a helper into one.
///
/// To be called first in `main`, before any thread is made: a helper joins namespaces, and the kernel lets
/// only a single thread do that. In an ordinary run it remembers that it was called and returns. In a helper
/// it never returns: the rest of `main` does not run.
///
/// ```no_run
/// use cofferdam_nsenter::{Inside, Module, Target, init};
/// fn main() -> Result<(), cofferdam_nsenter::Error> {
///     init([Module::bytes("hostname", |_| Ok(std::fs::read("/proc/sys/kernel/hostname")?))]);
///     let name = Target::open(4711)?.enter().run("hostname", b"")?;
///     println!("{}", String::from_utf8_lossy(&name));
///     Ok(())
/// }
/// ```
pub fn init(modules: impl IntoIterator<Item = Module>) {
    match invitation() {
        None => INITIALISED.store(true, Ordering::Release),
        Some(control) => {
            // A caller in the background ignores keys that signal; what runs inside has its own terminal, and
            // could not undo that. A broken pipe stays the error that Rust programs expect.
            sigprocmask::default_actions(!SIGPIPE);
            serve(control, &modules.into_iter().collect::<Vec<_>>())
        }
    }
}

/// As a bit of a set of signals.
const SIGPIPE: u64 = 1 << 12;

/// The socket, when this process was started as a helper.
fn invitation() -> Option<i32> {
    let mut words = arguments();
    if words.next()? != MARK.as_bytes() {
        return None;
    }
    let control = words.next().and_then(|word| String::from_utf8(word).ok()?.parse().ok());
    match control.filter(|control| is_ours(*control)) {
        Some(control) => Some(control),
        // Somebody imitates a caller: whatever this program is, it must not run as if it had been asked for.
        None => setns::exit(NOT_OURS),
    }
}

/// The program's arguments. Before `main` the standard library does not know them on every C library.
fn arguments() -> Box<dyn Iterator<Item = Vec<u8>>> {
    if std::env::args_os().next().is_some() {
        return Box::new(std::env::args_os().map(std::os::unix::ffi::OsStringExt::into_vec));
    }
    let line = std::fs::read("/proc/self/cmdline").unwrap_or_default();
    let words: Vec<_> = line.split(|b| *b == 0).map(<[u8]>::to_vec).collect();
    Box::new(words.into_iter())
}

/// Calls [`init`] with the modules of a function before `main`, for programs whose `main` is not theirs
/// (a test harness, a library that is loaded): `nsexec()` for Rust.
///
/// The function runs as a constructor of the executable (`.init_array`): the standard library's runtime is not
/// set up yet, which files, memory and threads do without, but other constructors may not have run. Where
/// `main` can be changed, [`init`] at its start is the better way.
///
/// ```
/// use cofferdam_nsenter::Module;
/// fn modules() -> [Module; 1] {
///     [Module::bytes("pid", |_| Ok(std::process::id().to_string().into_bytes()))]
/// }
/// cofferdam_nsenter::before_main!(modules);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! before_main {
    ($modules:path) => {
        const _: () = {
            fn enter() {
                $crate::init($modules())
            }
            $crate::__constructor!(enter);
        };
    };
}

/// The socket was made by a process of our own user, and we have no rights that it did not have: a program
/// with set-user-id or file capabilities would run what anybody tells it.
fn is_ours(control: i32) -> bool {
    const AT_SECURE: u64 = 23;
    let secure = std::fs::read("/proc/self/auxv").map(|words| {
        let mut numbers =
            words.chunks_exact(8).filter_map(|b| b.first_chunk().map(|b| u64::from_ne_bytes(*b)));
        std::iter::from_fn(|| Some((numbers.next()?, numbers.next()?)))
            .any(|pair| pair.0 == AT_SECURE && pair.1 != 0)
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective: Option<u32> = status
        .lines()
        .find_map(|l| l.strip_prefix("Uid:"))
        .and_then(|ids| ids.split_whitespace().nth(1)?.parse().ok());
    let peer = socket::peer(control).ok().map(|(_, uid, _)| uid);
    matches!(secure, Ok(false)) && peer.is_some() && peer == effective
}

fn serve(control: i32, modules: &[Module]) -> ! {
    CONTROL.store(control, Ordering::Release);
    std::panic::set_hook(Box::new(|info| {
        let said = info.to_string();
        if cfg!(panic = "abort") {
            let _ = speech::answer(CONTROL.load(Ordering::Acquire), frame(PANIC, 0), said.as_bytes());
        }
        if let Ok(mut last) = SAID.lock() {
            *last = said;
        }
    }));
    loop {
        let Ok((message, file)) = speech::receive(control) else { setns::exit(1) };
        let Some((kind, rest)) = message.split_first() else {
            let _ = std::io::stdout().flush();
            setns::exit(0)
        };
        let done = match (*kind, file) {
            (INLINE, None) => joined(control, cofferdam_child::run_here(control, rest)),
            (SEALED, Some(file)) => {
                use std::os::fd::AsRawFd;
                match mmap::with_sealed(file.as_raw_fd(), |block| cofferdam_child::run_here(control, block)) {
                    Ok(done) => joined(control, done),
                    Err(_) => setns::exit(1),
                }
            }
            (_, file) => called(control, modules, &message, file),
        };
        if done.is_err() {
            setns::exit(1);
        }
    }
}

fn joined(control: i32, done: Result<(), Frame>) -> cofferdam_sys::Result<()> {
    let frame = done.err().unwrap_or_else(|| frame(DONE, 0));
    socket::send(control, &frame.encode(), &[])
}

fn called(
    control: i32,
    modules: &[Module],
    message: &[u8],
    file: Option<std::os::fd::OwnedFd>,
) -> cofferdam_sys::Result<()> {
    let Some((name, input)) = speech::parse_call(message, file) else { setns::exit(1) };
    let Some(module) = modules.iter().find(|m| m.name() == name) else {
        return speech::answer(control, frame(UNKNOWN, 0), &[]);
    };
    match catch_unwind(AssertUnwindSafe(|| module.run(&input))) {
        Ok(Ok(output)) => speech::answer(control, frame(ANSWER, 0), &output),
        Ok(Err(e)) => speech::answer(control, frame(ERROR, e.code), e.message.as_bytes()),
        Err(_) => {
            let said = SAID.lock().map(|said| said.clone()).unwrap_or_default();
            let _ = speech::answer(control, frame(PANIC, 0), said.as_bytes());
            // What the module left half done is nobody's foundation.
            setns::exit(101)
        }
    }
}

const fn frame(kind: u32, code: i32) -> Frame {
    Frame { kind, a: 0, b: 0, errno: code }
}
