//! Calls on sockets, by themselves and through socketcall(2).
//!
//! Called by `Call::of`.

use super::Call;
use super::arguments::{Arguments, lower};
use crate::{Address, Error, Result, names};

/// `sizeof(struct sockaddr_storage)`.
const LONGEST: usize = 128;
/// `UIO_MAXIOV`: most messages of one sendmmsg(2).
const MESSAGES: u32 = 1024;

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
            Call::SendMessages { socket: a.int(0), addresses: vec![message(a, a.long(1))?], flags: a.uint(2) }
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

/// `struct msghdr`: the address and its length are its first two words.
fn message(a: &Arguments<'_>, at: u64) -> Result<Option<Address>> {
    let words = a.memory.words(at, 2)?;
    let [name, length] = *words.as_slice() else { return Err(Error::malformed("a message")) };
    // Longer ones are cut off by the kernel, not refused.
    let length = lower(length).min(128).cast_signed();
    match length {
        0 => Ok(None),
        length => a.memory.optional(name, |name| address(a, name, length)),
    }
}

/// `struct mmsghdr`: a `struct msghdr` and the length that was sent.
fn many(a: &Arguments<'_>) -> Result<Call> {
    let size = if names::wide(a.arch) { 64u64 } else { 32 };
    let mut addresses = Vec::new();
    for n in 0..u64::from(a.uint(2).min(MESSAGES)) {
        let at = a.long(1).checked_add(n * size).ok_or_else(|| Error::malformed("an address"))?;
        addresses.push(message(a, at)?);
    }
    Ok(Call::SendMessages { socket: a.int(0), addresses, flags: a.uint(3) })
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
