//! The attributes that are text: how a value reads as lines, and lines as a value.
//!
//! Called by both directions, and by the stage that writes the same lines into /proc.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Attribute, Clock, IdRange, Kind, MessageError, NamespacePath, TimeOffset};

type Result<T> = std::result::Result<T, MessageError>;

impl fmt::Display for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.inside, self.outside, self.count)
    }
}

impl fmt::Display for TimeOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.clock.name(), self.seconds, self.nanoseconds)
    }
}

/// One line each, as the kernel's files take them.
pub(crate) fn lines<T: fmt::Display>(values: &[T]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

pub(super) fn id_map(attribute: Attribute, bytes: &[u8]) -> Result<Vec<IdRange>> {
    each_line(attribute, bytes, |[inside, outside, count]| {
        Some(IdRange { inside: number(inside)?, outside: number(outside)?, count: number(count)? })
    })
}

pub(super) fn time_offsets(attribute: Attribute, bytes: &[u8]) -> Result<Vec<TimeOffset>> {
    each_line(attribute, bytes, |[clock, seconds, nanoseconds]| {
        let clock = match clock {
            "monotonic" => Clock::Monotonic,
            "boottime" => Clock::Boottime,
            _ => return None,
        };
        let nanoseconds = number(nanoseconds).filter(|n| *n < 1_000_000_000)?;
        Some(TimeOffset { clock, seconds: seconds.parse().ok()?, nanoseconds })
    })
}

pub(super) fn oom_score_adj(attribute: Attribute, bytes: &[u8]) -> Result<i32> {
    str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|value| (-1000..=1000).contains(value))
        .ok_or_else(|| MessageError::value(attribute, "no number from -1000 to 1000", bytes))
}

pub(super) fn path(attribute: Attribute, bytes: &[u8]) -> Result<PathBuf> {
    if bytes.is_empty() {
        return Err(MessageError::value(attribute, "an empty path", bytes));
    }
    Ok(PathBuf::from(OsString::from_vec(bytes.to_vec())))
}

/// `kind:path` with commas between; each kind at most once.
pub(super) fn namespaces(attribute: Attribute, bytes: &[u8]) -> Result<Vec<NamespacePath>> {
    let mut all: Vec<NamespacePath> = Vec::new();
    for part in bytes.split(|byte| *byte == b',') {
        let wrong = |why| MessageError::value(attribute, why, part);
        let colon = part.iter().position(|byte| *byte == b':').ok_or_else(|| wrong("no kind:path"))?;
        let (kind, rest) = part.split_at(colon);
        let kind = str::from_utf8(kind).ok().and_then(Kind::from_name);
        let kind = kind.ok_or_else(|| wrong("an unknown kind of namespace"))?;
        if all.iter().any(|earlier| earlier.kind == kind) {
            return Err(wrong("a second namespace of this kind"));
        }
        all.push(NamespacePath { kind, path: path(attribute, rest.get(1..).unwrap_or_default())? });
    }
    Ok(all)
}

/// Paths that each end with a null byte; an empty one stands for a mount without a source to open.
pub(super) fn sources(attribute: Attribute, bytes: &[u8]) -> Result<Vec<PathBuf>> {
    let mut parts: Vec<_> =
        bytes.split(|byte| *byte == 0).map(|part| PathBuf::from(OsString::from_vec(part.to_vec()))).collect();
    match parts.pop() {
        Some(rest) if !rest.as_os_str().is_empty() => {
            Err(MessageError::value(attribute, "a path without a null byte at its end", bytes))
        }
        _ => Ok(parts),
    }
}

fn each_line<T>(
    attribute: Attribute,
    bytes: &[u8],
    parse: impl Fn([&str; 3]) -> Option<T>,
) -> Result<Vec<T>> {
    let text = str::from_utf8(bytes).map_err(|_| MessageError::value(attribute, "no text", bytes))?;
    text.lines()
        .map(|line| {
            let mut words = line.split(' ');
            let fields = (words.next(), words.next(), words.next(), words.next());
            let (Some(a), Some(b), Some(c), None) = fields else {
                return Err(MessageError::value(attribute, "no three words", line.as_bytes()));
            };
            parse([a, b, c]).ok_or_else(|| MessageError::value(attribute, "no such values", line.as_bytes()))
        })
        .collect()
}

/// A decimal number without a sign, which the standard library would let through.
fn number(word: &str) -> Option<u32> {
    u32::from_str(word).ok().filter(|_| !word.starts_with('+'))
}
