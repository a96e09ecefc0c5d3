//! The attributes' numbers and runc's names for them.
//!
//! Called by both directions and by the errors.

/// An attribute of the message. One number, 27290, has had two meanings.
///
/// ```
/// use cofferdam_nsenter::bootstrap::message::Attribute;
/// assert_eq!(Attribute::CloneFlags.number(), 27281);
/// assert_eq!(Attribute::UidMap.name(), "UIDMAP_ATTR");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// Namespaces to make: 32 bits.
    CloneFlags,
    /// Namespaces to join: `kind:path` with commas between.
    NsPaths,
    /// Lines of the user id map.
    UidMap,
    /// Lines of the group id map.
    GidMap,
    /// Whether setgroups(2) is wanted: 32 bits.
    Setgroup,
    /// A decimal number.
    OomScoreAdj,
    /// Whether the caller is not root: 32 bits.
    RootlessEuid,
    /// Path of newuidmap.
    UidMapPath,
    /// Path of newgidmap.
    GidMapPath,
    /// Lines of timens_offsets; since runc 1.2.
    TimeOffsets,
    /// Paths, each ended by a null byte; runc 1.1.
    MountSources,
}

impl Attribute {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::CloneFlags,
        Self::NsPaths,
        Self::UidMap,
        Self::GidMap,
        Self::Setgroup,
        Self::OomScoreAdj,
        Self::RootlessEuid,
        Self::UidMapPath,
        Self::GidMapPath,
        Self::TimeOffsets,
        Self::MountSources,
    ];

    /// Its number in the message.
    ///
    /// ```
    /// use cofferdam_nsenter::bootstrap::message::Attribute;
    /// assert_eq!(Attribute::TimeOffsets.number(), Attribute::MountSources.number());
    /// ```
    #[must_use]
    pub const fn number(self) -> u16 {
        self.row().0
    }

    /// What runc calls it.
    ///
    /// ```
    /// use cofferdam_nsenter::bootstrap::message::Attribute;
    /// assert_eq!(Attribute::NsPaths.name(), "NS_PATHS_ATTR");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().1
    }

    const fn row(self) -> (u16, &'static str) {
        match self {
            Self::CloneFlags => (27281, "CLONE_FLAGS_ATTR"),
            Self::NsPaths => (27282, "NS_PATHS_ATTR"),
            Self::UidMap => (27283, "UIDMAP_ATTR"),
            Self::GidMap => (27284, "GIDMAP_ATTR"),
            Self::Setgroup => (27285, "SETGROUP_ATTR"),
            Self::OomScoreAdj => (27286, "OOM_SCORE_ADJ_ATTR"),
            Self::RootlessEuid => (27287, "ROOTLESS_EUID_ATTR"),
            Self::UidMapPath => (27288, "UIDMAPPATH_ATTR"),
            Self::GidMapPath => (27289, "GIDMAPPATH_ATTR"),
            Self::TimeOffsets => (27290, "TIMENSOFFSET_ATTR"),
            Self::MountSources => (27290, "MOUNT_SOURCES_ATTR"),
        }
    }
}
