//! CRIU's RPC: what is asked of it, what it answers, what it tells meanwhile, and why it failed.
//!
//! Called by the library, which starts `criu swrk` and owns its process and its socket. It knows no container; it
//! may not start, end or look at a process.
//!
//! ```no_run
//! use cofferdam_criu::{Kind, Options, Session};
//! use std::os::fd::AsFd;
//! # fn f(socket: std::os::unix::net::UnixStream) -> Result<(), cofferdam_criu::Error> {
//! let mut session = Session::new(socket.as_fd(), None);
//! if session.version()? >= cofferdam_criu::Version::new(3, 15, 0) {
//!     let options = Options { images_dir_fd: 5, pid: Some(1234), notify_scripts: Some(true), ..Options::default() };
//!     session.run(Kind::Dump, &options, &mut |notice| { println!("{}", notice.script); Ok::<(), cofferdam_criu::Error>(()) })?;
//! }
//! # Ok(())
//! # }
//! ```
mod error;
mod log;
mod message;
mod session;
mod version;

pub use error::Error;
pub use log::{LOG_LIMIT, causes, hint};
pub use message::{
    CgroupMode, CgroupRoot, ExternalMount, Features, InheritedFd, JoinedNamespace, Kind, Options, PageServer,
    Request, Response,
};
pub use session::{Notice, Session};
pub use version::Version;

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
