//! Reading a document from bytes, with a size limit and a pointer in the error.
//!
//! Called by the library for config.json and process.json and by the command line for `update -r`.
//! It may not open files.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use std::fmt;

use crate::{Pointer, Spec, locate};

/// The largest document that is read, in bytes. Real ones are some ten kilobytes; the largest seen
/// (a thousand mounts, a full seccomp profile) is below one megabyte.
///
/// ```
/// assert_eq!(cofferdam_oci::MAX_DOCUMENT, 16 << 20);
/// ```
pub const MAX_DOCUMENT: usize = 16 << 20;

/// Why a document could not be read.
///
/// ```
/// let error: cofferdam_oci::ReadError = cofferdam_oci::parse_spec(b"{").unwrap_err();
/// assert!(error.to_string().contains("EOF"), "{error}");
/// ```
#[derive(Debug)]
pub struct ReadError {
    /// The innermost member that was being read.
    pub pointer: Pointer,
    /// What the parser says, with line and column.
    pub message: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.as_str().is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.pointer, self.message)
        }
    }
}

impl std::error::Error for ReadError {}

/// Reads a `config.json`.
///
/// # Errors
/// When it is over [`MAX_DOCUMENT`], not JSON, or a member has another type than the specification's.
///
/// ```
/// let e = cofferdam_oci::parse_spec(br#"{"ociVersion":"1.3.0","process":{"user":{"uid":-1}}}"#).unwrap_err();
/// assert_eq!(e.pointer.as_str(), "/process/user/uid");
/// ```
pub fn parse_spec(bytes: &[u8]) -> Result<Spec, ReadError> {
    parse(bytes)
}

/// Reads any document of this crate; see [`parse_spec`].
///
/// # Errors
/// As [`parse_spec`].
///
/// ```
/// let p: cofferdam_oci::Process = cofferdam_oci::parse(br#"{"cwd":"/"}"#).unwrap();
/// assert_eq!(p.cwd, "/");
/// ```
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ReadError> {
    if bytes.len() > MAX_DOCUMENT {
        let message = format!("{} bytes; at most {MAX_DOCUMENT} are read", bytes.len());
        return Err(ReadError { pointer: Pointer::root(), message });
    }
    serde_json::from_slice(bytes).map_err(|e| {
        let end = locate::offset(bytes, e.line(), e.column());
        // Where it is not JSON at all, the last byte is the one that should not be there.
        let end = if e.is_syntax() { end.saturating_sub(1) } else { end };
        ReadError { pointer: locate::locate(bytes, end), message: e.to_string() }
    })
}

/// `null` counts as the default, as it does for Go.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    d: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
