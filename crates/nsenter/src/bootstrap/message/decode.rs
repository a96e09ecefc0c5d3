//! Bytes to values. Nothing is believed: every length is held against what is there.
//!
//! Called by stage 0 with what came through the init pipe, and by the fuzzer with anything.

use super::{
    Attribute, Bootstrap, HEADER_LEN, INIT_MSG, Kind, MAX_MESSAGE, MessageError, aligned, last_attribute,
    text,
};
use crate::bootstrap::Release;

type Result<T> = std::result::Result<T, MessageError>;

/// The netlink header, of which only the length and the type mean anything here.
///
/// ```
/// use cofferdam_nsenter::bootstrap::message::Header;
/// let mut bytes = [0; 16];
/// bytes[..4].copy_from_slice(&40u32.to_ne_bytes());
/// bytes[4..6].copy_from_slice(&62000u16.to_ne_bytes());
/// assert_eq!(Header::decode(&bytes).unwrap().payload(), 24);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    length: u32,
}

impl Header {
    /// Reads the header.
    ///
    /// # Errors
    /// Another type of message, a length that no message has.
    ///
    /// ```
    /// use cofferdam_nsenter::bootstrap::message::Header;
    /// assert!(Header::decode(&[0xff; 16]).is_err());
    /// ```
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self> {
        let [a, b, c, d, e, f, ..] = *bytes;
        let length = u32::from_ne_bytes([a, b, c, d]);
        let said = usize::try_from(length).unwrap_or(usize::MAX);
        if said < HEADER_LEN {
            return Err(MessageError::Length { said: length, is: HEADER_LEN });
        }
        match u16::from_ne_bytes([e, f]) {
            INIT_MSG if said > MAX_MESSAGE => Err(MessageError::TooLong(length)),
            INIT_MSG => Ok(Self { length }),
            other => Err(MessageError::Type(other)),
        }
    }

    /// How many bytes of attributes follow.
    ///
    /// ```
    /// # use cofferdam_nsenter::bootstrap::{Release, message::*};
    /// # let bytes = encode(&Bootstrap::default(), Release::Current).unwrap();
    /// let header = Header::decode(bytes.first_chunk().unwrap()).unwrap();
    /// assert_eq!(header.payload(), bytes.len() - 16);
    /// ```
    #[must_use]
    pub fn payload(self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX).saturating_sub(HEADER_LEN)
    }
}

/// Understands a whole message.
///
/// # Errors
/// [`MessageError`], for the first thing that is not as the layout says: nothing is skipped or guessed.
///
/// ```
/// use cofferdam_nsenter::bootstrap::{Release, message};
/// let mut bytes = message::encode(&message::Bootstrap::default(), Release::Current).unwrap();
/// bytes[16] = 200; // the first attribute's length
/// let error = message::decode(&bytes, Release::Current).unwrap_err();
/// assert_eq!(error.to_string(), "at byte 16: attribute 27281 says 200 bytes, from 4 to 16 are possible");
/// ```
pub fn decode(bytes: &[u8], release: Release) -> Result<Bootstrap> {
    let header = bytes.first_chunk().ok_or(MessageError::ShortHeader(bytes.len()))?;
    let header = Header::decode(header)?;
    if header.payload() != bytes.len() - HEADER_LEN {
        return Err(MessageError::Length { said: header.length, is: bytes.len() });
    }
    let mut reader = Reader { bytes, at: HEADER_LEN, last: last_attribute(release) };
    let mut bootstrap = Bootstrap::default();
    let mut seen = Vec::new();
    while let Some((attribute, payload)) = reader.next()? {
        if seen.contains(&attribute) {
            return Err(MessageError::Repeated(attribute));
        }
        seen.push(attribute);
        take(&mut bootstrap, attribute, payload)?;
    }
    Ok(bootstrap)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    last: Attribute,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Attribute, &'a [u8])>> {
        let (at, rest) = (self.at, self.bytes.get(self.at..).unwrap_or_default());
        if rest.is_empty() {
            return Ok(None);
        }
        let Some([a, b, c, d]) = rest.first_chunk() else {
            return Err(MessageError::ShortAttribute { at, left: rest.len() });
        };
        let (said, number) = (u16::from_ne_bytes([*a, *b]), u16::from_ne_bytes([*c, *d]));
        let length = usize::from(said);
        // An attribute owns its padding: one without would make the next begin at an odd place, or outside.
        let payload = rest.get(4..length).filter(|_| aligned(length) <= rest.len());
        let payload = payload.ok_or(MessageError::AttributeLength { at, number, said, left: rest.len() })?;
        self.at += aligned(length);
        let attribute = self.known(number).ok_or(MessageError::UnknownAttribute { at, number })?;
        Ok(Some((attribute, payload)))
    }

    fn known(&self, number: u16) -> Option<Attribute> {
        if number == self.last.number() {
            return Some(self.last);
        }
        Attribute::ALL.into_iter().find(|attribute| attribute.number() == number)
    }
}

