//! A socket of netlink(7): requests, and the answers to them.
//!
//! Used by everything here that speaks to the kernel. It knows nothing of links and addresses.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use cofferdam_sys::Errno;
use cofferdam_sys::clone3::CLONE_NEWNET;
use cofferdam_sys::setns::setns;
use cofferdam_sys::socket::{recv_netlink, send};
use netlink_packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NlasIterator,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::message::Message;

/// How often a list is asked for again that changed while it was made.
const TRIES: u32 = 16;

/// The kernel's no, and its words for it, where it had any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) errno: i32,
    pub(crate) said: Option<String>,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { errno: errno.0, said: None }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Errno(error.raw_os_error().unwrap_or(Errno::EIO.0)).into()
    }
}

/// How many requests go out in one datagram.
const AT_ONCE: usize = 64;

type Result<T> = std::result::Result<T, Refusal>;

/// How large an answer of the kernel's may be: it fills buffers of at most 32 kB.
const LARGEST: usize = 64 << 10;

/// A socket that was opened here, or one that was handed over.
#[derive(Debug)]
enum Channel {
    Own(Socket),
    Given(OwnedFd),
}

impl Channel {
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Own(socket) => uninterrupted(|| socket.send_to(bytes, &SocketAddr::new(0, 0), 0)).map(drop),
            Self::Given(fd) => {
                send(fd.as_raw_fd(), bytes, &[]).map_err(|e| io::Error::from_raw_os_error(e.0))
            }
        }
    }

    fn raw(&self) -> i32 {
        match self {
            Self::Own(socket) => socket.as_raw_fd(),
            Self::Given(fd) => fd.as_raw_fd(),
        }
    }
}

/// A socket; it belongs to the network namespace that it was opened in, whoever uses it.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: Channel,
    sequence: u32,
    /// What the kernel answers, one datagram after the other.
    buffer: Vec<u8>,
}

impl Netlink {
    /// In the namespace of the calling thread.
    pub(crate) fn open() -> Result<Self> {
        Self::open_protocol(NETLINK_ROUTE)
    }

    /// As [`Self::open`], of the protocol that is asked for.
    pub(crate) fn open_protocol(protocol: isize) -> Result<Self> {
        let socket = Socket::new(protocol)?;
        // The kernel's own words are a help and not a need.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        Ok(Self { socket: Channel::Own(socket), sequence: 0, buffer: Vec::new() })
    }

    /// One that somebody else opened, in the namespace that it is about.
    pub(crate) fn of(socket: OwnedFd) -> Self {
        Self { socket: Channel::Given(socket), sequence: 0, buffer: Vec::new() }
    }

    /// Its descriptor.
    pub(crate) fn raw(&self) -> i32 {
        self.socket.raw()
    }

    /// For somebody else's [`Self::of`].
    pub(crate) fn into_fd(self) -> Result<OwnedFd> {
        match self.socket {
            Channel::Given(fd) => Ok(fd),
            Channel::Own(socket) => Ok(cofferdam_sys::pidfd::duplicate(socket.as_raw_fd())?.into()),
        }
    }

    /// In another namespace: a thread goes there, opens the socket and ends.
    pub(crate) fn open_in(namespace: &File) -> Result<Self> {
        Self::open_protocol_in(namespace.as_fd(), NETLINK_ROUTE)
    }

