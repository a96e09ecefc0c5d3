//! Answers: what the caller's system call returns, or why it is made after all.
//!
//! Made by handlers; sent by [`crate::Request::answer`], which takes the request with it, so that nobody can be
//! answered twice.

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use cofferdam_sys::Errno;

/// What a caller is told.
///
/// ```
/// use cofferdam_notify::{Answer, Continue, Errno};
/// let refused = Answer::Errno(Errno::EPERM);
/// let done = Answer::Value(0);
/// let yours = Answer::Continue(Continue::because("its arguments are numbers, and the kernel checks them"));
/// println!("{refused:?} {done:?} {yours:?}");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// The call fails with this error. Numbers that are no error's (outside 1 to 4095) become `EIO`.
    Errno(Errno),
    /// The call returns this. From -4095 to -1 it would be taken for an error.
    Value(i64),
    /// The kernel makes the call, as if nothing had been asked (Linux 5.5). See [`Continue`].
    Continue(Continue),
    /// The caller gets a descriptor, whose number there the call returns.
    Descriptor(Descriptor),
    /// The answer in it, so much later. The caller waits; a worker of [`crate::Service`] does not.
    After(Duration, Box<Answer>),
}

impl Answer {
    /// So much later.
    ///
    /// ```
    /// use cofferdam_notify::{Answer, Errno};
    /// let late = Answer::Errno(Errno::EAGAIN).after(std::time::Duration::from_secs(1));
    /// assert!(matches!(late, Answer::After(..)));
    /// ```
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self::After(delay, Box::new(self))
    }

    /// As [`Answer::Continue`]; the argument is [`Continue::because`]'s.
    #[must_use]
    pub fn proceed(because: impl Into<Cow<'static, str>>) -> Self {
        Self::Continue(Continue::because(because))
    }

    /// As [`Answer::Descriptor`], closed on execve(2) when `cloexec` says so.
    #[must_use]
    pub fn descriptor(fd: OwnedFd, cloexec: bool) -> Self {
        Self::Descriptor(Descriptor { fd, cloexec, at: None })
    }
}

/// The reason why a call may go on, in words, for the audit log and for whoever reads the code.
///
/// A call that continues is decoded again by the kernel. Whatever its arguments *point to* may have been
/// changed by another thread since it was looked at; so a check of a path, an address or a structure proves
/// nothing. What is safe: calls that are allowed whatever they point to, and checks of arguments that are
/// numbers, which are the kernel's own copy. The kernel's own checks (rights, other rules) still apply.
///
/// ```
/// use cofferdam_notify::Continue;
/// let why = Continue::because("setpriority takes numbers only");
/// assert!(why.reason().starts_with("setpriority"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continue(Cow<'static, str>);

impl Continue {
    /// Why it is safe.
    #[must_use]
    pub fn because(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }

    /// The words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0
    }
}

/// A descriptor for the caller.
///
/// ```
/// use cofferdam_notify::Descriptor;
/// let null = std::fs::File::open("/dev/null")?;
/// let standard_input = Descriptor::new(null.into()).at(0);
/// # drop(standard_input);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Descriptor {
    pub(crate) fd: OwnedFd,
    pub(crate) cloexec: bool,
    pub(crate) at: Option<u32>,
}

impl Descriptor {
    /// At the lowest free number, closed on execve(2).
    #[must_use]
    pub const fn new(fd: OwnedFd) -> Self {
        Self { fd, cloexec: true, at: None }
    }

    /// At this number, whatever was there before, as dup2(2) does.
    #[must_use]
    pub const fn at(mut self, number: u32) -> Self {
        self.at = Some(number);
        self
    }

    /// Stays open on execve(2).
    #[must_use]
    pub const fn kept_on_exec(mut self) -> Self {
        self.cloexec = false;
        self
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
