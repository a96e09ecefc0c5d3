//! Why a conversation with CRIU did not come to its end.

use std::fmt;

use cofferdam_sys::Errno;

/// A failed conversation. What CRIU itself wrote of it stands in its log: [`crate::causes`].
///
/// ```
/// use cofferdam_criu::Error;
/// let error = Error::Refused { errno: 17, message: String::new() };
/// assert_eq!(error.to_string(), "criu failed: file exists (EEXIST)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// It says that it failed, with an error number (0 for none) and perhaps in words.
    Refused {
        /// errno(3).
        errno: i32,
        /// Its words.
        message: String,
    },
    /// It ended, or closed the socket, before it answered.
    Ended,
    /// It said nothing for as long as the caller was willing to wait, in milliseconds.
    Silent(u64),
    /// It said something that is no answer to what was asked.
    Garbled(&'static str),
    /// The socket failed.
    Socket(Errno),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { errno: 0, message } if message.is_empty() => f.write_str("criu failed"),
            Self::Refused { errno: 0, message } => write!(f, "criu failed: {message}"),
            Self::Refused { errno, message } if message.is_empty() => {
                write!(f, "criu failed: {}", Errno(*errno))
            }
            Self::Refused { errno, message } => write!(f, "criu failed: {}: {message}", Errno(*errno)),
            Self::Ended => f.write_str("criu ended before it answered"),
            Self::Silent(ms) => write!(f, "criu said nothing for {ms} ms"),
            Self::Garbled(what) => write!(f, "criu's answer makes no sense: {what}"),
            Self::Socket(errno) => write!(f, "speaking to criu: {errno}"),
        }
    }
}

impl std::error::Error for Error {}