    /// As [`Self::open_in`], of the protocol that is asked for.
    pub(crate) fn open_protocol_in(namespace: BorrowedFd<'_>, protocol: isize) -> Result<Self> {
        let there = || {
            setns(namespace.as_raw_fd(), CLONE_NEWNET)?;
            Self::open_protocol(protocol)
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("netns".into()).spawn_scoped(scope, there)?;
            thread.join().unwrap_or_else(|_| Err(Errno::EIO.into()))
        })
    }

    /// Asks for a list, until it is one that did not change while it was made.
    pub(crate) fn list(&mut self, request: &Message) -> Result<Vec<Message>> {
        for _ in 0..TRIES {
            let (answers, torn) = self.exchange(request, NLM_F_DUMP)?;
            if !torn {
                return Ok(answers);
            }
        }
        Err(Errno::EINTR.into())
    }

    /// Asks for one thing, or to do one thing; `flags` are added to those that every request has.
    pub(crate) fn ask(&mut self, request: Message, flags: u16) -> Result<Vec<Message>> {
        self.exchange(&request, flags).map(|(answers, _)| answers)
    }

    /// Sends requests as one datagram and gives the number of the first; the others' follow it.
    fn send(&mut self, requests: &[(Message, u16)]) -> Result<u32> {
        let first = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        for (request, flags) in requests {
            self.sequence = self.sequence.wrapping_add(1);
            let mut header = NetlinkHeader::default();
            header.flags = NLM_F_REQUEST | flags;
            header.sequence_number = self.sequence;
            let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request.clone()));
            message.finalize();
            let start = bytes.len();
            bytes.resize(start.saturating_add(message.buffer_len().next_multiple_of(4)), 0);
            message.serialize(bytes.get_mut(start..).unwrap_or_default());
        }
        self.socket.send(&bytes)?;
        Ok(first)
    }

    /// The next answers of the kernel's; anybody may send to a netlink socket, but only it is port 0.
    fn receive(&mut self) -> Result<Vec<(NetlinkHeader, NetlinkPayload<Message>)>> {
        self.buffer.resize(LARGEST, 0);
        loop {
            let (length, sender) = recv_netlink(self.socket.raw(), &mut self.buffer)?;
            if sender == 0 {
                return split(self.buffer.get(..length).unwrap_or_default());
            }
        }
    }

    /// Asks for several things at once; one that is refused does not hinder the later ones. The answers
    /// come by request, or the first refusal with the number of its request, counted from 0.
    pub(crate) fn batch(
        &mut self,
        requests: &[(Message, u16)],
    ) -> std::result::Result<Vec<Vec<Message>>, (usize, Refusal)> {
        let acknowledged: Vec<_> = requests.iter().map(|(m, flags)| (m.clone(), flags | NLM_F_ACK)).collect();
        let mut answers = vec![Vec::new(); requests.len()];
        let mut failed: Option<(usize, Refusal)> = None;
        // The acknowledgements of more would not fit into a socket's buffer of the usual size.
        for (start, part) in (0..).step_by(AT_ONCE).zip(acknowledged.chunks(AT_ONCE)) {
            let first = self.send(part).map_err(|refusal| (start, refusal))?;
            let mut left = part.len();
            while left > 0 {
                for (header, payload) in self.receive().map_err(|refusal| (start, refusal))? {
                    let which = header.sequence_number.wrapping_sub(first);
                    let Some(which) = usize::try_from(which).ok().filter(|&n| n < part.len()) else {
                        continue;
                    };
                    let which = start.saturating_add(which);
                    match payload {
                        NetlinkPayload::InnerMessage(answer) => {
                            answers.get_mut(which).into_iter().for_each(|list| list.push(answer.clone()));
                        }
                        NetlinkPayload::Error(error) => {
                            left = left.saturating_sub(1);
                            let refused = refusal(&header, &error).map(|refusal| (which, refusal));
                            failed = failed.take().or(refused);
                        }
                        _ => {}
                    }
                }
            }
        }
        failed.map_or(Ok(answers), Err)
    }

    /// Does all of several things or none; `around` stands before and after them in the datagram. The first
    /// refusal comes with the number of its request, counted from 1.
    pub(crate) fn transaction(
        &mut self,
        around: (Message, Message),
        requests: Vec<(Message, u16)>,
    ) -> std::result::Result<(), (usize, Refusal)> {
        let mut all = vec![(around.0, 0)];
        all.extend(requests);
        let last = all.len().saturating_sub(1);
        // One yes is enough, and noes come for all; the end itself is answered only since Linux 6.10.
        all.last_mut().into_iter().for_each(|(_, flags)| *flags |= NLM_F_ACK);
        all.push((around.1, 0));
        let first = self.send(&all).map_err(|refusal| (0, refusal))?;
        loop {
            for (header, payload) in self.receive().map_err(|refusal| (0, refusal))? {
                let which = usize::try_from(header.sequence_number.wrapping_sub(first)).unwrap_or(usize::MAX);
                let NetlinkPayload::Error(error) = payload else { continue };
                match refusal(&header, &error).filter(|_| which < all.len()) {
                    Some(refusal) => return Err((which, refusal)),
                    None if which == last => return Ok(()),
                    None => {}
                }
            }
        }
    }

    fn exchange(&mut self, request: &Message, flags: u16) -> Result<(Vec<Message>, bool)> {
        self.send(&[(request.clone(), flags | NLM_F_ACK)])?;
        let (mut answers, mut torn) = (Vec::new(), false);
        loop {
            for (header, payload) in self.receive()? {
                if header.sequence_number != self.sequence {
                    continue;
                }
                torn |= header.flags & NLM_F_DUMP_INTR != 0;
                match payload {
                    NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                    NetlinkPayload::Done(done) if done.code < 0 => {
                        return Err(Errno(done.code.saturating_neg()).into());
                    }
                    NetlinkPayload::Done(_) => return Ok((answers, torn)),
                    NetlinkPayload::Error(error) => {
                        return refusal(&header, &error).map_or_else(|| Ok((answers, torn)), Err);
                    }
                    _ => {}
                }
            }
        }
    }
}

fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// The messages of one datagram.
fn split(mut datagram: &[u8]) -> Result<Vec<(NetlinkHeader, NetlinkPayload<Message>)>> {
    let mut messages = Vec::new();
    while !datagram.is_empty() {
        let message = NetlinkMessage::<Message>::deserialize(datagram)
            .map_err(|e| Refusal { errno: Errno::EBADMSG.0, said: Some(e.to_string()) })?;
        let length = usize::try_from(message.header.length).unwrap_or(usize::MAX).max(16);
        datagram = length.checked_next_multiple_of(4).and_then(|n| datagram.get(n..)).unwrap_or_default();
        messages.push(message.into_parts());
    }
    Ok(messages)
}

/// The refusal in an acknowledgement; nothing when it is a yes.
fn refusal(header: &NetlinkHeader, error: &ErrorMessage) -> Option<Refusal> {
    const NLMSGERR_ATTR_MSG: u16 = 1;
    /// The request's header; its body is not repeated with `NETLINK_CAP_ACK`.
    const REPEATED: usize = 16;
    let errno = error.code?.get().saturating_neg();
    let words = (header.flags & NLM_F_ACK_TLVS != 0).then(|| error.header.get(REPEATED..)).flatten();
    let said = NlasIterator::new(words.unwrap_or_default())
        .filter_map(std::result::Result::ok)
        .find(|attribute| attribute.kind() == NLMSGERR_ATTR_MSG)
        .map(|attribute| String::from_utf8_lossy(attribute.value()).trim_end_matches('\0').to_owned());
    Some(Refusal { errno, said })
}
