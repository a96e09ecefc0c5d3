//! Containers connect to what is listed, and to nothing else: `network_filter SOCKET ADDRESS:PORT...`.
//!
//! Run it, and name its socket as `listenerPath` of a profile that notifies of `connect`. (One that means it
//! refuses `sendto`, `sendmsg`, `sendmmsg` and io_uring as well, or has them answered likewise.)

#![allow(dead_code, clippy::print_stderr, reason = "a program; a test uses its handler only")]

use std::net::SocketAddr;

use cofferdam_notify::{Actors, Call, Errno, Registry, runtime::Server};

pub(crate) fn registry(allowed: Vec<SocketAddr>) -> Registry {
    let actors = Actors::new(1);
    Registry::new().on(&["connect"], move |request| {
        let call = request.call()?;
        let Call::Connect { address, .. } = &call else { Err(Errno::ENOSYS)? };
        let listed = |(ip, port)| allowed.contains(&SocketAddr::new(ip, port));
        if !address.destination().is_some_and(listed) {
            Err(Errno::EACCES)?;
        }
        // Connected here, to the address that was looked at: the caller may have changed its own by now.
        actors.for_caller(request)?.perform(&call)
    })
}

fn main() -> cofferdam_notify::Result<()> {
    let mut words = std::env::args().skip(1);
    let socket = words.next().unwrap_or_default();
    let allowed: Vec<_> = words.filter_map(|word| word.parse().ok()).collect();
    Server::bind(socket)?.serve(|_| registry(allowed.clone()), |e| eprintln!("{e}"))
}
