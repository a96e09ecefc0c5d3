//! What the system has, as far as the container may use it.
//!
//! Called by `carry_out`.

use cofferdam_notify::Call;
use cofferdam_notify::{Answer, Arch, Errno, Request, Result};

use super::{Context, Done, refuse};
use crate::policy::limits::Names;

/// sysinfo(2) with the container's memory as the system's: its limits, and what it uses of them.
pub(super) fn sysinfo(context: &Context, request: &Request) -> Result<Done> {
    let Call::Sysinfo { to } = request.call()? else { return Ok(refuse(Errno::ENOSYS, "no sysinfo")) };
    if request.arch() != Arch::native() {
        return Ok(refuse(Errno::ENOSYS, "only calls of the host's own ABI are answered"));
    }
    let mut info = Info::of_the_host();
    let memory = context.group.memory();
    let (limit, used) =
        memory.map_or((None, None), |usage| (usage.memory.usage.limit, usage.memory.usage.used));
    if let Some(limit) = limit.filter(|limit| *limit < info.total) {
        let used = used.unwrap_or_default().min(limit);
        (info.total, info.free) = (limit, limit - used);
        (info.shared, info.buffers) = (0, 0);
        // What may be swapped is part of the limit.
        (info.swap, info.swap_free) = (0, 0);
    }
    request.write(to, &info.bytes())?;
    Ok(Done { answer: Answer::Value(0), reason: format!("{} bytes in all", info.total) })
}

/// uname(2) with the names of the caller's UTS namespace, and what the policy says instead. The structure is the same
/// in all ABIs.
pub(super) fn uname(names: &Names, request: &Request) -> Result<Done> {
    let Call::Uname { to } = request.call()? else { return Ok(refuse(Errno::ENOSYS, "no uname")) };
    let mut told = request.caller()?.system_names()?;
    let said = [&names.release, &names.version, &names.machine];
    for (field, said) in [&mut told.release, &mut told.version, &mut told.machine].into_iter().zip(said) {
        if let Some(said) = said {
            *field = said.clone().into_bytes();
        }
    }
    request.write(to, &told.bytes())?;
    let reason = String::from_utf8_lossy(&told.release).into_owned();
    Ok(Done { answer: Answer::Value(0), reason })
}

/// `struct sysinfo` of a kernel with 64-bit words, in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Info {
    uptime: u64,
    loads: [u64; 3],
    total: u64,
    free: u64,
    shared: u64,
    buffers: u64,
    swap: u64,
    swap_free: u64,
    processes: u16,
}

impl Info {
    fn of_the_host() -> Self {
        let host = rustix::system::sysinfo();
        let unit = u64::from(host.mem_unit.max(1));
        let bytes = |count: u64| count.saturating_mul(unit);
        Self {
            uptime: u64::try_from(host.uptime).unwrap_or_default(),
            loads: host.loads,
            total: bytes(host.totalram),
            free: bytes(host.freeram),
            shared: bytes(host.sharedram),
            buffers: bytes(host.bufferram),
            swap: bytes(host.totalswap),
            swap_free: bytes(host.freeswap),
            processes: host.procs,
        }
    }

    /// As it lies in memory: words, then two of 16 bits, two more words for other machines, and the unit.
    fn bytes(&self) -> Vec<u8> {
        let words = [self.uptime].into_iter().chain(self.loads).chain([
            self.total,
            self.free,
            self.shared,
            self.buffers,
            self.swap,
            self.swap_free,
        ]);
        let mut bytes: Vec<u8> = words.flat_map(u64::to_ne_bytes).collect();
        bytes.extend(self.processes.to_ne_bytes());
        bytes.extend([0; 6]);
        bytes.extend([0; 16]);
        bytes.extend(1u32.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_is_as_long_as_the_kernels() {
        let host = Info::of_the_host();
        assert_eq!(host.bytes().len(), 112);
        assert!(host.total > 0 && host.free <= host.total);
        assert_eq!(host.bytes()[104..108], 1u32.to_ne_bytes());
    }
}
