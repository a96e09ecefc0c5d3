//! The words of `mounts[].options`: a table, and what a list of them adds up to.
//!
//! Called by `mounts`. Words are those of mount(8), of the specification (`rro`, `idmap`) and of crun
//! (`copy-symlink`, `src-nofollow`); every other word is a parameter of the file system.

use cofferdam_oci::Pointer;

use crate::bits::{
    MOUNT_ATTR_ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY, MOUNT_ATTR_RELATIME,
    MOUNT_ATTR_STRICTATIME, MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE,
};
use crate::findings::Findings;
use crate::fs_param;
use crate::{Attr, FsParam, Propagation};

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// What is the case anyway.
    Nothing,
    /// What the mount API cannot say, without harm.
    NoEffect,
    /// A bind mount, perhaps with what is mounted below.
    Bind { recursive: bool },
    /// Attributes of an existing mount change.
    Remount,
    /// Attributes that are set, here or here and below.
    Set { bits: u64, below: bool },
    /// Attributes that are cleared.
    Clear { bits: u64, below: bool },
    /// One of the values of the access time field.
    Atime { value: u64, below: bool },
    /// A flag of the superblock is given.
    Super(&'static str),
    /// A flag of the superblock is taken back.
    NoSuper(&'static str),
    /// Propagation.
    Propagation { flag: u64, recursive: bool },
    /// `tmpcopyup`.
    CopyUp,
    /// `idmap`, `ridmap`.
    Idmap { recursive: bool },
    /// `copy-symlink`.
    CopySymlink,
    /// `src-nofollow`.
    SourceNofollow,
}

const fn set(bits: u64) -> Word {
    Word::Set { bits, below: false }
}

const fn clear(bits: u64) -> Word {
    Word::Clear { bits, below: false }
}

const fn set_below(bits: u64) -> Word {
    Word::Set { bits, below: true }
}

const fn clear_below(bits: u64) -> Word {
    Word::Clear { bits, below: true }
}

const fn atime(value: u64) -> Word {
    Word::Atime { value, below: false }
}

const fn atime_below(value: u64) -> Word {
    Word::Atime { value, below: true }
}

const fn spread(flag: u64, recursive: bool) -> Word {
    Word::Propagation { flag, recursive }
}

/// Sorted by name, for the binary search and for `features`.
const WORDS: &[(&str, Word)] = &[
    ("async", Word::NoSuper("sync")),
    // Not noatime is relatime: the kernel's default since 2.6.30.
    ("atime", atime(MOUNT_ATTR_RELATIME)),
    ("bind", Word::Bind { recursive: false }),
    ("copy-symlink", Word::CopySymlink),
    ("defaults", Word::Nothing),
    ("dev", clear(MOUNT_ATTR_NODEV)),
    ("diratime", clear(MOUNT_ATTR_NODIRATIME)),
    ("dirsync", Word::Super("dirsync")),
    ("exec", clear(MOUNT_ATTR_NOEXEC)),
    ("idmap", Word::Idmap { recursive: false }),
    // Only filesystems themselves set SB_I_VERSION nowadays; fsconfig(2) has no word for it.
    ("iversion", Word::NoEffect),
    ("lazytime", Word::Super("lazytime")),
    ("loud", Word::Nothing),
    ("mand", Word::Super("mand")),
    ("noatime", atime(MOUNT_ATTR_NOATIME)),
    ("nodev", set(MOUNT_ATTR_NODEV)),
    ("nodiratime", set(MOUNT_ATTR_NODIRATIME)),
    ("noexec", set(MOUNT_ATTR_NOEXEC)),
    ("noiversion", Word::Nothing),
    ("nolazytime", Word::NoSuper("lazytime")),
    ("nomand", Word::NoSuper("mand")),
    // Without relatime and without noatime the kernel takes relatime: mount(8) says the same.
    ("norelatime", Word::Nothing),
    ("nostrictatime", atime(MOUNT_ATTR_RELATIME)),
    ("nosuid", set(MOUNT_ATTR_NOSUID)),
    ("nosymfollow", set(MOUNT_ATTR_NOSYMFOLLOW)),
    ("private", spread(MS_PRIVATE, false)),
    ("ratime", atime_below(MOUNT_ATTR_RELATIME)),
    ("rbind", Word::Bind { recursive: true }),
    ("rdev", clear_below(MOUNT_ATTR_NODEV)),
    ("rdiratime", clear_below(MOUNT_ATTR_NODIRATIME)),
    ("relatime", atime(MOUNT_ATTR_RELATIME)),
    ("remount", Word::Remount),
    ("rexec", clear_below(MOUNT_ATTR_NOEXEC)),
    ("ridmap", Word::Idmap { recursive: true }),
    ("rnoatime", atime_below(MOUNT_ATTR_NOATIME)),
    ("rnodev", set_below(MOUNT_ATTR_NODEV)),
    ("rnodiratime", set_below(MOUNT_ATTR_NODIRATIME)),
    ("rnoexec", set_below(MOUNT_ATTR_NOEXEC)),
    ("rnorelatime", atime_below(MOUNT_ATTR_RELATIME)),
    ("rnostrictatime", atime_below(MOUNT_ATTR_RELATIME)),
    ("rnosuid", set_below(MOUNT_ATTR_NOSUID)),
    ("rnosymfollow", set_below(MOUNT_ATTR_NOSYMFOLLOW)),
    ("ro", set(MOUNT_ATTR_RDONLY)),
    ("rprivate", spread(MS_PRIVATE, true)),
    ("rrelatime", atime_below(MOUNT_ATTR_RELATIME)),
    ("rro", set_below(MOUNT_ATTR_RDONLY)),
    ("rrw", clear_below(MOUNT_ATTR_RDONLY)),
    ("rshared", spread(MS_SHARED, true)),
    ("rslave", spread(MS_SLAVE, true)),
    ("rstrictatime", atime_below(MOUNT_ATTR_STRICTATIME)),
    ("rsuid", clear_below(MOUNT_ATTR_NOSUID)),
    ("rsymfollow", clear_below(MOUNT_ATTR_NOSYMFOLLOW)),
    ("runbindable", spread(MS_UNBINDABLE, true)),
    ("rw", clear(MOUNT_ATTR_RDONLY)),
    ("shared", spread(MS_SHARED, false)),
    // Keeps the kernel's log quiet; nothing else.
    ("silent", Word::Nothing),
    ("slave", spread(MS_SLAVE, false)),
    ("src-nofollow", Word::SourceNofollow),
    ("strictatime", atime(MOUNT_ATTR_STRICTATIME)),
    ("suid", clear(MOUNT_ATTR_NOSUID)),
    ("symfollow", clear(MOUNT_ATTR_NOSYMFOLLOW)),
    ("sync", Word::Super("sync")),
    ("tmpcopyup", Word::CopyUp),
    ("unbindable", spread(MS_UNBINDABLE, false)),
];

/// Options of mounts that mean something to us, sorted; others are parameters of file systems.
///
/// ```
/// assert!(cofferdam_plan::known_mount_options().contains(&"rro"));
/// ```
#[must_use]
pub fn known_mount_options() -> Vec<&'static str> {
    WORDS.iter().map(|(name, _)| *name).collect()
}

