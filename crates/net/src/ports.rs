//! Published ports: no two containers get the same one, and none gets one on which the host itself listens.
//!
//! Called by `apply` with the addresses' leases, in whose file they are kept. A packet filter takes a port from
//! whoever has it, without a word; so it is asked for here first.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};

use cofferdam_sys::Errno;
use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::pool::Pool;
use crate::{Error, Protocol, PublishPlan};

/// A port of the host's that a container has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PortLease {
    /// Who has it.
    pub(crate) id: String,
    protocol: Protocol,
    /// At which address; at all when there is none.
    address: Option<IpAddr>,
    port: u16,
}

impl PortLease {
    fn of(id: &str, wanted: &PublishPlan) -> Self {
        Self {
            id: id.to_owned(),
            protocol: wanted.protocol,
            address: wanted.host_address.filter(|address| !address.is_unspecified()),
            port: wanted.host_port,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        let addresses = [self.address, other.address];
        (self.protocol, self.port) == (other.protocol, other.port)
            && (addresses[0] == addresses[1] || addresses.contains(&None))
    }
}

/// Notes that `id` has these ports. `ours` says whether the host's network is the calling thread's, so that it
/// can be asked who listens.
///
/// # Errors
/// `EADDRINUSE` when another container who lives has one of them, or a program of the host; as reading and
/// writing the directory.
pub(crate) fn take(
    directory: &Directory,
    id: &str,
    wanted: &[PublishPlan],
    ours: bool,
    mut alive: impl FnMut(&str) -> bool,
) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    Pool::change_ports(directory, |kept| {
        for publish in wanted {
            let lease = PortLease::of(id, publish);
            let theirs = |other: &PortLease| other.id != id && other.meets(&lease);
            if let Some(other) = kept.iter().find(|other| theirs(other) && alive(&other.id)) {
                let hint = "delete the other container, or publish another port";
                let whose = format!("{} has it", other.id.trim_end_matches(':'));
                return Err(taken(publish, &whose, hint));
            }
            if ours && is_listened_at(publish) {
                let hint = "end the program that listens there, or publish another port";
                return Err(taken(publish, "a program of the host has it", hint));
            }
            kept.retain(|other| !theirs(other) && *other != lease);
            kept.push(lease);
        }
        Ok(())
    })
}

fn taken(publish: &PublishPlan, whose: &str, hint: &'static str) -> Error {
    let protocol = if publish.protocol == Protocol::Tcp { "tcp" } else { "udp" };
    let object = format!("{}/{protocol}", publish.host_port);
    Error::of("publishing port", object, whose, Errno::EADDRINUSE.into())
        .hint_for(Errno::EADDRINUSE, hint)
        .for_pointer(&publish.pointer.key("host_port"))
}

/// Whether it cannot be bound because it is bound. Whatever else is wrong with an address is not said here: it
/// may come later.
fn is_listened_at(publish: &PublishPlan) -> bool {
    let everywhere = [IpAddr::from(Ipv6Addr::UNSPECIFIED), Ipv4Addr::UNSPECIFIED.into()];
    let one = publish.host_address.as_ref().map(std::slice::from_ref);
    let refused = |address: &IpAddr| {
        let at = (*address, publish.host_port);
        let bound = match publish.protocol {
            Protocol::Tcp => TcpListener::bind(at).map(drop),
            Protocol::Udp => UdpSocket::bind(at).map(drop),
        };
        bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    };
    one.unwrap_or(&everywhere).iter().any(refused)
}
