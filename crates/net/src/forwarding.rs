//! Whether the host passes packets on: `net.ipv4.ip_forward` and `net.ipv6.conf.all.forwarding`.
//!
//! Called by `site_outward` for containers that are let out or reached through the host. They stay on: who
//! else relies on them by then is not known.

use std::io;
use std::path::Path;

use cofferdam_sys::Errno;

use crate::Error;

const V4: &str = "/proc/sys/net/ipv4/ip_forward";
const V6: &str = "/proc/sys/net/ipv6/conf/all/forwarding";
const OF_LINKS: &str = "/proc/sys/net/ipv6/conf";

/// Turns it on where it is off, in the network namespace of the calling thread.
pub(crate) fn enable(v4: bool, v6: bool) -> Result<(), Error> {
    if v4 {
        turn_on(V4).map_err(|error| failed(V4, &error))?;
    }
    if v6 && !is_on(Path::new(V6)) {
        // A router does not listen to routers, and the host would lose its own route, unless told otherwise.
        keep_listening().map_err(|error| failed(OF_LINKS, &error))?;
        turn_on(V6).map_err(|error| failed(V6, &error))?;
    }
    Ok(())
}

fn is_on(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|value| value.first() == Some(&b'1'))
}

fn turn_on(path: &str) -> io::Result<()> {
    if is_on(Path::new(path)) { Ok(()) } else { std::fs::write(path, "1") }
}

/// `accept_ra` is 1 for "unless forwarding" and 2 for "always".
fn keep_listening() -> io::Result<()> {
    for link in std::fs::read_dir(OF_LINKS)? {
        let setting = link?.path().join("accept_ra");
        if is_on(&setting) {
            match std::fs::write(&setting, "2") {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

fn failed(path: &str, error: &io::Error) -> Error {
    let errno = error.raw_os_error().unwrap_or(Errno::EIO.0);
    Error::of("letting the host pass packets on", path, "writing the setting", Errno(errno).into())
        .hint_for(Errno::EROFS, "somebody who may has to set it to 1")
        .hint_for(Errno::EACCES, "it takes root's rights over the network namespace")
}
