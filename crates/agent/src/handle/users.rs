//! Ids as the caller's user namespace says them.
//!
//! Called by `serve` when the policy asks for users, and by handlers that judge owners.

use cofferdam_notify::{Caller, Request, Result};

/// What an id is that a namespace has no number for (`/proc/sys/kernel/overflowuid`).
const OVERFLOW: u32 = 65534;

/// The caller's effective user and group.
pub(crate) fn of(request: &Request) -> Result<(u32, u32)> {
    let caller = request.caller()?;
    let users = map(&caller, "uid_map", request)?;
    let groups = map(&caller, "gid_map", request)?;
    let who = caller.credentials();
    Ok((inside(&users, who.uid), inside(&groups, who.gid)))
}

/// Whose a file is, and who asks.
#[derive(Debug)]
pub(super) struct Owners {
    pub(super) user: u32,
    pub(super) group: u32,
    /// The user with which the caller reaches files.
    pub(super) caller: u32,
}

impl Owners {
    /// Of a file's user and group as the host says them.
    pub(super) fn of(request: &Request, (user, group): (u32, u32)) -> Result<Self> {
        let caller = request.caller()?;
        let users = map(&caller, "uid_map", request)?;
        let groups = map(&caller, "gid_map", request)?;
        let asks = inside(&users, caller.credentials().fs_uid);
        Ok(Self { user: inside(&users, user), group: inside(&groups, group), caller: asks })
    }
}

/// A map, which was the caller's if it still waits.
fn map(caller: &Caller, file: &str, request: &Request) -> Result<String> {
    let map = std::fs::read_to_string(format!("/proc/{}/{file}", caller.tid())).unwrap_or_default();
    request.validate()?;
    Ok(map)
}

/// The number inside of an id outside, by a map as user_namespaces(7) shows it.
fn inside(map: &str, id: u32) -> u32 {
    let line = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (first, outside, count) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        let offset = id.checked_sub(outside).filter(|offset| *offset < count)?;
        first.checked_add(offset)
    };
    map.lines().find_map(line).unwrap_or(OVERFLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_namespace() {
        let map = "         0     100000      65536\n     70000          5          1\n";
        assert_eq!(inside(map, 100_000), 0);
        assert_eq!(inside(map, 101_000), 1000);
        assert_eq!(inside(map, 5), 70_000);
        assert_eq!(inside(map, 0), OVERFLOW);
        assert_eq!(inside("0 0 4294967295\n", 1000), 1000);
    }
}
