//! /proc/PID/mountinfo, see proc_pid_mountinfo(5).

/// One mount.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Root of the mount within its filesystem.
    pub root: String,
    /// Where it is.
    pub point: String,
    /// Options of the mount, such as `ro,nosuid`.
    pub options: Vec<String>,
    /// Optional fields: `shared:N`, `master:N`, `unbindable`.
    pub fields: Vec<String>,
    /// Type of the filesystem.
    pub kind: String,
    /// What is mounted.
    pub source: String,
    /// Options of the superblock.
    pub superblock: Vec<String>,
}

impl Mount {
    /// Whether the mount has this option.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|o| o == option)
    }

    /// Whether it is in a peer group, a slave of one, and so on.
    pub fn is(&self, field: &str) -> bool {
        self.fields.iter().any(|f| f.split(':').next() == Some(field))
    }
}

/// All mounts of the text of a mountinfo file.
pub fn read(text: &str) -> Vec<Mount> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let mut right = right.split(' ');
    let list = |s: &str| s.split(',').map(str::to_owned).collect();
    Some(Mount {
        root: (*left.get(3)?).to_owned(),
        point: (*left.get(4)?).to_owned(),
        options: list(left.get(5)?),
        fields: left.iter().skip(6).map(|s| (*s).to_owned()).collect(),
        kind: right.next()?.to_owned(),
        source: right.next()?.to_owned(),
        superblock: list(right.next()?),
    })
}

/// The topmost mount at a path.
#[track_caller]
pub fn at<'a>(mounts: &'a [Mount], point: &str) -> &'a Mount {
    let found = mounts.iter().rev().find(|m| m.point == point);
    found.unwrap_or_else(|| panic!("nothing is mounted at {point}: {mounts:#?}"))
}
