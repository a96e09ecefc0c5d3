//! Sockets of another process, given addresses where that process would look them up.
//!
//! Called by the loop. A path of unix(7) is looked up without magic links, as all others are: the kernel itself
//! would follow them, into our own descriptors for example.

use core::ffi::CStr;

use cofferdam_sys::{Errno, open, socket};

use crate::context::{Buffer, Context, Done, Path};
use crate::{here, procfs};

const AF_UNIX: u16 = 1;
/// `sizeof(struct sockaddr_un)`.
const LONGEST: usize = 110;

pub(crate) fn connect(c: &Context, address: &[u8]) -> Done {
    let socket = here::received(c, 0)?;
    let mut path = Path::new();
    let Some(path) = path_of(address, &mut path)? else { return Ok(socket::connect(socket, address)?) };
    let there = here::find(path, open::O_PATH)?;
    Ok(procfs::with_link(c, &there, |own, name| {
        let mut bare = Buffer::<LONGEST>::new();
        let bare = named(name.to_bytes(), &mut bare)?;
        here::at(own, || socket::connect(socket, bare))
    })?)
}

pub(crate) fn bind(c: &Context, address: &[u8]) -> Done {
    let socket = here::received(c, 0)?;
    let mut path = Path::new();
    let Some(path) = path_of(address, &mut path)? else { return Ok(socket::bind(socket, address)?) };
    let mut name = Path::new();
    let parent = here::parent(path, &mut name)?;
    let mut bare = Buffer::<LONGEST>::new();
    let bare = named(name.bytes(), &mut bare)?;
    // The last component is made, and never followed.
    Ok(here::at(&parent, || socket::bind(socket, bare))?)
}

/// The path of a unix socket, which an abstract or absent one has not.
fn path_of<'a>(address: &[u8], room: &'a mut Path) -> cofferdam_sys::Result<Option<&'a CStr>> {
    let unix = address.first_chunk() == Some(&AF_UNIX.to_ne_bytes());
    let path = address.get(2..).unwrap_or_default();
    let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
    if !unix || path.is_empty() {
        return Ok(None);
    }
    if address.len() > LONGEST {
        return Err(Errno::EINVAL);
    }
    room.push(path)?;
    room.c_str().map(Some)
}

fn named<'a>(name: &[u8], room: &'a mut Buffer<LONGEST>) -> cofferdam_sys::Result<&'a [u8]> {
    room.push(&AF_UNIX.to_ne_bytes())?;
    room.push(name)?;
    Ok(room.bytes())
}
