//! Giving a container's cgroup to the user inside of it.
//!
//! Called by the library when the container has a cgroup namespace and a writable cgroup mount
//! (`config-linux.md`, Cgroup ownership). It may change the owner of nothing but what the kernel says is
//! safe to delegate.

use std::os::unix::fs::chown;
use std::path::Path;

use cofferdam_sys::Errno;

use crate::cgroup::Cgroup;
use crate::error::Error;
use crate::file;
use crate::hierarchy::Mode;

/// What to use where the kernel does not say (before Linux 4.15).
const FILES: &str = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";

impl Cgroup {
    /// Makes `uid`, a user of the host, the owner of the version 2 cgroup and of those of its files that
    /// `/sys/kernel/cgroup/delegate` lists. Does nothing while version 1 is in use, where delegation is
    /// not safe.
    ///
    /// # Errors
    /// When an owner cannot be changed.
    pub fn delegate(&self, uid: u32) -> Result<(), Error> {
        let Some(dir) = self.v2().filter(|_| self.saved.mode == Mode::V2) else { return Ok(()) };
        let fail = |path: &Path, e: std::io::Error| Error::io(format!("giving to user {uid}"), path, &e);
        chown(dir, Some(uid), None).map_err(|e| fail(dir, e))?;
        let list = file::read(Path::new("/sys/kernel/cgroup/delegate")).unwrap_or_else(|_| FILES.into());
        for name in list.lines().filter(|name| !name.is_empty() && !name.contains('/')) {
            let path = dir.join(name);
            match chown(&path, Some(uid), None) {
                Ok(()) => {}
                // Not every listed file is in every cgroup.
                Err(e) if file::is(&e, Errno::ENOENT) => {}
                Err(e) => return Err(fail(&path, e)),
            }
        }
        Ok(())
    }
}
