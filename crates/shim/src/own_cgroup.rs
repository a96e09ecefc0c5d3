//! The cgroup that the options give the shim itself (`ShimCgroup`): made and joined when it is started, left and removed
//! when it ends.
//!
//! Called by `start` and `serve`. What was there before is somebody's who set limits on it, and stays.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use cofferdam::cgroup::Hierarchies;
use cofferdam::{Error, Result};

use crate::failure::malformed;

/// Tells the shim what was made for it, deepest first.
pub(crate) const MADE: &str = "COFFERDAM_SHIM_CGROUPS";
const PROCESSES: &str = "cgroup.procs";
/// What a cgroup of this controller needs before anybody can join it (version 1).
const CPUSET: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// A directory in every hierarchy. What was made is removed when this is dropped, unless it is kept.
#[derive(Debug, Default)]
pub(crate) struct OwnCgroup {
    directories: Vec<PathBuf>,
    made: Vec<PathBuf>,
}

impl OwnCgroup {
    /// Makes what is missing of it; no path is no cgroup.
    pub(crate) fn make(path: &str) -> Result<Self> {
        let path = path.trim_start_matches('/');
        let mut own = Self::default();
        if path.is_empty() {
            return Ok(own);
        }
        if Path::new(path).components().any(|c| c.as_os_str() == "..") {
            return Err(malformed("ShimCgroup", &"it leads out of the cgroup tree"));
        }
        let hierarchies = Hierarchies::detect().map_err(Error::from)?;
        let v1 = hierarchies.v1.iter().map(|h| &h.mount_point);
        for root in v1.chain(hierarchies.v2.as_ref().map(|h| &h.mount_point)) {
            let mut directory = root.clone();
            for name in Path::new(path) {
                directory.push(name);
                own.level(&directory)?;
            }
            own.directories.push(directory);
        }
        Ok(own)
    }

    fn level(&mut self, directory: &Path) -> Result<()> {
        match fs::create_dir(directory) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
            other => other.map_err(|e| Error::io("making the shim's cgroup", directory, &e))?,
        }
        self.made.insert(0, directory.to_owned());
        for name in CPUSET {
            let above = directory.parent().map(|above| above.join(name));
            if let Some(Ok(value)) = above.map(fs::read_to_string) {
                let file = directory.join(name);
                fs::write(&file, value).map_err(|e| Error::io("filling the shim's cgroup", &file, &e))?;
            }
        }
        Ok(())
    }

    /// What the shim is told by [`MADE`].
    pub(crate) fn told(&self) -> OsString {
        // A path with a colon is no cgroup's that systemd or the kubelet would name; it stays when the shim ends.
        std::env::join_paths(&self.made).unwrap_or_default()
    }

    /// Puts the shim into it; it is the shim's from here on.
    pub(crate) fn join(mut self, shim: u32) -> Result<()> {
        for directory in &self.directories {
            let file = directory.join(PROCESSES);
            fs::write(&file, shim.to_string())
                .map_err(|e| Error::io("joining the shim's cgroup", &file, &e))?;
        }
        self.made.clear();
        Ok(())
    }
}

impl Drop for OwnCgroup {
    fn drop(&mut self) {
        remove(&self.made);
    }
}

/// The shim ends: it leaves what was made for it, and removes that. Where others are in it, it stays.
pub(crate) fn leave() {
    let Some(told) = std::env::var_os(MADE).filter(|told| !told.is_empty()) else { return };
    let made: Vec<PathBuf> = std::env::split_paths(&told).collect();
    for directory in &made {
        // The first one above that takes processes: on version 2 not one that gives its controllers on.
        let above = directory.ancestors().skip(1).map(|above| above.join(PROCESSES));
        let _ = above.take_while(|file| file.exists()).any(|file| fs::write(file, "0").is_ok());
    }
    remove(&made);
}

fn remove(made: &[PathBuf]) {
    made.iter().for_each(|directory| drop(fs::remove_dir(directory)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_is_no_cgroup_and_none_leads_out() {
        assert!(OwnCgroup::make("").unwrap().directories.is_empty());
        assert!(OwnCgroup::make("/").unwrap().directories.is_empty());
        assert!(OwnCgroup::make("/a/../../b").unwrap_err().to_string().contains("leads out"));
    }
}
