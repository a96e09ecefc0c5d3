//! Who a program runs as: `user` of the configuration, by a passwd and a group file.
//!
//! Called by the lowering's callers, which read the files where it is safe, and by what changes the calling
//! process. Pure but for [`ExecUser::in_root`]. The rules are those of libcontainer's package `user`.

use std::path::Path;

use cofferdam::{Error, ErrorKind, Result};
use cofferdam_oci::Pointer;
use cofferdam_sys::open::{
    self, O_DIRECTORY, O_NONBLOCK, O_PATH, O_RDONLY, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS,
};

use crate::Config;

/// Largest id that a name without an entry may have.
const LARGEST: u32 = i32::MAX.unsigned_abs();
/// Longest passwd or group file, in bytes.
const LONGEST: u64 = 4 << 20;

/// A user as a program is run.
///
/// ```
/// use cofferdam_nsinit::ExecUser;
/// let passwd = "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/false\n";
/// let group = "daemon:x:1:\naudio:x:29:daemon\n";
/// let daemon = ExecUser::find("daemon", 0, passwd, group)?;
/// assert_eq!((daemon.uid, daemon.gid, daemon.groups), (1, 1, vec![29]));
/// assert_eq!(daemon.home, "/usr/sbin");
/// assert_eq!(ExecUser::find("1000:audio", 0, passwd, group)?.gid, 29);
/// assert!(ExecUser::find("nobody", 0, passwd, group).is_err());
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecUser {
    /// User id inside the container.
    pub uid: u32,
    /// Group id inside the container.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: String,
    /// The groups of the configuration's `additional_groups`, looked up.
    pub additional: Vec<u32>,
}

/// A line of /etc/passwd or /etc/group, split.
struct Entry<'a>(Vec<&'a str>);

impl<'a> Entry<'a> {
    fn all(text: &'a str) -> impl Iterator<Item = Self> {
        text.lines().filter(|line| !line.is_empty()).map(|line| Self(line.split(':').collect()))
    }

    fn text(&self, field: usize) -> &'a str {
        self.0.get(field).copied().unwrap_or_default()
    }

    /// What is no number counts as 0, as libcontainer has it.
    fn number(&self, field: usize) -> u32 {
        self.text(field).parse().unwrap_or_default()
    }

    fn is(&self, wanted: &str) -> bool {
        self.text(0) == wanted || self.number(2).to_string() == wanted
    }
}

impl ExecUser {
    /// Finds a user: `specification` is that of the configuration, `own` the id that an empty one means.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for a name that has no entry, and a number out of range.
    pub fn find(specification: &str, own: u32, passwd: &str, group: &str) -> Result<Self> {
        let (user, wanted_group) = specification.split_once(':').unwrap_or((specification, ""));
        let mut found = Self { uid: own, home: "/".to_owned(), ..Self::default() };
        let entry =
            Entry::all(passwd).find(|e| if user.is_empty() { e.number(2) == own } else { e.is(user) });
        let mut name = "";
        if let Some(entry) = entry {
            name = entry.text(0);
            (found.uid, found.gid) = (entry.number(2), entry.number(3));
            found.home = entry.text(5).to_owned();
        } else if !user.is_empty() {
            found.uid = number("user", user)?;
        }
        if !wanted_group.is_empty() {
            let entry = Entry::all(group).find(|e| e.is(wanted_group));
            found.gid = entry.map_or_else(|| number("group", wanted_group), |e| Ok(e.number(2)))?;
        } else if !name.is_empty() {
            let member = |e: &Entry<'_>| e.text(3).split(',').any(|member| member == name);
            found.groups = Entry::all(group).filter(member).map(|e| e.number(2)).collect();
        }
        Ok(found)
    }

    /// As [`ExecUser::find`], by the files below `root`, which may belong to anybody: nothing outside of it
    /// is looked at, and nobody is waited for.
    ///
    /// # Errors
    /// As [`ExecUser::find`]; when `root` cannot be opened. A file that is missing is empty.
    ///
    /// ```
    /// let root = cofferdam_nsinit::ExecUser::in_root("0", 0, "/".as_ref())?;
    /// assert_eq!(root.uid, 0);
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn in_root(specification: &str, own: u32, root: &Path) -> Result<Self> {
        let (passwd, group) = files(root)?;
        Self::find(specification, own, &passwd, &group)
    }

    /// The user of a configuration, with its additional groups, by the files below `root` as
    /// [`ExecUser::in_root`] reads them.
    ///
    /// # Errors
    /// As [`ExecUser::in_root`]; a group that the files do not know.
    ///
    /// ```
    /// use cofferdam_nsinit::{Config, ExecUser};
    /// let config = Config::parse(br#"{"user": "0", "additional_groups": [5, "7"]}"#)?;
    /// assert_eq!(ExecUser::of(&config, 0, "/".as_ref())?.additional, [5, 7]);
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn of(config: &Config, own: u32, root: &Path) -> Result<Self> {
        let (passwd, group) = files(root)?;
        let mut user = Self::find(&config.user, own, &passwd, &group)
            .map_err(|e| e.with_pointer(&config.place(&Pointer::new("/user"))))?;
        for (index, wanted) in config.additional_groups.iter().enumerate() {
            let entry = Entry::all(&group).find(|e| e.is(wanted));
            let found = entry.map_or_else(|| number("group", wanted), |e| Ok(e.number(2)));
            let at = config.place(&Pointer::new("/additional_groups").index(index));
            user.additional.push(found.map_err(|e| e.with_pointer(&at))?);
        }
        Ok(user)
    }
}

/// The texts of /etc/passwd and /etc/group below `root`.
fn files(root: &Path) -> Result<(String, String)> {
    let failed = |e: cofferdam_sys::Errno| {
        Error::system("opening the root filesystem", e).with_object(root.display().to_string())
    };
    let path = crate::c_path(root)?;
    let dir = open::open(&path, O_PATH | O_DIRECTORY).map_err(failed)?;
    let read = |name: &std::ffi::CStr| {
        let flags = O_RDONLY | O_NONBLOCK;
        open::openat2(dir.raw(), name, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
            .map_or_else(|_| String::new(), |fd| text(std::fs::File::from(std::os::fd::OwnedFd::from(fd))))
    };
    Ok((read(c"etc/passwd"), read(c"etc/group")))
}

/// A regular file's text.
fn text(file: std::fs::File) -> String {
    use std::io::Read;
    let mut bytes = Vec::new();
    if file.metadata().is_ok_and(|m| m.is_file()) {
        let _ = file.take(LONGEST).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn number(what: &str, text: &str) -> Result<u32> {
    let wrong = |why: &str| {
        Error::new(ErrorKind::Configuration, format!("finding {what}"))
            .with_object(text)
            .with_detail(why)
            .with_pointer(&Pointer::new("/user"))
    };
    let number: i64 = text.parse().map_err(|_| wrong("there is none of that name"))?;
    u32::try_from(number).ok().filter(|n| *n <= LARGEST).ok_or_else(|| wrong("out of range"))
}