fn word(name: &str) -> Option<Word> {
    let i = WORDS.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
    WORDS.get(i).map(|(_, word)| *word)
}

/// The flag that a word of `rootfsPropagation` or of the options stands for.
pub(crate) fn propagation(name: &str) -> Option<Propagation> {
    match word(name) {
        Some(Word::Propagation { flag, recursive }) => Some(Propagation { flag, recursive }),
        _ => None,
    }
}

/// What a list of options adds up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct MountOptions {
    pub(crate) bind: bool,
    pub(crate) recursive: bool,
    pub(crate) remount: bool,
    pub(crate) attr: Attr,
    pub(crate) recursive_attr: Attr,
    pub(crate) propagation: Vec<Propagation>,
    /// Flags of the superblock besides `ro`.
    pub(crate) super_flags: Vec<&'static str>,
    /// Parameters of the file system.
    pub(crate) params: Vec<FsParam>,
    pub(crate) copy_up: bool,
    pub(crate) copy_symlink: bool,
    pub(crate) source_nofollow: bool,
    /// `Some(recursive)`.
    pub(crate) idmap: Option<bool>,
}

impl MountOptions {
    /// Reads the options; later ones override earlier ones, as for mount(8).
    pub(crate) fn read(options: &[String], at: &Pointer, findings: &mut Findings) -> Self {
        let mut result = Self::default();
        for (i, option) in options.iter().enumerate() {
            let here = at.index(i);
            match word(option) {
                Some(Word::NoEffect) => findings.warn(here, format!("{option:?} has no effect")),
                Some(known) => result.apply(known),
                None => {
                    findings.no_nul(&here, option);
                    result.params.extend(fs_param::read(option));
                }
            }
        }
        result
    }

    fn apply(&mut self, word: Word) {
        match word {
            Word::Nothing | Word::NoEffect => {}
            Word::Bind { recursive } => {
                self.bind = true;
                self.recursive |= recursive;
            }
            Word::Remount => self.remount = true,
            Word::Set { bits, below } => self.attr_of(below).turn_on(bits),
            Word::Clear { bits, below } => self.attr_of(below).turn_off(bits),
            Word::Atime { value, below } => self.attr_of(below).atime(value),
            Word::Super(flag) => {
                if !self.super_flags.contains(&flag) {
                    self.super_flags.push(flag);
                }
            }
            Word::NoSuper(flag) => self.super_flags.retain(|f| *f != flag),
            Word::Propagation { flag, recursive } => self.propagation.push(Propagation { flag, recursive }),
            Word::CopyUp => self.copy_up = true,
            Word::Idmap { recursive } => self.idmap = Some(recursive),
            Word::CopySymlink => self.copy_symlink = true,
            Word::SourceNofollow => self.source_nofollow = true,
        }
    }

