//! Why something of the network could not be made, moved, asked or removed.
//!
//! Returned by everything public of this crate. It carries what is needed to say it well.

use std::fmt;

use cofferdam_oci::Pointer;
use cofferdam_sys::Errno;

use crate::socket::Refusal;

/// A failure: what we were doing, to what, and what the kernel answered.
///
/// ```
/// use cofferdam_net::move_device;
/// let here = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
/// let error = move_device("no-such-dev", "eth0", &here).unwrap_err();
/// assert_eq!(error.errno, 19); // ENODEV
/// let said = error.to_string();
/// assert!(said.starts_with("moving network device no-such-dev to eth0: finding it: no such device (ENODEV)"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// What we were doing: `moving network device`.
    pub step: &'static str,
    /// To what: `eth0 to wan`.
    pub object: String,
    /// Which part of it failed: `finding it`.
    pub part: String,
    /// The kernel's error number.
    pub errno: i32,
    /// The kernel's own words, where it had any (netlink's extended acknowledgement).
    pub detail: Option<String>,
    /// What to do about it, where that is known.
    pub hint: Option<&'static str>,
    /// Which part of the document asked for it, where a plan did.
    pub pointer: Option<Box<Pointer>>,
}

impl Error {
    /// A part of moving `host_name` that the kernel refused.
    pub(crate) fn new(host_name: &str, name: &str, part: impl Into<String>, refusal: Refusal) -> Self {
        let object = if host_name == name { host_name.to_owned() } else { format!("{host_name} to {name}") };
        let Refusal { errno, said } = refusal;
        let step = "moving network device";
        Self { step, object, part: part.into(), errno, detail: said, hint: None, pointer: None }
    }

    /// Something else that failed: what we were doing, to what, and which part of it.
    pub(crate) fn of(
        step: &'static str,
        object: impl Into<String>,
        part: impl Into<String>,
        Refusal { errno, said }: Refusal,
    ) -> Self {
        Self {
            step,
            object: object.into(),
            part: part.into(),
            errno,
            detail: said,
            hint: None,
            pointer: None,
        }
    }

    /// A question about a network namespace that was not answered.
    pub(crate) fn asking(part: &'static str, Refusal { errno, said }: Refusal) -> Self {
        let (step, object) = ("asking for the network's state", "of the namespace".to_owned());
        Self { step, object, part: part.to_owned(), errno, detail: said, hint: None, pointer: None }
    }

    /// Adds which part of the document asked for it.
    pub(crate) fn for_pointer(mut self, pointer: &Pointer) -> Self {
        self.pointer.get_or_insert_with(|| Box::new(pointer.clone()));
        self
    }

    /// Adds what to do, when the error number is this one.
    pub(crate) fn hint_for(mut self, errno: Errno, hint: &'static str) -> Self {
        if self.errno == errno.0 {
            self.hint = Some(hint);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}: {}", self.step, self.object, self.part, Errno(self.errno))?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail:?}")?;
        }
        if let Some(pointer) = &self.pointer {
            write!(f, ", asked for by {pointer}")?;
        }
        match self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