fn take(b: &mut Bootstrap, attribute: Attribute, payload: &[u8]) -> Result<()> {
    match attribute {
        Attribute::CloneFlags => b.clone_flags = clone_flags(payload)?,
        Attribute::NsPaths => b.namespaces = text::namespaces(attribute, ended(attribute, payload)?)?,
        Attribute::UidMap => b.uid_map = text::id_map(attribute, ended(attribute, payload)?)?,
        Attribute::GidMap => b.gid_map = text::id_map(attribute, ended(attribute, payload)?)?,
        Attribute::Setgroup => b.setgroups = flag(attribute, payload)?,
        Attribute::OomScoreAdj => {
            b.oom_score_adj = Some(text::oom_score_adj(attribute, ended(attribute, payload)?)?);
        }
        Attribute::RootlessEuid => b.rootless = flag(attribute, payload)?,
        Attribute::UidMapPath => b.uid_map_tool = Some(text::path(attribute, ended(attribute, payload)?)?),
        Attribute::GidMapPath => b.gid_map_tool = Some(text::path(attribute, ended(attribute, payload)?)?),
        Attribute::TimeOffsets => b.time_offsets = text::time_offsets(attribute, ended(attribute, payload)?)?,
        Attribute::MountSources => {
            b.mount_sources = text::sources(attribute, without_end(attribute, payload)?)?
        }
    }
    Ok(())
}

fn clone_flags(payload: &[u8]) -> Result<u32> {
    let flags = word(Attribute::CloneFlags, payload)?;
    let known = Kind::ALL.iter().fold(0, |bits, kind| bits | kind.flag());
    match flags & !known {
        0 => Ok(flags),
        _ => Err(MessageError::value(Attribute::CloneFlags, "not the bits of namespaces", payload)),
    }
}

fn flag(attribute: Attribute, payload: &[u8]) -> Result<bool> {
    match word(attribute, payload)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(MessageError::value(attribute, "neither 0 nor 1", payload)),
    }
}

fn word(attribute: Attribute, payload: &[u8]) -> Result<u32> {
    let bytes = payload.try_into().map_err(|_| MessageError::value(attribute, "not four bytes", payload))?;
    Ok(u32::from_ne_bytes(bytes))
}

/// Text ends with its only null byte.
fn ended(attribute: Attribute, payload: &[u8]) -> Result<&[u8]> {
    let text = without_end(attribute, payload)?;
    if text.contains(&0) {
        return Err(MessageError::value(attribute, "a null byte inside", payload));
    }
    Ok(text)
}

fn without_end(attribute: Attribute, payload: &[u8]) -> Result<&[u8]> {
    match payload.split_last() {
        Some((0, text)) => Ok(text),
        _ => Err(MessageError::value(attribute, "no null byte at the end", payload)),
    }
}
