//! Whose fault a failed system call is, as far as its number tells.
//!
//! Called by [`super::Error::kind`]. Computes only.

use cofferdam_sys::Errno;

use super::ErrorKind;

/// What a host is short of: a feature, a right, memory, descriptors, room.
const LACKS: &[Errno] = &[
    Errno::ENOSYS,
    Errno::EOPNOTSUPP,
    Errno::EAFNOSUPPORT,
    Errno::EPROTONOSUPPORT,
    Errno::EPERM,
    Errno::EACCES,
    Errno::ENOMEM,
    Errno::ENOSPC,
    Errno::EDQUOT,
    Errno::EMFILE,
    Errno::ENFILE,
    Errno::EAGAIN,
    Errno::EUSERS,
];

/// What the kernel says of a name or a value that somebody gave.
const MISTAKES: &[Errno] = &[
    Errno::ENOENT,
    Errno::ENOTDIR,
    Errno::EISDIR,
    Errno::EEXIST,
    Errno::ELOOP,
    Errno::ENAMETOOLONG,
    Errno::EINVAL,
    Errno::ERANGE,
    Errno::ENODEV,
    Errno::ENXIO,
    Errno::ENOTBLK,
];

/// `asked`: a field of the configuration is why the call was made.
pub(super) fn of(errno: Errno, asked: bool) -> ErrorKind {
    if LACKS.contains(&errno) {
        ErrorKind::Host
    } else if asked && MISTAKES.contains(&errno) {
        ErrorKind::Configuration
    } else {
        ErrorKind::System
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_field_tell_whose_fault_it_is() {
        assert_eq!(of(Errno::ENOSYS, true), ErrorKind::Host);
        assert_eq!(of(Errno::EPERM, false), ErrorKind::Host);
        assert_eq!(of(Errno::ENOENT, true), ErrorKind::Configuration);
        assert_eq!(of(Errno::ENOENT, false), ErrorKind::System);
        assert_eq!(of(Errno::EIO, true), ErrorKind::System);
    }
}
