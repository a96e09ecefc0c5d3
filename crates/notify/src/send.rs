//! Sending for a caller: sendto(2), sendmsg(2), sendmmsg(2).
//!
//! Called by `perform`. Addresses, data and ancillary data are sent as they were read and judged, through a duplicate
//! of the socket. What an ancillary message or a flag would mean when somebody else sends it must be known here:
//! others are refused.

use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam_sys::{Errno, socket};

use crate::{Actor, Address, Answer, Error, Message, Request, Result, UnixAddress};

/// Most bytes of one message: what a stream does not take is for the caller to send again.
const LARGEST: usize = 1 << 20;
/// Most bytes of one sendmmsg(2), which then tells how many messages were sent.
const TOGETHER: usize = 4 << 20;
/// Most descriptors of a message (`SCM_MAX_FD`).
const DESCRIPTORS: usize = 253;
const AF_UNIX: u32 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
const MSG_DONTWAIT: u32 = 0x40;
/// Flags that mean the same whoever sends: out of band, local network only, not waiting, end of record, confirmed,
/// no signal, more to come, with the connection. Without copying (`MSG_ZEROCOPY`) would be out of our memory.
const FLAGS: u32 = 0x1 | 0x4 | MSG_DONTWAIT | 0x80 | 0x800 | 0x4000 | 0x8000 | 0x2000_0000;

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const SCM_CREDENTIALS: i32 = 2;
/// Level and type of what says how a packet is sent, and needs no right: type of service, time to live, source
/// address and interface of both IP versions, no fragments, segment size. Headers that route (`IPV6_RTHDR`) and marks
/// (`SO_MARK`) would be sent with our rights.
const OF_PACKETS: [(i32, i32); 9] =
    [(0, 1), (0, 2), (0, 8), (41, 50), (41, 52), (41, 62), (41, 67), (17, 103), (1, 37)];

/// A caller's socket.
struct Sender {
    socket: OwnedFd,
    domain: u32,
}

impl Sender {
    fn may_go(&self, address: Option<&Address>) -> Result<()> {
        let known = match (self.domain, address) {
            (AF_INET | AF_INET6 | AF_UNIX, None) => true,
            (AF_INET | AF_INET6, Some(address)) => address.inet().is_some(),
            // A path is looked up by who sends, with its rights, and in its mount namespace.
            (AF_UNIX, Some(address)) => matches!(address.unix(), Some(UnixAddress::Abstract(_))),
            _ => false,
        };
        if known { Ok(()) } else { Err(Errno::EOPNOTSUPP)? }
    }

    fn send(&self, data: &[u8], control: &[u8], flags: u32, address: Option<&Address>) -> Result<usize> {
        let to = address.map_or(&[][..], Address::bytes);
        // Waiting for room would be waiting here, for somebody who may go.
        Ok(socket::send_message(self.socket.as_raw_fd(), data, control, flags | MSG_DONTWAIT, to)?)
    }
}

