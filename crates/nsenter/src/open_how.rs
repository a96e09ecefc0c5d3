//! How a path is opened inside: the flags of open(2) that make sense for a descriptor that is handed over.
//!
//! Used by `inside`.

use cofferdam_sys::open;

/// Flags of open(2), as [`std::fs::OpenOptions`] has them. Without any, a path is opened for reading. Nothing
/// that is opened becomes the helper's terminal, and a fifo is not waited for.
///
/// ```
/// use cofferdam_nsenter::Open;
/// let how = Open::read().and_write().create(0o600).no_follow();
/// assert_ne!(how, Open::path());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    flags: u64,
    mode: u32,
    resolve: u64,
}

impl Open {
    /// Exactly so: the arguments of openat2(2), of somebody else's call for example.
    ///
    /// ```
    /// use cofferdam_nsenter::Open;
    /// assert_ne!(Open::exactly(0o2, 0, 8), Open::read());
    /// ```
    #[must_use]
    pub const fn exactly(flags: u64, mode: u32, resolve: u64) -> Self {
        Self { flags, mode, resolve }
    }

    /// For reading.
    #[must_use]
    pub const fn read() -> Self {
        Self { flags: open::O_RDONLY | open::O_NOCTTY | open::O_NONBLOCK, mode: 0, resolve: 0 }
    }

    /// For writing.
    #[must_use]
    pub const fn write() -> Self {
        Self { flags: open::O_WRONLY | open::O_NOCTTY | open::O_NONBLOCK, mode: 0, resolve: 0 }
    }

    /// As a place only (`O_PATH`): nothing is opened that could notice.
    #[must_use]
    pub const fn path() -> Self {
        Self { flags: open::O_PATH, mode: 0, resolve: 0 }
    }

    /// Also for writing.
    #[must_use]
    pub const fn and_write(mut self) -> Self {
        self.flags = self.flags & !3 | open::O_RDWR;
        self
    }

    /// Made where missing, with these permission bits.
    #[must_use]
    pub const fn create(mut self, mode: u32) -> Self {
        self.flags |= open::O_CREAT;
        self.mode = mode;
        self
    }

    /// Emptied.
    #[must_use]
    pub const fn truncate(mut self) -> Self {
        self.flags |= 0o1000;
        self
    }

    /// A directory, or nothing.
    #[must_use]
    pub const fn directory(mut self) -> Self {
        self.flags |= open::O_DIRECTORY;
        self
    }

    /// A symbolic link at the end is not followed.
    #[must_use]
    pub const fn no_follow(mut self) -> Self {
        self.flags |= open::O_NOFOLLOW;
        self
    }

    pub(crate) const fn flags(self) -> u64 {
        self.flags
    }

    pub(crate) const fn resolve(self) -> u64 {
        self.resolve
    }

    pub(crate) const fn permission_bits(self) -> u32 {
        self.mode
    }
}