    fn attr_of(&mut self, below: bool) -> &mut Attr {
        if below { &mut self.recursive_attr } else { &mut self.attr }
    }
}

impl Attr {
    pub(crate) fn turn_on(&mut self, bits: u64) {
        self.set |= bits;
        self.clear &= !bits;
    }

    pub(crate) fn turn_off(&mut self, bits: u64) {
        self.clear |= bits;
        self.set &= !bits;
    }

    /// A bind mount with any flag has no other of its source's, as for mount(2) with MS_REMOUNT. In a user namespace those
    /// that the kernel locks there stay, unless they are named.
    pub(crate) fn let_go_of_the_sources(&mut self, locked: bool) {
        const LOCKABLE: u64 = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        if *self != Self::default() {
            let all = if locked { MOUNT_ATTR_NOSYMFOLLOW } else { LOCKABLE | MOUNT_ATTR_NOSYMFOLLOW };
            self.clear |= all & !self.set;
        }
    }

    /// The access time setting is a field of several bits: mount_setattr(2) wants all of it cleared
    /// when it is set.
    fn atime(&mut self, value: u64) {
        self.set = (self.set & !MOUNT_ATTR_ATIME) | value;
        self.clear |= MOUNT_ATTR_ATIME;
    }

    /// Whether the mount becomes read-only.
    pub(crate) fn readonly(self) -> bool {
        self.set & MOUNT_ATTR_RDONLY != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> MountOptions {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        MountOptions::read(&words, &Pointer::root(), &mut Findings::default())
    }

    #[test]
    fn the_table_is_sorted_and_finds_every_word() {
        assert!(WORDS.is_sorted_by(|a, b| a.0 < b.0));
        for (name, meaning) in WORDS {
            assert_eq!(word(name), Some(*meaning));
        }
    }

    #[test]
    fn later_words_override_earlier_ones() {
        let o = read(&["ro", "nosuid", "rw"]);
        assert_eq!(o.attr, Attr { set: MOUNT_ATTR_NOSUID, clear: MOUNT_ATTR_RDONLY });
        let o = read(&["noatime", "strictatime"]);
        assert_eq!(o.attr, Attr { set: MOUNT_ATTR_STRICTATIME, clear: MOUNT_ATTR_ATIME });
        assert!(read(&["sync", "async"]).super_flags.is_empty());
    }

    #[test]
    fn setting_the_access_time_clears_the_whole_field() {
        assert_eq!(read(&["relatime"]).attr, Attr { set: 0, clear: 0x70 });
        assert_eq!(read(&["rnoatime"]).recursive_attr, Attr { set: 0x10, clear: 0x70 });
        assert_eq!(read(&["rnorelatime"]).recursive_attr, Attr { set: 0, clear: 0x70 });
        assert_eq!(read(&["nodiratime"]).attr, Attr { set: 0x80, clear: 0 });
    }

    #[test]
    fn recursive_words_do_not_touch_the_mount_alone() {
        let o = read(&["rro", "rnosuid", "rexec"]);
        assert_eq!(o.attr, Attr::default());
        assert_eq!(o.recursive_attr, Attr { set: 3, clear: 8 });
    }

    #[test]
    fn unknown_words_are_parameters_in_order() {
        let o = read(&["mode=755", "size=64k", "nr_inodes=10,huge=never", "newinstance"]);
        let keys: Vec<_> = o.params.iter().map(|p| (p.key.as_str(), p.value.as_deref())).collect();
        assert_eq!(
            keys,
            [
                ("mode", Some("755")),
                ("size", Some("64k")),
                ("nr_inodes", Some("10")),
                ("huge", Some("never")),
                ("newinstance", None)
            ]
        );
    }

    #[test]
    fn defaults_and_silent_mean_nothing() {
        assert_eq!(read(&["defaults", "silent", "loud", "noiversion"]), MountOptions::default());
    }

    #[test]
    fn propagation_keeps_its_order() {
        let o = read(&["rslave", "shared"]);
        assert_eq!(o.propagation.len(), 2);
        assert_eq!(o.propagation[0], Propagation { flag: MS_SLAVE, recursive: true });
        assert_eq!(propagation("runbindable"), Some(Propagation { flag: MS_UNBINDABLE, recursive: true }));
        assert_eq!(propagation("ro"), None);
    }

    #[test]
    fn iversion_is_told_to_have_no_effect() {
        let mut f = Findings::default();
        MountOptions::read(&["iversion".into()], &Pointer::new("/o"), &mut f);
        assert_eq!(f.warned(), ["/o/0: \"iversion\" has no effect"]);
    }
}
