//! The container's `/etc/hosts` and `/etc/resolv.conf`: files in its state directory, bound inside.
//!
//! Called by `decide` and `wires`. The image keeps its own files; what its `hosts` says is said by ours too.

use std::fs;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cofferdam_net::{Destination, Listening, NetworkPlan, RESOLVED_UPSTREAM, Resolver, hosts};
use cofferdam_oci::{Pointer, Reject, Spec};
use cofferdam_sys::open::{self, O_CLOEXEC, O_DIRECTORY, O_NONBLOCK, O_PATH, O_RDONLY};

use crate::{Error, Result, state};

pub(super) const HOSTS: &str = "hosts";
pub(super) const RESOLV_CONF: &str = "resolv.conf";

/// The longest `hosts` of an image that is taken over, in bytes.
const LONGEST: usize = 64 << 10;

/// Whether there is something to say in `hosts` and in `resolv.conf`.
pub(super) fn wanted(plan: &NetworkPlan) -> (bool, bool) {
    let network = !plan.interfaces.is_empty() || plan.user_mode.is_some();
    (network || !plan.hosts.is_empty(), network || plan.dns != Resolver::default())
}

/// The container's own name becomes a word of `hosts`.
pub(super) fn check(spec: &Spec) -> Vec<Reject> {
    let Some(name) = spec.hostname.as_deref().filter(|name| !name.is_empty()) else { return Vec::new() };
    hosts(name, &[], &[], &Pointer::new("/hostname")).err().unwrap_or_default()
}

/// Writes them; the plan has its addresses by now.
pub(super) fn write(plan: &NetworkPlan, spec: &Spec, rootfs: &Path, state: &Path) -> Result<()> {
    let (has_hosts, has_dns) = wanted(plan);
    if has_hosts {
        let mut text = hosts_file(plan, spec)?;
        let of_image = image(rootfs, c"etc/hosts");
        let new: Vec<_> = of_image.lines().filter(|line| !text.lines().any(|own| own == *line)).collect();
        new.iter().for_each(|line| text.extend([line, "\n"]));
        file(&state.join(HOSTS), &text)?;
    }
    if !has_dns {
        return Ok(());
    }
    let mut resolver = resolver(&plan.dns);
    if has_names(plan) {
        resolver.nameservers = vec![Listening::ADDRESS.into()];
    }
    file(&state.join(RESOLV_CONF), &resolver.to_string())
}

/// Whether the allow-list has names, which our own service finds out.
fn has_names(plan: &NetworkPlan) -> bool {
    let list = plan.outward.egress.as_deref().unwrap_or_default();
    list.iter().any(|allow| matches!(allow.to, Destination::Name(_)))
}

fn file(path: &Path, text: &str) -> Result<()> {
    let write = || {
        state::write_file(path, text.as_bytes())?;
        // Whatever the caller's umask is: the container's users read it.
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))
    };
    write().map_err(|error| Error::io("writing", path, &error))
}

fn hosts_file(plan: &NetworkPlan, spec: &Spec) -> Result<String> {
    let addresses: Vec<IpAddr> =
        plan.interfaces.iter().flat_map(|interface| &interface.addresses).map(|net| net.addr()).collect();
    let name = spec.hostname.as_deref().filter(|name| !name.is_empty()).unwrap_or("localhost");
    hosts(name, &addresses, &plan.hosts, &Pointer::new("/hostname")).map_err(Error::rejected)
}

/// What the image says, if its file is an ordinary one: whatever stands in it, it is the container's own.
fn image(rootfs: &Path, name: &std::ffi::CStr) -> String {
    const INSIDE: u64 = open::RESOLVE_IN_ROOT | open::RESOLVE_NO_MAGICLINKS;
    let read = || {
        let root = open::open(&crate::program::c_path(rootfs), O_PATH | O_DIRECTORY | O_CLOEXEC).ok()?;
        let flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
        let file = open::openat2(root.raw(), name, flags, 0, INSIDE).ok()?;
        let file = fs::File::from(std::os::fd::OwnedFd::from(file));
        let length = usize::try_from(file.metadata().ok().filter(fs::Metadata::is_file)?.len()).ok()?;
        let mut bytes = vec![0; length.min(LONGEST)];
        let read = open::read(file.as_raw_fd(), &mut bytes).ok()?;
        bytes.truncate(read);
        String::from_utf8(bytes).ok()
    };
    read().unwrap_or_default()
}

/// What is not said is as the host has it.
fn resolver(said: &Resolver) -> Resolver {
    let text = |path: &str| fs::read_to_string(path).ok();
    let host = text("/etc/resolv.conf").unwrap_or_default();
    let mut resolver = Resolver::for_container(&host, text(RESOLVED_UPSTREAM).as_deref());
    for (mine, theirs) in [(&mut resolver.search, &said.search), (&mut resolver.options, &said.options)] {
        if !theirs.is_empty() {
            mine.clone_from(theirs);
        }
    }
    if !said.nameservers.is_empty() {
        resolver.nameservers.clone_from(&said.nameservers);
    }
    resolver
}
