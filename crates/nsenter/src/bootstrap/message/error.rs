//! What can be wrong with a message, in either direction.
//!
//! Returned by `encode` and `decode`; the stages report it through the log pipe.

use std::fmt;

use super::{Attribute, INIT_MSG, MAX_MESSAGE};

/// Why a message could not be written or understood. Offsets count bytes from the message's first.
///
/// ```
/// use cofferdam_nsenter::bootstrap::{Release, message};
/// let error = message::decode(&[0; 16], Release::Current).unwrap_err();
/// assert_eq!(error.to_string(), "the header says 0 bytes, and 16 are there");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// It ends before its header does.
    ShortHeader(usize),
    /// Its type is another: 2 is netlink's error.
    Type(u16),
    /// The header's length is not the message's.
    Length {
        /// What the header says.
        said: u32,
        /// What is there.
        is: usize,
    },
    /// The header's length is more than any message can have.
    TooLong(u32),
    /// Too few bytes are left for an attribute's own header.
    ShortAttribute {
        /// Where it begins.
        at: usize,
        /// How many bytes are left.
        left: usize,
    },
    /// An attribute's length is less than its own header, or more than what is left.
    AttributeLength {
        /// Where it begins.
        at: usize,
        /// Its number.
        number: u16,
        /// What it says.
        said: u16,
        /// How many bytes are left.
        left: usize,
    },
    /// No such attribute in this release of the contract.
    UnknownAttribute {
        /// Where it begins.
        at: usize,
        /// Its number.
        number: u16,
    },
    /// The same attribute twice.
    Repeated(Attribute),
    /// What it holds is not what it must hold.
    Value {
        /// Which.
        attribute: Attribute,
        /// What is wrong with it.
        why: &'static str,
        /// The part that is wrong.
        found: String,
    },
    /// Longer than the 16 bits of an attribute's length can say (CVE-2021-43784).
    Overflow {
        /// Which.
        attribute: Attribute,
        /// Its length with header and null byte.
        length: usize,
    },
}

impl MessageError {
    pub(super) fn value(attribute: Attribute, why: &'static str, found: &[u8]) -> Self {
        Self::Value { attribute, why, found: String::from_utf8_lossy(found).into_owned() }
    }

    /// The attribute that is at fault, where one is.
    ///
    /// ```
    /// use cofferdam_nsenter::bootstrap::message::{Attribute, MessageError};
    /// assert_eq!(MessageError::Repeated(Attribute::UidMap).attribute(), Some(Attribute::UidMap));
    /// assert_eq!(MessageError::Type(2).attribute(), None);
    /// ```
    #[must_use]
    pub const fn attribute(&self) -> Option<Attribute> {
        match self {
            Self::Repeated(a) => Some(*a),
            Self::Value { attribute, .. } | Self::Overflow { attribute, .. } => Some(*attribute),
            _ => None,
        }
    }
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortHeader(is) => write!(f, "{is} bytes are no header of 16"),
            Self::Type(2) => write!(f, "netlink's error message, and not type {INIT_MSG}"),
            Self::Type(number) => write!(f, "message type {number}, and not {INIT_MSG}"),
            Self::Length { said, is } => write!(f, "the header says {said} bytes, and {is} are there"),
            Self::TooLong(said) => write!(f, "the header says {said} bytes, and {MAX_MESSAGE} is the most"),
            Self::ShortAttribute { at, left } => {
                write!(f, "at byte {at}: {left} bytes are no attribute")
            }
            Self::AttributeLength { at, number, said, left } => {
                write!(f, "at byte {at}: attribute {number} says {said} bytes, from 4 to {left} are possible")
            }
            Self::UnknownAttribute { at, number } => write!(f, "at byte {at}: unknown attribute {number}"),
            Self::Repeated(attribute) => write!(f, "{} twice", attribute.name()),
            Self::Value { attribute, why, found } => write!(f, "{}: {why}: {found:?}", attribute.name()),
            Self::Overflow { attribute, length } => {
                write!(f, "{}: {length} bytes do not fit into an attribute of 65535", attribute.name())
            }
        }
    }
}

impl std::error::Error for MessageError {}
