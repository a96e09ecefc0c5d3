//! How the caller and a helper that runs modules speak: one message of a `SOCK_SEQPACKET` socket each way.
//!
//! Used by `caller` and by `helper`, the two ends. What is long travels as a sealed file in memory. Nothing is
//! passed in the environment, and of the arguments only the socket's number.
//!
//! To the helper: programs as the child program takes them ([`cofferdam_child::frame`]); or a call: [`CALL`] or
//! [`LONG_CALL`], the length of the name as one byte, the name, and the input, which for a long call is in the
//! descriptor that comes along. From the helper: a frame, and the answer after it or, where `b` is 1, in the
//! descriptor.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use cofferdam_child::frame::{Frame, HEADER};
use cofferdam_sys::{Errno, memfd_create, socket};

/// What the helper's first argument is; the second is the number of its socket.
pub(crate) const MARK: &str = "cofferdam:[nsenter]";
pub(crate) const CALL: u8 = b'c';
pub(crate) const LONG_CALL: u8 = b'C';
/// The module's answer.
pub(crate) const ANSWER: u32 = 32;
/// The module's error: `errno` is its code, the text its message.
pub(crate) const ERROR: u32 = 33;
/// The module panicked: the text says how.
pub(crate) const PANIC: u32 = 34;
/// There is no such module.
pub(crate) const UNKNOWN: u32 = 35;
/// Most bytes of a message; what is longer goes into a file.
pub(crate) const MESSAGE: usize = 32 << 10;

type Result<T> = std::result::Result<T, Errno>;

/// Sends a head and a body, the body in a file when both are too long for one message. `mark` says so in the
/// head.
fn send(control: i32, mut head: Vec<u8>, body: &[u8], mark: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    if head.len().saturating_add(body.len()) <= MESSAGE {
        head.extend_from_slice(body);
        return socket::send(control, &head, &[]);
    }
    let fd = memfd_create::memfd_create(c"cofferdam-call", false)?;
    let mut file = File::from(OwnedFd::from(fd));
    file.write_all(body).map_err(errno)?;
    memfd_create::seal(file.as_raw_fd())?;
    mark(&mut head);
    socket::send(control, &head, &[file.as_raw_fd()])
}

/// The caller's side: a call.
pub(crate) fn call(control: i32, module: &str, input: &[u8]) -> Result<()> {
    let length = u8::try_from(module.len()).map_err(|_| Errno::ENAMETOOLONG)?;
    let head = [&[CALL, length], module.as_bytes()].concat();
    send(control, head, input, |head| {
        if let Some(kind) = head.first_mut() {
            *kind = LONG_CALL;
        }
    })
}

/// The helper's side: an answer.
pub(crate) fn answer(control: i32, frame: Frame, body: &[u8]) -> Result<()> {
    send(control, frame.encode().to_vec(), body, |head| {
        *head = Frame { b: 1, ..frame }.encode().to_vec();
    })
}

/// A message and the first descriptor that came along; no bytes when the other side has gone.
pub(crate) fn receive(control: i32) -> Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut message = vec![0; MESSAGE];
    let (n, fds) = loop {
        match socket::recv(control, &mut message) {
            // The other side has gone and left a word of ours unheard; its own words come after this.
            Err(Errno::ECONNRESET) => {}
            other => break other?,
        }
    };
    message.truncate(n);
    Ok((message, fds.into_iter().flatten().next().map(OwnedFd::from)))
}

/// A call, as the helper hears it: name and input.
pub(crate) fn parse_call(message: &[u8], file: Option<OwnedFd>) -> Option<(String, Vec<u8>)> {
    let (&kind, rest) = message.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (name, inline) = rest.split_at_checked(usize::from(length))?;
    let name = std::str::from_utf8(name).ok()?.to_owned();
    match (kind, file) {
        (CALL, None) => Some((name, inline.to_vec())),
        (LONG_CALL, Some(file)) => Some((name, content(&file.into(), u64::MAX).ok()?)),
        _ => None,
    }
}

/// Why an answer is not taken.
#[derive(Debug)]
pub(crate) enum Unheard {
    Garbled(Errno),
    TooLarge(u64),
}

/// An answer, as the caller hears it.
pub(crate) fn parse_answer(
    message: &[u8],
    file: Option<OwnedFd>,
    limit: u64,
) -> std::result::Result<(Frame, Vec<u8>), Unheard> {
    let garbled = || Unheard::Garbled(Errno::EBADMSG);
    let frame = Frame::decode(message).ok_or_else(garbled)?;
    let inline = message.get(HEADER..).unwrap_or_default();
    let body = match (frame.b, file) {
        (1, Some(file)) => content(&file.into(), limit)?,
        _ if u64::try_from(inline.len()).is_ok_and(|n| n > limit) => {
            return Err(Unheard::TooLarge(u64::try_from(inline.len()).unwrap_or(u64::MAX)));
        }
        _ => inline.to_vec(),
    };
    Ok((frame, body))
}

/// What a file in memory holds, read at its own places: its offset is the other side's.
fn content(file: &File, limit: u64) -> std::result::Result<Vec<u8>, Unheard> {
    let unread = |e: std::io::Error| Unheard::Garbled(errno(e));
    let size = file.metadata().map_err(unread)?.len();
    if size > limit {
        return Err(Unheard::TooLarge(size));
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| Unheard::TooLarge(size))?];
    file.read_exact_at(&mut bytes, 0).map_err(unread)?;
    Ok(bytes)
}

fn errno(error: std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(Errno::EIO.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_answers_of_any_length_arrive_whole() {
        let (a, b) = socket::pair().unwrap();
        for length in [0, 1, MESSAGE - 6, MESSAGE - 5, MESSAGE, 3 << 20] {
            let input: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            call(a.raw(), "abcd", &input).unwrap();
            let (message, file) = receive(b.raw()).unwrap();
            let heard = parse_call(&message, file).unwrap();
            assert!(heard == ("abcd".to_owned(), input.clone()), "{length}");
            let frame = Frame { kind: ANSWER, a: 1, b: 0, errno: 3 };
            answer(b.raw(), frame, &input).unwrap();
            let (message, file) = receive(a.raw()).unwrap();
            let (got, body) = parse_answer(&message, file, u64::MAX).unwrap();
            assert!((got.kind, got.errno, &body) == (ANSWER, 3, &input), "{length}");
        }
    }

    #[test]
    fn a_message_that_lies_about_its_lengths_is_refused() {
        assert!(parse_call(b"", None).is_none());
        assert!(parse_call(b"c", None).is_none());
        assert!(parse_call(b"c\x05abcd", None).is_none());
        assert!(parse_call(b"c\x02\xff\xfe", None).is_none());
        assert!(parse_call(b"C\x01a", None).is_none(), "a long call without its file");
        assert!(parse_call(b"x\x01a", None).is_none());
        assert!(matches!(parse_answer(b"short", None, 9), Err(Unheard::Garbled(_))));
        let long = [&Frame { kind: ANSWER, a: 0, b: 0, errno: 0 }.encode()[..], b"0123456789"].concat();
        assert!(matches!(parse_answer(&long, None, 9), Err(Unheard::TooLarge(10))));
    }

    #[test]
    fn a_name_of_any_length_is_sent_or_refused() {
        let (a, b) = socket::pair().unwrap();
        assert_eq!(call(a.raw(), &"n".repeat(256), b"x"), Err(Errno::ENAMETOOLONG));
        call(a.raw(), &"n".repeat(255), b"x").unwrap();
        let (message, file) = receive(b.raw()).unwrap();
        assert_eq!(parse_call(&message, file).unwrap().0.len(), 255);
    }
}
