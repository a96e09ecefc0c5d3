//! How operations become bytes and are read again: little words, no pointers, no alignment.
//!
//! The library writes with [`Sink`], the child reads with [`Cursor`]. Reading never trusts a length: what
//! does not fit is `None`, and the child reports a corrupt program.

use core::ffi::CStr;

/// Where encoded bytes go: a `Vec` in the library.
pub trait Sink {
    /// Appends bytes.
    fn push(&mut self, bytes: &[u8]);
}

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }
}

/// A value that can be written and read.
///
/// ```
/// use cofferdam_child::wire::{Cursor, Sink, Wire};
/// #[derive(Default)]
/// struct Bytes(Vec<u8>);
/// impl Sink for Bytes {
///     fn push(&mut self, bytes: &[u8]) {
///         self.0.extend_from_slice(bytes);
///     }
/// }
/// let mut bytes = Bytes::default();
/// 7u32.put(&mut bytes);
/// c"seven".put(&mut bytes);
/// let mut cursor = Cursor(&bytes.0);
/// assert_eq!((u32::take(&mut cursor), <&std::ffi::CStr>::take(&mut cursor)), (Some(7), Some(c"seven")));
/// assert_eq!(u32::take(&mut cursor), None);
/// ```
pub trait Wire<'a>: Sized {
    /// Writes it.
    fn put(&self, out: &mut dyn Sink);
    /// Reads it.
    fn take(from: &mut Cursor<'a>) -> Option<Self>;
}

macro_rules! number {
    ($($t:ty)*) => { $(impl<'a> Wire<'a> for $t {
        fn put(&self, out: &mut dyn Sink) {
            out.push(&self.to_ne_bytes());
        }
        fn take(from: &mut Cursor<'a>) -> Option<Self> {
            from.take(size_of::<Self>())?.first_chunk().map(|b| Self::from_ne_bytes(*b))
        }
    })* };
}
number!(u16 u32 u64 i32);

impl<'a> Wire<'a> for bool {
    fn put(&self, out: &mut dyn Sink) {
        out.push(&[u8::from(*self)]);
    }
    fn take(from: &mut Cursor<'a>) -> Option<Self> {
        from.take(1)?.first().map(|b| *b != 0)
    }
}

impl<'a> Wire<'a> for &'a [u8] {
    fn put(&self, out: &mut dyn Sink) {
        u64::try_from(self.len()).unwrap_or(u64::MAX).put(out);
        out.push(self);
    }
    fn take(from: &mut Cursor<'a>) -> Option<Self> {
        let n = usize::try_from(u64::take(from)?).ok()?;
        from.take(n)
    }
}

impl<'a> Wire<'a> for &'a CStr {
    fn put(&self, out: &mut dyn Sink) {
        self.to_bytes_with_nul().put(out);
    }
    fn take(from: &mut Cursor<'a>) -> Option<Self> {
        CStr::from_bytes_with_nul(<&[u8]>::take(from)?).ok()
    }
}

/// Several null-terminated strings, one after the other.
///
/// ```
/// use cofferdam_child::wire::List;
/// let list = List::new(b"a\0bc\0");
/// assert_eq!(list.count(), 2);
/// assert_eq!(list.iter().last(), Some(c"bc"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct List<'a>(&'a [u8]);

impl<'a> List<'a> {
    /// The strings' bytes, each with its terminator.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The strings.
    pub fn iter(self) -> impl Iterator<Item = &'a CStr> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let s = CStr::from_bytes_until_nul(rest).ok()?;
            rest = rest.get(s.to_bytes_with_nul().len()..)?;
            Some(s)
        })
    }

    /// How many.
    #[must_use]
    pub fn count(self) -> usize {
        self.0.iter().filter(|b| **b == 0).count()
    }
}

impl<'a> Wire<'a> for List<'a> {
    fn put(&self, out: &mut dyn Sink) {
        self.0.put(out);
    }
    fn take(from: &mut Cursor<'a>) -> Option<Self> {
        Some(Self(<&[u8]>::take(from)?))
    }
}