impl Actor<'_> {
    fn sender(&self, number: i32, flags: u32) -> Result<Sender> {
        if flags & !FLAGS != 0 {
            Err(Errno::EOPNOTSUPP)?;
        }
        let socket = self.caller.descriptor(number)?;
        let domain = socket::domain(socket.as_raw_fd())?;
        Ok(Sender { socket, domain })
    }

    pub(crate) fn send_to(
        &self,
        (number, flags): (i32, u32),
        (buffer, length): (u64, u64),
        address: Option<&Address>,
    ) -> Result<Answer> {
        let sender = self.sender(number, flags)?;
        sender.may_go(address)?;
        let control = if sender.domain == AF_UNIX { self.ancillary(&sender, &[])?.0 } else { Vec::new() };
        let length = length.min(LARGEST as u64);
        let data = self.request.read(|memory| memory.counted(buffer, length, LARGEST))?;
        value(sender.send(&data, &control, flags, address)?)
    }

    pub(crate) fn send_messages(&self, number: i32, messages: &[Message], flags: u32) -> Result<Answer> {
        let sender = self.sender(number, flags)?;
        let (mut count, mut bytes) = (0usize, 0usize);
        for message in messages {
            let sent = self.send_message(&sender, message, flags).and_then(|sent| {
                tell(self.request, message, sent)?;
                Ok(sent)
            });
            match (message.told, sent) {
                (None, sent) => return value(sent?),
                (Some(_), Ok(sent)) => bytes = bytes.saturating_add(sent),
                (Some(_), Err(Error::Gone)) => return Err(Error::Gone),
                (Some(_), Err(e)) if count == 0 => return Err(e),
                // What was sent is told; the caller gets the error when it comes to this one again.
                (Some(_), Err(_)) => break,
            }
            count = count.saturating_add(1);
            if bytes > TOGETHER {
                break;
            }
        }
        value(count)
    }

    fn send_message(&self, sender: &Sender, message: &Message, flags: u32) -> Result<usize> {
        sender.may_go(message.address.as_ref())?;
        let (control, _descriptors) = self.ancillary(sender, &message.control)?;
        let parts = message.parts.clone();
        let data = self.request.read(move |memory| {
            let mut data = Vec::new();
            for (at, length) in &parts {
                let room = LARGEST.saturating_sub(data.len()) as u64;
                data.extend(memory.counted(*at, (*length).min(room), LARGEST)?);
            }
            Ok(data)
        })?;
        sender.send(&data, &control, flags, message.address.as_ref())
    }

    /// What goes along, made anew: descriptors are the caller's, duplicated (and kept until it is sent), and the
    /// other side of a unix socket sees who called, not who sends.
    fn ancillary(&self, sender: &Sender, control: &[u8]) -> Result<(Vec<u8>, Vec<OwnedFd>)> {
        let (mut made, mut held) = (Vec::new(), Vec::new());
        if !control.is_empty() && !self.request.arch().is_some_and(crate::names::wide) {
            Err(Errno::EOPNOTSUPP)?;
        }
        for (level, kind, data) in headers(control)? {
            match (sender.domain, level, kind) {
                (AF_UNIX, SOL_SOCKET, SCM_RIGHTS) => {
                    for number in data.chunks_exact(4).filter_map(<[u8]>::first_chunk) {
                        held.push(self.caller.descriptor(i32::from_ne_bytes(*number))?);
                    }
                    if held.len() > DESCRIPTORS {
                        Err(Errno::EINVAL)?;
                    }
                }
                // Whatever it says: what is true is said below.
                (AF_UNIX, SOL_SOCKET, SCM_CREDENTIALS) => {}
                (AF_INET | AF_INET6, ..) if OF_PACKETS.contains(&(level, kind)) => {
                    push(&mut made, (level, kind), data);
                }
                _ => Err(Errno::EOPNOTSUPP)?,
            }
        }
        if !held.is_empty() {
            let numbers: Vec<u8> = held.iter().flat_map(|fd| fd.as_raw_fd().to_ne_bytes()).collect();
            push(&mut made, (SOL_SOCKET, SCM_RIGHTS), &numbers);
        }
        if sender.domain == AF_UNIX {
            let who = self.caller.credentials();
            let words = [self.caller.pid().cast_unsigned(), who.real_uid, who.real_gid];
            let words: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
            push(&mut made, (SOL_SOCKET, SCM_CREDENTIALS), &words);
        }
        Ok((made, held))
    }
}

/// `msg_len` of sendmmsg(2).
fn tell(request: &Request, message: &Message, sent: usize) -> Result<()> {
    let Some(at) = message.told else { return Ok(()) };
    request.write(at, &u32::try_from(sent).unwrap_or(u32::MAX).to_ne_bytes())
}

fn value(sent: usize) -> Result<Answer> {
    Ok(Answer::Value(i64::try_from(sent).unwrap_or(i64::MAX)))
}

/// `struct cmsghdr` of 64-bit ABIs: its length, level, type.
const HEADER: usize = 16;

const fn padded(length: usize) -> usize {
    length.saturating_add(7) & !7
}

/// Level, type and data of each (cmsg(3)); lengths that do not fit are `EINVAL`.
fn headers(mut rest: &[u8]) -> Result<Vec<(i32, i32, &[u8])>> {
    let mut all = Vec::new();
    while rest.len() >= HEADER {
        let word =
            |at: usize| rest.get(at..).and_then(|bytes| bytes.first_chunk()).map(|b| i32::from_ne_bytes(*b));
        let length = rest.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
        let length = usize::try_from(length).map_err(|_| Errno::EINVAL)?;
        let data = rest.get(HEADER..length).ok_or(Errno::EINVAL)?;
        let (Some(level), Some(kind)) = (word(8), word(12)) else { Err(Errno::EINVAL)? };
        all.push((level, kind, data));
        rest = rest.get(padded(length)..).unwrap_or_default();
    }
    Ok(all)
}

fn push(control: &mut Vec<u8>, (level, kind): (i32, i32), data: &[u8]) {
    control.extend(HEADER.saturating_add(data.len()).to_ne_bytes());
    control.extend(level.to_ne_bytes());
    control.extend(kind.to_ne_bytes());
    control.extend_from_slice(data);
    control.resize(padded(control.len()), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancillary_messages_are_read_as_they_are_written() {
        let mut control = Vec::new();
        push(&mut control, (1, 1), &[7, 0, 0, 0]);
        push(&mut control, (0, 8), &[1; 12]);
        assert_eq!(control.len(), 24 + 32);
        assert_eq!(headers(&control).unwrap(), [(1, 1, &[7, 0, 0, 0][..]), (0, 8, &[1; 12][..])]);
        assert_eq!(headers(&[]).unwrap(), []);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for length in [0u64, 15, 33, 1 << 32, u64::MAX, i64::MAX.cast_unsigned()] {
            let mut control = vec![0; 32];
            control[..8].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(headers(&control).unwrap_err().for_caller(), Some(Errno::EINVAL), "{length}");
        }
        assert_eq!(headers(&[1; 15]).unwrap(), [], "less than a header is none, as the kernel has it");
    }
}
