//! Writing what the plan says.
//!
//! Called by [`crate::Cgroup`]. Consecutive values for one file share one open(2). It may not change,
//! reorder (but for what [`crate::CgroupWrite::again`] says) or leave out a write.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use cofferdam_sys::{Errno, bpf};

use crate::error::Error;
use crate::file;
use crate::plan::{CgroupDir, CgroupWrite};

#[derive(Default)]
struct Writer {
    last: Option<(PathBuf, File)>,
}

pub(crate) fn writes(dirs: &[CgroupDir], writes: &[CgroupWrite]) -> Result<(), Error> {
    let mut writer = Writer::default();
    let mut again = Vec::new();
    for write in writes {
        let Some(dir) = dirs.get(write.dir) else { continue };
        if let Some((current, least)) = &write.above {
            check(&dir.path.join(current), *least, write)?;
        }
        match writer.one(&dir.path, write) {
            Ok(()) => {}
            Err((_, e)) if write.again && file::is(&e, Errno::EINVAL) => again.push((dir, write)),
            Err((path, e)) => return Err(explain(write, path, &e)),
        }
    }
    for (dir, write) in again {
        writer.one(&dir.path, write).map_err(|(path, e)| explain(write, path, &e))?;
    }
    Ok(())
}

/// Whether a limit would be below what is in use, before anything is changed.
pub(crate) fn check_all(dirs: &[CgroupDir], writes: &[CgroupWrite]) -> Result<(), Error> {
    for write in writes {
        if let (Some(dir), Some((current, least))) = (dirs.get(write.dir), &write.above) {
            check(&dir.path.join(current), *least, write)?;
        }
    }
    Ok(())
}

impl Writer {
    fn one(&mut self, dir: &Path, write: &CgroupWrite) -> Result<(), (PathBuf, io::Error)> {
        let path = dir.join(&write.file);
        let error = match self.put(&path, &write.value) {
            Ok(()) => return Ok(()),
            Err(e) if !file::is(&e, Errno::ENOENT) => return Err((path, e)),
            Err(e) => e,
        };
        let Some((other, value)) = &write.alias else {
            return if write.may_lack { Ok(()) } else { Err((path, error)) };
        };
        let path = dir.join(other);
        match self.put(&path, value) {
            Err(e) if !(write.may_lack && file::is(&e, Errno::ENOENT)) => Err((path, e)),
            _ => Ok(()),
        }
    }

    fn put(&mut self, path: &Path, value: &str) -> io::Result<()> {
        match &mut self.last {
            Some((last, open)) if last == path => file::put(open, value),
            _ => {
                let mut open = file::open(path)?;
                let result = file::put(&mut open, value);
                self.last = Some((path.to_path_buf(), open));
                result
            }
        }
    }
}

/// Best effort, as the specification has it: a number that cannot be read refuses nothing.
fn check(path: &Path, least: u64, write: &CgroupWrite) -> Result<(), Error> {
    let current = file::read(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    match current {
        Some(current) if current >= least => Err(Error::new(
            "limiting memory",
            path,
            format!("{current} bytes are in use, {least} would be allowed"),
        )
        .asked_by(&write.pointer)
        .hint("raise the limit, or leave out checkBeforeUpdate to have processes killed")),
        _ => Ok(()),
    }
}

fn explain(write: &CgroupWrite, path: PathBuf, error: &io::Error) -> Error {
    let out = Error::io(format!("writing {:?} to", write.value), &path, error).asked_by(&write.pointer);
    let errno = |e: Errno| file::is(error, e);
    let dir = path.parent().unwrap_or(&path);
    let number = |name: &str| file::read(&dir.join(name)).unwrap_or_default().trim().to_owned();
    if errno(Errno::EBUSY) && write.file == "memory.limit_in_bytes" {
        let (now, most) = (number("memory.usage_in_bytes"), number("memory.max_usage_in_bytes"));
        return out.detail(format!("{now} bytes are in use and cannot be freed, at most {most} were"));
    }
    if errno(Errno::ENOENT) {
        let hint = match write.file.as_str() {
            f if f.starts_with("cpu.rt_") => "the kernel is built without CONFIG_RT_GROUP_SCHED",
            f if f.contains("leaf_weight") => "it went with the CFQ scheduler in Linux 5.0: use weight",
            f if f.contains("weight") => {
                "the kernel has no scheduler that weighs: it needs BFQ or blk-iocost"
            }
            f if f.contains("swap") || f.contains("memsw") => {
                "the kernel does not account swap: boot with swapaccount=1"
            }
            f if f.starts_with("hugetlb.") => {
                "pages of this size are not supported: see /sys/kernel/mm/hugepages"
            }
            _ => "this kernel does not have it, or the controller was taken away",
        };
        return out.hint(hint);
    }
    if errno(Errno::EACCES) && path.ends_with("cpuset.cpus")
        || errno(Errno::EINVAL) && write.file.starts_with("cpuset.")
    {
        let above = dir.parent().map(|p| file::read(&p.join(&write.file)).unwrap_or_default());
        return out.hint(format!("the parent has {:?}", above.unwrap_or_default().trim()));
    }
    if errno(Errno::ENODEV) && write.file.contains("io.")
        || errno(Errno::ENODEV) && write.file.contains("blkio")
    {
        return out.hint("there is no such block device; a partition has no limits of its own, its disk has");
    }
    out
}

/// Loads and attaches a device program. One that was there before goes after the new one is in force:
/// at no moment is everything allowed.
pub(crate) fn device_program(dir: &Path, program: &[u64], fresh: bool) -> Result<(), Error> {
    let fail = |step: &str, errno: Errno| {
        Error::io(step, dir, &io::Error::from_raw_os_error(errno.0)).asked_by("/linux/resources/devices")
    };
    let cgroup = File::open(dir).map_err(|e| Error::io("opening the cgroup", dir, &e))?;
    let cgroup = cgroup.as_raw_fd();
    let mut old = [0u32; 64];
    let count = if fresh { 0 } else { bpf::prog_query(cgroup, &mut old).unwrap_or(0) };
    let loaded = bpf::prog_load_cgroup_device(program, None).map_err(|errno| {
        let error = fail("loading the device program for", errno);
        match errno {
            Errno::EPERM => error
                .hint("it takes CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN, in the host's user namespace"),
            _ => error.detail(verifier(program)),
        }
    })?;
    bpf::prog_attach(cgroup, loaded.raw(), bpf::BPF_F_ALLOW_MULTI, None)
        .map_err(|errno| fail("attaching the device program to", errno))?;
    for id in old.iter().take(usize::try_from(count).unwrap_or(0)) {
        let detach = bpf::prog_get_fd_by_id(*id).and_then(|old| bpf::prog_detach(cgroup, old.raw()));
        detach.map_err(|errno| fail("detaching the former device program from", errno))?;
    }
    Ok(())
}

/// What the verifier says of a program that it refuses.
fn verifier(program: &[u64]) -> String {
    let mut log = vec![0; 4096];
    let _ = bpf::prog_load_cgroup_device(program, Some(&mut log));
    String::from_utf8_lossy(&log).trim_end_matches('\0').trim().replace('\n', "; ")
}
