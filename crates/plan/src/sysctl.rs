//! `linux.sysctl`: kernel parameters that belong to the container's namespaces, and no others.
//!
//! Called by the init plan. See sysctl(8) for the two spellings of a name.

use cofferdam_oci::Pointer;

use crate::SysctlPlan;
use crate::bits::{CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWUTS};
use crate::findings::Findings;
use crate::scene::Scene;

/// Parameters of the IPC namespace besides `fs.mqueue.*`, see ipc_namespaces(7).
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];

/// Judges all parameters.
pub(crate) fn decide(scene: &Scene<'_>, findings: &mut Findings) -> Vec<SysctlPlan> {
    let list = Pointer::new("/linux/sysctl");
    let mut result = Vec::new();
    for (name, value) in &scene.linux.sysctl {
        let at = list.key(name);
        findings.no_nul(&at, name);
        findings.no_nul(&at, value);
        let file = file(name);
        if file.split('/').any(|part| matches!(part, "" | "." | "..")) {
            findings.reject(at, "no name of a parameter");
            continue;
        }
        allowed(scene, &at, &swap(&file), findings);
        result.push(SysctlPlan { pointer: at, file, value: value.clone() });
    }
    result
}

/// The file below /proc/sys. Whichever separator comes first is the separator; the other stands for
/// itself: `net.ipv4.conf.eno2/100.rp_filter` is `net/ipv4/conf/eno2.100/rp_filter`.
fn file(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(i) if name.get(i..).is_some_and(|rest| rest.starts_with('.')) => swap(name),
        _ => name.to_owned(),
    }
}

fn swap(name: &str) -> String {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    name.chars().map(swap).collect()
}

/// `dotted` must lie in a namespace of the container's own: everything else is the host's.
fn allowed(scene: &Scene<'_>, at: &Pointer, dotted: &str, findings: &mut Findings) {
    let spaces = &scene.spaces;
    let (own, namespace) = if IPC.contains(&dotted) || dotted.starts_with("fs.mqueue.") {
        (spaces.own(CLONE_NEWIPC), "ipc")
    } else if dotted.starts_with("net.") {
        (spaces.own_network(), "network")
    } else if dotted.starts_with("user.") {
        (spaces.own(CLONE_NEWUSER), "user")
    } else if dotted == "kernel.domainname" {
        (spaces.own(CLONE_NEWUTS), "uts")
    } else if dotted == "kernel.hostname" {
        findings.reject_hint(at.clone(), "has a field of its own", "use hostname");
        return;
    } else {
        findings.reject(at.clone(), "belongs to the whole host: no namespace has it");
        return;
    };
    if !own {
        findings.reject_hint(
            at.clone(),
            "would be the host's",
            &format!("add a namespace of type {namespace}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_separator_decides_the_spelling() {
        for (name, path) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
            ("net.ipv4.conf.eno2/100.rp_filter", "net/ipv4/conf/eno2.100/rp_filter"),
            ("net/ipv4/conf/eno2.100/rp_filter", "net/ipv4/conf/eno2.100/rp_filter"),
            ("kernel", "kernel"),
        ] {
            assert_eq!(file(name), path);
        }
    }
}
