//! Containers' directories get another name than they ask for: `mkdir_rewriter SOCKET SUFFIX`.
//!
//! Run it, and name its socket as `listenerPath` of a profile that notifies of `mkdir` and `mkdirat`.

#![allow(dead_code, clippy::print_stderr, reason = "a program; a test uses its handler only")]

use std::ffi::CString;

use cofferdam_notify::{Actors, Call, Errno, Registry, runtime::Server};

pub(crate) fn registry(suffix: &str) -> Registry {
    let (actors, suffix) = (Actors::new(1), suffix.to_owned());
    Registry::new().on(&["mkdir", "mkdirat"], move |request| {
        let Call::Mkdir { dir, path, mode } = request.call()? else { Err(Errno::ENOSYS)? };
        let path = [path.as_bytes(), suffix.as_bytes()].concat();
        let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
        actors.for_caller(request)?.perform(&Call::Mkdir { dir, path, mode })
    })
}

fn main() -> cofferdam_notify::Result<()> {
    let mut words = std::env::args().skip(1);
    let (socket, suffix) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Server::bind(socket)?.serve(|_| registry(&suffix), |e| eprintln!("{e}"))
}
