//! The caller's memory: hostile, shared with its other threads, and gone at any moment.
//!
//! Handed to the closure of [`crate::Request::read`], and to nobody else. Everything is read once, into a value
//! of our own, with a bound; nothing that is read twice could be relied on to be the same.

use std::ffi::CString;

use cofferdam_sys::{Errno, process_vm_readv};

use crate::{Error, Result};

/// Longest path that the kernel takes, with its null (`PATH_MAX`).
pub const PATH_MAX: usize = 4096;
/// Most bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// A view of the caller's memory while its call is held up.
///
/// ```no_run
/// # fn f(request: cofferdam_notify::Request) -> cofferdam_notify::Result<()> {
/// let [source, target, ..] = request.args();
/// let (source, target) = request.read(|memory| {
///     Ok((memory.optional(source, |at| memory.path(at))?, memory.path(target)?))
/// })?;
/// println!("{source:?} at {target:?}");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Memory {
    pid: i32,
    wide: bool,
}

impl Memory {
    pub(crate) const fn new(pid: i32, wide: bool) -> Self {
        Self { pid, wide }
    }

    /// What is there, at most `limit` bytes; less where it ends before.
    ///
    /// # Errors
    /// [`Error::Memory`] when there is nothing at all.
    pub fn up_to(&self, address: u64, limit: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < limit {
            let (had, step) = (bytes.len(), limit.saturating_sub(bytes.len()).min(CHUNK));
            let at = address.checked_add(had as u64).ok_or_else(|| fault(address))?;
            bytes.resize(had.saturating_add(step), 0);
            let read = process_vm_readv::read(self.pid, at, bytes.get_mut(had..).unwrap_or_default());
            match read {
                Ok(n) => bytes.truncate(had.saturating_add(n)),
                Err(Errno::EFAULT) => bytes.truncate(had),
                Err(Errno::ESRCH) => return Err(Error::Gone),
                Err(errno) => return Err(Error::System { doing: "reading the caller's memory", errno }),
            }
            if bytes.len() < had.saturating_add(step) {
                break;
            }
        }
        if bytes.is_empty() && limit > 0 { Err(fault(address)) } else { Ok(bytes) }
    }

    /// Exactly so many bytes.
    ///
    /// # Errors
    /// [`Error::Memory`] when they are not all there.
    pub fn bytes(&self, address: u64, len: usize) -> Result<Vec<u8>> {
        let bytes = self.up_to(address, len)?;
        if bytes.len() == len { Ok(bytes) } else { Err(fault(address)) }
    }

    /// As many bytes as the caller says, if they are no more than `limit`.
    ///
    /// # Errors
    /// [`Error::TooLong`] (`EINVAL`) beyond it; as [`Memory::bytes`].
    pub fn counted(&self, address: u64, len: u64, limit: usize) -> Result<Vec<u8>> {
        match usize::try_from(len) {
            Ok(len) if len <= limit => self.bytes(address, len),
            _ => Err(Error::TooLong { limit, errno: Errno::EINVAL }),
        }
    }

    /// A null-terminated string of at most `limit` bytes, the null among them.
    ///
    /// # Errors
    /// [`Error::TooLong`] (`ENAMETOOLONG`) when there is no null, [`Error::Memory`] when memory ends first.
    pub fn string(&self, address: u64, limit: usize) -> Result<CString> {
        // Most are short: the second read, of the rest, is rare.
        const FIRST: usize = 256;
        let mut bytes = self.up_to(address, limit.min(FIRST))?;
        if bytes.len() == FIRST && limit > FIRST && !bytes.contains(&0) {
            let rest = address.checked_add(FIRST as u64).ok_or_else(|| fault(address))?;
            bytes.extend(self.up_to(rest, limit.saturating_sub(FIRST))?);
        }
        match bytes.iter().position(|byte| *byte == 0) {
            Some(end) => {
                bytes.truncate(end);
                CString::new(bytes).map_err(|_| Error::malformed("a string"))
            }
            None if bytes.len() >= limit => Err(Error::TooLong { limit, errno: Errno::ENAMETOOLONG }),
            None => Err(fault(address)),
        }
    }

    /// A path, of at most [`PATH_MAX`] bytes.
    ///
    /// # Errors
    /// As [`Memory::string`].
    pub fn path(&self, address: u64) -> Result<CString> {
        self.string(address, PATH_MAX)
    }

    /// Nothing at a null pointer, else what `read` reads.
    ///
    /// # Errors
    /// As `read`.
    pub fn optional<T>(&self, address: u64, read: impl FnOnce(u64) -> Result<T>) -> Result<Option<T>> {
        if address == 0 { Ok(None) } else { read(address).map(Some) }
    }

    /// A number of 32 bits.
    ///
    /// # Errors
    /// As [`Memory::bytes`].
    pub fn u32(&self, address: u64) -> Result<u32> {
        let bytes = self.bytes(address, 4)?;
        bytes.first_chunk().map(|word| u32::from_ne_bytes(*word)).ok_or_else(|| fault(address))
    }

    /// A number of 64 bits.
    ///
    /// # Errors
    /// As [`Memory::bytes`].
    pub fn u64(&self, address: u64) -> Result<u64> {
        let bytes = self.bytes(address, 8)?;
        bytes.first_chunk().map(|word| u64::from_ne_bytes(*word)).ok_or_else(|| fault(address))
    }

    /// So many addresses (or `long`s), as wide as they are in the caller's ABI.
    ///
    /// # Errors
    /// As [`Memory::bytes`].
    pub fn words(&self, address: u64, count: usize) -> Result<Vec<u64>> {
        let bytes = self.bytes(address, count.saturating_mul(self.word()))?;
        Ok(bytes.chunks_exact(self.word()).map(number).collect())
    }

