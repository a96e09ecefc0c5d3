//! `linux.netDevices`: network devices that move into the container.
//!
//! Called by the init plan. See `config-linux.md`, Network Devices.

use cofferdam_oci::Pointer;

use crate::NetDevicePlan;
use crate::findings::Findings;
use crate::scene::Scene;

/// `IFNAMSIZ` with the NUL byte that ends a name.
const IFNAMSIZ: usize = 16;

/// Judges all devices.
pub(crate) fn decide(scene: &Scene<'_>, findings: &mut Findings) -> Vec<NetDevicePlan> {
    let devices = &scene.linux.net_devices;
    let list = Pointer::new("/linux/netDevices");
    if devices.is_empty() {
        return Vec::new();
    }
    if !scene.spaces.own_network() {
        findings.reject_hint(
            list.clone(),
            "the container has no network of its own to move them into",
            "add a namespace of type network",
        );
    }
    if !scene.facts.fully_privileged() {
        findings.lacks(list.clone(), "moving a device of the host takes a runtime that is the host's root");
    }
    let mut result: Vec<NetDevicePlan> = Vec::new();
    for (host_name, device) in devices {
        let at = list.key(host_name);
        let renamed = device.name.as_deref().filter(|name| !name.is_empty());
        let name = renamed.unwrap_or(host_name);
        // The kernel gives no device a name with `%` in it.
        if !valid(host_name) || host_name.contains('%') {
            findings.reject(at.clone(), format!("{host_name:?} is no name of a network device"));
        }
        if renamed.is_some_and(|name| !valid(name)) {
            findings.reject(at.key("name"), format!("{name:?} is no name of a network device"));
        } else if renamed.is_some_and(|name| !name_or_template(name)) {
            findings.reject_hint(
                at.key("name"),
                format!("{name:?} is no template: of '%' the kernel takes one \"%d\" alone"),
                "eth%d becomes the first of eth0, eth1, … that is free",
            );
        }
        // Of a template each device gets a number of its own.
        if let Some(other) = result.iter().find(|d| d.name == name && !name.contains('%')) {
            findings.reject(at.key("name"), format!("{:?} is to be called {name:?} too", other.host_name));
        }
        result.push(NetDevicePlan { pointer: at, host_name: host_name.clone(), name: name.to_owned() });
    }
    result
}

/// `dev_valid_name` of the kernel.
fn valid(name: &str) -> bool {
    !name.is_empty()
        && name.len() < IFNAMSIZ
        && name != "."
        && name != ".."
        && !name.bytes().any(|b| matches!(b, b'/' | b':' | 0) || b.is_ascii_whitespace() || b == 0x0b)
}

/// What `dev_alloc_name` of the kernel takes: a name without `%`, or with one `%d`.
fn name_or_template(name: &str) -> bool {
    name.split_once('%').is_none_or(|(_, rest)| rest.strip_prefix('d').is_some_and(|end| !end.contains('%')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_those_that_the_kernel_takes() {
        for good in ["eth0", "eth%d", "%d", "a%db", "%dd"] {
            assert!(name_or_template(good), "{good}");
        }
        for bad in ["%", "eth%", "eth%s", "eth%%d", "eth%d%d", "%d%", "%5d", "%D"] {
            assert!(!name_or_template(bad), "{bad}");
        }
    }

    #[test]
    fn names_are_those_that_the_kernel_takes() {
        for good in ["eth0", "a", "123456789012345", "eno2.100"] {
            assert!(valid(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a:b", "a b", "a\tb", "1234567890123456", "a\0"] {
            assert!(!valid(bad), "{bad:?}");
        }
    }
}
