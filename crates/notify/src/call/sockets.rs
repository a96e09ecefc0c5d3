//! Calls on sockets, by themselves and through socketcall(2).
//!
//! Called by `Call::of`.

use cofferdam_sys::Errno;

use super::arguments::{Arguments, lower};
use super::{Call, Message};
use crate::{Address, Error, Result, names};

/// `sizeof(struct sockaddr_storage)`.
const LONGEST: usize = 128;
/// Most messages of one sendmmsg(2) that are looked at; it tells how many were sent, and callers go on from there.
const MESSAGES: u32 = 64;
/// `UIO_MAXIOV`: most parts of a message.
const PARTS: usize = 1024;
/// Most bytes of ancillary data; the kernel's own limit is larger (`net.core.optmem_max`).
const CONTROL: usize = 4096;

pub(super) fn decode(name: &str, a: &Arguments<'_>) -> Result<Option<Call>> {
    let call = match name {
        "connect" => Call::Connect { socket: a.int(0), address: address(a, a.long(1), a.int(2))? },
        "bind" => Call::Bind { socket: a.int(0), address: address(a, a.long(1), a.int(2))? },
        "sendto" => Call::SendTo {
            socket: a.int(0),
            buffer: a.long(1),
            length: a.long(2),
            flags: a.uint(3),
            address: a.memory.optional(a.long(4), |at| address(a, at, a.int(5)))?,
        },
        "sendmsg" => {
            Call::SendMessages { socket: a.int(0), messages: vec![message(a, a.long(1))?], flags: a.uint(2) }
        }
        "sendmmsg" => many(a)?,
        "socketcall" => return multiplexed(a),
        _ => return Ok(None),
    };
    Ok(Some(call))
}

fn address(a: &Arguments<'_>, at: u64, length: i32) -> Result<Address> {
    let length = u64::try_from(length).map_err(|_| Error::malformed("the length of an address"))?;
    a.memory.counted(at, length, LONGEST).map(|bytes| Address::new(&bytes))
}

/// `struct msghdr`: address, vector and ancillary data, each with its length.
fn message(a: &Arguments<'_>, at: u64) -> Result<Message> {
    let words = a.memory.words(at, 6)?;
    let [name, name_length, vector, count, control, control_length] = *words.as_slice() else {
        return Err(Error::malformed("a message"));
    };
    let address = match lower(name_length).cast_signed() {
        0 => None,
        // Longer ones are cut off by the kernel, not refused.
        length => a.memory.optional(name, |name| address(a, name, length.min(128)))?,
    };
    let too_many = |limit, errno| Error::TooLong { limit, errno };
    let count = usize::try_from(count).ok().filter(|n| *n <= PARTS);
    let count = count.ok_or_else(|| too_many(PARTS, Errno::EMSGSIZE))?;
    let words = a.memory.words(vector, count.saturating_mul(2))?;
    let parts = words.chunks_exact(2).filter_map(|part| Some((*part.first()?, *part.last()?))).collect();
    let length = if control == 0 { 0 } else { control_length };
    let control = a.memory.counted(control, length, CONTROL).map_err(|e| match e {
        Error::TooLong { .. } => too_many(CONTROL, Errno::ENOBUFS),
        e => e,
    })?;
    Ok(Message { address, parts, control, told: None })
}

/// `struct mmsghdr`: a `struct msghdr` and the length that was sent.
fn many(a: &Arguments<'_>) -> Result<Call> {
    let (size, length_at) = if names::wide(a.arch) { (64u64, 56) } else { (32, 28) };
    let mut messages = Vec::new();
    for n in 0..u64::from(a.uint(2).min(MESSAGES)) {
        let at = a.long(1).checked_add(n * size).ok_or_else(|| Error::malformed("an address"))?;
        let next = match message(a, at) {
            // As the kernel does: those before it are sent.
            Err(_) if n > 0 => break,
            other => other?,
        };
        messages.push(Message { told: at.checked_add(length_at), ..next });
    }
    Ok(Call::SendMessages { socket: a.int(0), messages, flags: a.uint(3) })
}

/// What a number of socketcall(2) stands for, from 1.
const MULTIPLEXED: [&str; 20] = [
    "socket",
    "bind",
    "connect",
    "listen",
    "accept",
    "getsockname",
    "getpeername",
    "socketpair",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendmsg",
    "recvmsg",
    "accept4",
    "recvmmsg",
    "sendmmsg",
];

/// The call that socketcall(2) makes. The number is in a register, so that it stays what it is.
pub(crate) fn behind_socketcall(number: u32) -> Option<&'static str> {
    MULTIPLEXED.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
}

/// i386 and others: the number of the call, and where its arguments are.
fn multiplexed(a: &Arguments<'_>) -> Result<Option<Call>> {
    let Some(name) = behind_socketcall(a.uint(0)) else { return Ok(None) };
    let count = match name {
        "bind" | "connect" | "sendmsg" => 3,
        "sendmmsg" => 4,
        "sendto" => 6,
        _ => return Ok(None),
    };
    let mut args = [0; 6];
    for (arg, word) in args.iter_mut().zip(a.memory.words(a.long(1), count)?) {
        *arg = word;
    }
    decode(name, &Arguments { args, ..*a })
}