    /// An array of strings that ends with a null pointer (`argv`): at most `count` of at most `limit` bytes
    /// together.
    ///
    /// # Errors
    /// [`Error::TooLong`] (`E2BIG`) beyond either; as [`Memory::string`].
    pub fn strings(&self, address: u64, count: usize, limit: usize) -> Result<Vec<CString>> {
        let too_long = |limit| Error::TooLong { limit, errno: Errno::E2BIG };
        let (mut strings, mut left) = (Vec::new(), limit);
        let mut at = address;
        loop {
            let word = self.words(at, 1)?.first().copied().unwrap_or(0);
            if word == 0 {
                return Ok(strings);
            }
            if strings.len() >= count || left == 0 {
                return Err(too_long(count));
            }
            let string = self.string(word, left).map_err(|e| match e {
                Error::TooLong { .. } => too_long(limit),
                e => e,
            })?;
            left = left.saturating_sub(string.as_bytes_with_nul().len());
            strings.push(string);
            at = at.checked_add(self.word() as u64).ok_or_else(|| fault(address))?;
        }
    }

    /// A structure that grows with kernel versions, of the size that the caller says: as many words of 64 bits
    /// as are known here, absent ones zero (openat2(2), "Extensibility").
    ///
    /// # Errors
    /// [`Error::TooLong`] (`E2BIG`) when words that are not known here are not zero, or it is larger than a page;
    /// as [`Memory::bytes`].
    pub fn structure<const WORDS: usize>(&self, address: u64, size: u64) -> Result<[u64; WORDS]> {
        const LARGEST: usize = 4096;
        let too_big = || Error::TooLong { limit: WORDS.saturating_mul(8), errno: Errno::E2BIG };
        let size = usize::try_from(size).ok().filter(|size| *size <= LARGEST).ok_or_else(too_big)?;
        let mut bytes = self.bytes(address, size)?;
        let known = WORDS.saturating_mul(8);
        if bytes.get(known..).is_some_and(|rest| rest.iter().any(|byte| *byte != 0)) {
            return Err(too_big());
        }
        bytes.resize(known, 0);
        let mut words = [0; WORDS];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = number(chunk);
        }
        Ok(words)
    }

    const fn word(&self) -> usize {
        if self.wide { 8 } else { 4 }
    }
}

fn number(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<8>(), bytes.first_chunk::<4>()) {
        (Some(wide), _) => u64::from_ne_bytes(*wide),
        (None, Some(narrow)) => u32::from_ne_bytes(*narrow).into(),
        (None, None) => 0,
    }
}

fn fault(address: u64) -> Error {
    Error::Memory { address, errno: Errno::EFAULT }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mine() -> Memory {
        Memory::new(i32::try_from(std::process::id()).unwrap(), true)
    }

    fn at<T: ?Sized>(there: &T) -> u64 {
        std::ptr::from_ref(there).cast::<u8>().addr() as u64
    }

    #[test]
    fn a_string_is_read_to_its_null_and_no_further() {
        let long = [vec![b'a'; 5000], vec![0, b'x']].concat();
        assert_eq!(mine().string(at(&long[0]), 6000).unwrap().as_bytes().len(), 5000);
        assert_eq!(mine().path(at(&long[905])).unwrap().as_bytes().len(), 4095);
        let e = mine().path(at(&long[904])).unwrap_err();
        assert_eq!(e.for_caller(), Some(Errno::ENAMETOOLONG));
        assert_eq!(mine().path(at(&long[5000])).unwrap().as_bytes(), b"");
    }

    #[test]
    fn an_address_that_is_not_there_is_the_callers_mistake() {
        for address in [0, 8, u64::MAX, u64::MAX - 4096, 1 << 63] {
            assert_eq!(mine().path(address).unwrap_err().for_caller(), Some(Errno::EFAULT), "{address:#x}");
            assert_eq!(mine().u64(address).unwrap_err().for_caller(), Some(Errno::EFAULT), "{address:#x}");
        }
        assert_eq!(mine().optional(0, |a| mine().path(a)).unwrap(), None);
    }

    #[test]
    fn a_structure_may_be_older_or_newer_but_say_nothing_unknown() {
        let there = [1u64, 2, 3, 0, 7];
        assert_eq!(mine().structure::<3>(at(&there), 16).unwrap(), [1, 2, 0]);
        assert_eq!(mine().structure::<3>(at(&there), 32).unwrap(), [1, 2, 3]);
        let e = mine().structure::<3>(at(&there), 40).unwrap_err();
        assert_eq!(e.for_caller(), Some(Errno::E2BIG));
        assert!(mine().structure::<3>(at(&there), 1 << 40).is_err());
    }

    #[test]
    fn arguments_are_counted_and_bounded() {
        let (a, b) = (c"ls", c"-l");
        let argv = [a.as_ptr().addr() as u64, b.as_ptr().addr() as u64, 0];
        assert_eq!(mine().strings(at(&argv), 2, 100).unwrap(), [a, b]);
        for (count, limit) in [(1, 100), (2, 5)] {
            let e = mine().strings(at(&argv), count, limit).unwrap_err();
            assert_eq!(e.for_caller(), Some(Errno::E2BIG));
        }
    }

    #[test]
    fn narrow_words_are_four_bytes() {
        let there = [1u32, 2, 3];
        let narrow = Memory { wide: false, ..mine() };
        assert_eq!(narrow.words(at(&there), 3).unwrap(), [1, 2, 3]);
    }
}
