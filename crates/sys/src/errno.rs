//! Error numbers and their names. See errno(3).

use core::fmt;

/// A kernel's error number.
///
/// ```
/// use cofferdam_sys::Errno;
/// assert_eq!(Errno::ENOENT.name(), "ENOENT");
/// assert_eq!(Errno(9999).name(), "E?");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// Its name in capital letters, as in the man pages.
    #[must_use]
    pub fn name(self) -> &'static str {
        lookup(self.0).map_or("E?", |(name, _)| name)
    }

    /// What strerror(3) says, in lower case.
    #[must_use]
    pub fn text(self) -> &'static str {
        lookup(self.0).map_or("unknown error", |(_, text)| text)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.name())
    }
}

macro_rules! errnos {
    ($($name:ident $number:literal $text:literal)*) => {
        #[allow(missing_docs)]
        impl Errno { $(pub const $name: Self = Self($number);)* }

        fn lookup(number: i32) -> Option<(&'static str, &'static str)> {
            match number { $($number => Some((stringify!($name), $text)),)* _ => None }
        }
    };
}

errnos! {
    EPERM 1 "operation not permitted"
    ENOENT 2 "no such file or directory"
    ESRCH 3 "no such process"
    EINTR 4 "interrupted system call"
    EIO 5 "input/output error"
    ENXIO 6 "no such device or address"
    E2BIG 7 "argument list too long"
    ENOEXEC 8 "exec format error"
    EBADF 9 "bad file descriptor"
    ECHILD 10 "no child processes"
    EAGAIN 11 "resource temporarily unavailable"
    ENOMEM 12 "cannot allocate memory"
    EACCES 13 "permission denied"
    EFAULT 14 "bad address"
    ENOTBLK 15 "block device required"
    EBUSY 16 "device or resource busy"
    EEXIST 17 "file exists"
    EXDEV 18 "invalid cross-device link"
    ENODEV 19 "no such device"
    ENOTDIR 20 "not a directory"
    EISDIR 21 "is a directory"
    EINVAL 22 "invalid argument"
    ENFILE 23 "too many open files in system"
    EMFILE 24 "too many open files"
    ENOTTY 25 "inappropriate ioctl for device"
    ETXTBSY 26 "text file busy"
    EFBIG 27 "file too large"
    ENOSPC 28 "no space left on device"
    ESPIPE 29 "illegal seek"
    EROFS 30 "read-only file system"
    EMLINK 31 "too many links"
    EPIPE 32 "broken pipe"
    EDOM 33 "numerical argument out of domain"
    ERANGE 34 "numerical result out of range"
    EDEADLK 35 "resource deadlock avoided"
    ENAMETOOLONG 36 "file name too long"
    ENOLCK 37 "no locks available"
    ENOSYS 38 "function not implemented"
    ENOTEMPTY 39 "directory not empty"
    ELOOP 40 "too many levels of symbolic links"
    ENODATA 61 "no data available"
    ETIME 62 "timer expired"
    EPROTO 71 "protocol error"
    EBADMSG 74 "bad message"
    EOVERFLOW 75 "value too large for defined data type"
    EUSERS 87 "too many users"
    ENOTSOCK 88 "socket operation on non-socket"
    EDESTADDRREQ 89 "destination address required"
    EMSGSIZE 90 "message too long"
    EPROTOTYPE 91 "protocol wrong type for socket"
    ENOPROTOOPT 92 "protocol not available"
    EPROTONOSUPPORT 93 "protocol not supported"
    ESOCKTNOSUPPORT 94 "socket type not supported"
    EOPNOTSUPP 95 "operation not supported"
    EAFNOSUPPORT 97 "address family not supported by protocol"
    EADDRINUSE 98 "address already in use"
    EADDRNOTAVAIL 99 "cannot assign requested address"
    ENETDOWN 100 "network is down"
    ENETUNREACH 101 "network is unreachable"
    ECONNRESET 104 "connection reset by peer"
    ENOBUFS 105 "no buffer space available"
    ENOTCONN 107 "transport endpoint is not connected"
    ETIMEDOUT 110 "connection timed out"
    ECONNREFUSED 111 "connection refused"
    EHOSTUNREACH 113 "no route to host"
    EALREADY 114 "operation already in progress"
    EINPROGRESS 115 "operation now in progress"
    ESTALE 116 "stale file handle"
    EUCLEAN 117 "structure needs cleaning"
    EDQUOT 122 "disk quota exceeded"
    ENOKEY 126 "required key not available"
}
