//! A file system that the kernel does not have: containers mount type `secrets`, and find what the supervisor put
//! there: `fake_mount SOCKET TEXT`.
//!
//! Run it, and name its socket as `listenerPath` of a profile that notifies of `mount`.

#![allow(dead_code, clippy::print_stderr, reason = "a program; a test uses its handler only")]

use std::path::Path;

use cofferdam_notify::{AT_FDCWD, Actors, Answer, Call, Errno, Registry, Set, runtime::Server};
use cofferdam_nsenter::{Inside, Mount};

const CAP_SYS_ADMIN: u32 = 21;

pub(crate) fn registry(secret: &str) -> Registry {
    let (actors, secret) = (Actors::new(1), secret.to_owned());
    Registry::new().on(&["mount"], move |request| {
        let mount = match request.call()? {
            Call::Mount(mount) if mount.fstype.as_deref() == Some(c"secrets") => mount,
            _ => Err(Errno::EPERM)?,
        };
        let target = mount.target.to_str().map_err(|_| Errno::EINVAL)?;
        let actor = actors.for_caller(request)?.granting(CAP_SYS_ADMIN);
        // In one go: nobody sees it half done but its own processes.
        actor.act(Set::NAMESPACES, AT_FDCWD, |inside| {
            inside.mount(&Mount::new("tmpfs", target).source("secrets").data("size=64k,mode=755"))?;
            inside.write(Path::new(target).join("token"), secret.as_bytes(), 0o400)
        })?;
        Ok(Answer::Value(0))
    })
}

fn main() -> cofferdam_notify::Result<()> {
    let mut words = std::env::args().skip(1);
    let (socket, text) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Server::bind(socket)?.serve(|_| registry(&text), |e| eprintln!("{e}"))
}
