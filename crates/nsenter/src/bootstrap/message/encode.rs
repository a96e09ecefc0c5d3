//! Values to bytes, in the order in which runc writes them.
//!
//! Called by programs that start an init; the tests compare it with what runc itself wrote.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Attribute, Bootstrap, HEADER_LEN, INIT_MSG, Kind, MessageError, NamespacePath, aligned, text};
use crate::bootstrap::Release;

type Result<T> = std::result::Result<T, MessageError>;

/// Bytes of an attribute's header: its length and its number, 16 bits each.
const ATTRIBUTE_HEADER: usize = 4;

/// Writes the message: header, then one attribute after the other, in the machine's byte order.
///
/// # Errors
/// What does not fit into an attribute ([`MessageError::Overflow`], which CVE-2021-43784 let through), or
/// cannot be said in one: a null byte, a comma in a namespace's path, what `release` has no attribute for.
///
/// ```
/// use cofferdam_nsenter::bootstrap::Release;
/// use cofferdam_nsenter::bootstrap::message::{Bootstrap, encode};
/// let long = Bootstrap { uid_map_tool: Some("/x".repeat(40_000).into()), ..Bootstrap::default() };
/// let error = encode(&long, Release::Current).unwrap_err();
/// assert_eq!(error.to_string(), "UIDMAPPATH_ATTR: 80005 bytes do not fit into an attribute of 65535");
/// ```
pub fn encode(bootstrap: &Bootstrap, release: Release) -> Result<Vec<u8>> {
    let mut attributes = Vec::new();
    for (attribute, value) in values(bootstrap, release)? {
        put(&mut attributes, attribute, &value)?;
    }
    // At most MAX_MESSAGE, which fits into 32 bits by far.
    let length = u32::try_from(HEADER_LEN + attributes.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER_LEN + attributes.len());
    message.extend(length.to_ne_bytes());
    message.extend(INIT_MSG.to_ne_bytes());
    // NLM_F_REQUEST, the first in its sequence, from no port: what runc writes; nobody reads it.
    message.extend(1u16.to_ne_bytes());
    message.extend(1u32.to_ne_bytes());
    message.extend(0u32.to_ne_bytes());
    message.extend(attributes);
    Ok(message)
}

/// The attributes that are there, with their payloads.
fn values(b: &Bootstrap, release: Release) -> Result<Vec<(Attribute, Vec<u8>)>> {
    let mut all = vec![(Attribute::CloneFlags, clone_flags(b.clone_flags)?.to_vec())];
    let mut add = |attribute, value: Option<Vec<u8>>| all.extend(value.map(|value| (attribute, value)));
    add(Attribute::NsPaths, namespaces(&b.namespaces)?);
    add(Attribute::UidMapPath, path(Attribute::UidMapPath, b.uid_map_tool.as_deref())?);
    add(Attribute::UidMap, ended(text::lines(&b.uid_map)));
    add(Attribute::GidMap, ended(text::lines(&b.gid_map)));
    add(Attribute::GidMapPath, path(Attribute::GidMapPath, b.gid_map_tool.as_deref())?);
    add(Attribute::Setgroup, b.setgroups.then(|| flag(true)));
    add(Attribute::OomScoreAdj, b.oom_score_adj.and_then(|value| ended(value.to_string())));
    add(Attribute::RootlessEuid, Some(flag(b.rootless)));
    add(Attribute::TimeOffsets, ended(text::lines(&b.time_offsets)));
    add(Attribute::MountSources, sources(&b.mount_sources)?);
    let last = super::last_attribute(release);
    for (attribute, _) in &all {
        if attribute.number() == last.number() && *attribute != last {
            return Err(MessageError::value(*attribute, "no attribute of this release", b""));
        }
    }
    Ok(all)
}

fn put(into: &mut Vec<u8>, attribute: Attribute, value: &[u8]) -> Result<()> {
    let length = ATTRIBUTE_HEADER + value.len();
    let said = u16::try_from(length).map_err(|_| MessageError::Overflow { attribute, length })?;
    into.extend(said.to_ne_bytes());
    into.extend(attribute.number().to_ne_bytes());
    into.extend(value);
    into.resize(aligned(into.len()), 0);
    Ok(())
}

fn clone_flags(flags: u32) -> Result<[u8; 4]> {
    let known = Kind::ALL.iter().fold(0, |bits, kind| bits | kind.flag());
    match flags & !known {
        0 => Ok(flags.to_ne_bytes()),
        other => {
            let found = format!("{other:#x}");
            Err(MessageError::value(Attribute::CloneFlags, "not the bits of namespaces", found.as_bytes()))
        }
    }
}

fn flag(on: bool) -> Vec<u8> {
    u32::from(on).to_ne_bytes().to_vec()
}

/// Text with its null byte; nothing for no text.
fn ended(text: String) -> Option<Vec<u8>> {
    (!text.is_empty()).then(|| [text.as_bytes(), b"\0"].concat())
}

fn path(attribute: Attribute, path: Option<&Path>) -> Result<Option<Vec<u8>>> {
    let Some(bytes) = path.map(|path| path.as_os_str().as_bytes()) else { return Ok(None) };
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(MessageError::value(attribute, "an empty path, or a null byte in it", bytes));
    }
    Ok(Some([bytes, b"\0"].concat()))
}

fn namespaces(all: &[NamespacePath]) -> Result<Option<Vec<u8>>> {
    let attribute = Attribute::NsPaths;
    let mut joined: Vec<u8> = Vec::new();
    for (i, namespace) in all.iter().enumerate() {
        let bytes = namespace.path.as_os_str().as_bytes();
        if bytes.is_empty() || bytes.contains(&0) || bytes.contains(&b',') {
            return Err(MessageError::value(
                attribute,
                "an empty path, or a comma or null byte in it",
                bytes,
            ));
        }
        if all.iter().take(i).any(|earlier| earlier.kind == namespace.kind) {
            return Err(MessageError::value(attribute, "a second namespace of this kind", bytes));
        }
        if i > 0 {
            joined.push(b',');
        }
        joined.extend(namespace.kind.name().as_bytes());
        joined.push(b':');
        joined.extend(bytes);
    }
    Ok((!all.is_empty()).then(|| [&joined, b"\0".as_slice()].concat()))
}

fn sources(all: &[std::path::PathBuf]) -> Result<Option<Vec<u8>>> {
    let mut joined = Vec::new();
    for source in all {
        let bytes = source.as_os_str().as_bytes();
        if bytes.contains(&0) {
            return Err(MessageError::value(Attribute::MountSources, "a null byte in a path", bytes));
        }
        joined.extend(bytes);
        joined.push(0);
    }
    joined.push(0);
    Ok((!all.is_empty()).then_some(joined))
}
