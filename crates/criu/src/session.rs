//! One conversation: requests on the socket of a `criu swrk`, notifications answered, every answer checked.
//!
//! Called by the library's checkpoint and restore. Whatever the other side says, what comes back is an answer to what
//! was asked or an error; it may not act on notifications itself.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use cofferdam_sys::poll::{POLLIN, PollFd, poll};
use cofferdam_sys::{Errno, socket};

use crate::message::{Features, Kind, Options, Request, Response};
use crate::{Error, Version};

/// Longest answer. CRIU's own are below a kilobyte.
const LONGEST: usize = 64 << 10;
/// How long it may take to say who it is.
const ANSWERS_MS: u64 = 20_000;
/// Most notifications of one run: CRIU knows about a dozen, and has one for each terminal.
const MOST_NOTICES: usize = 4096;

/// Something that CRIU tells of, and waits until it is answered.
///
/// ```
/// let notice = cofferdam_criu::Notice { script: "post-restore".into(), pid: Some(77), fd: None };
/// assert_eq!(notice.script, "post-restore");
/// ```
#[derive(Debug)]
pub struct Notice {
    /// What: `pre-dump`, `network-lock`, `setup-namespaces`, `post-restore`, `orphan-pts-master`, `status-ready`…
    pub script: String,
    /// The first process, where that is known, in CRIU's PID namespace.
    pub pid: Option<i32>,
    /// The master of a terminal (`orphan-pts-master`).
    pub fd: Option<OwnedFd>,
}

/// A conversation on the caller's socket.
///
/// ```
/// use cofferdam_criu::{Error, Session};
/// use std::os::{fd::AsFd, unix::net::UnixDatagram};
/// let (ours, theirs) = UnixDatagram::pair().unwrap();
/// drop(theirs);
/// assert!(Session::new(ours.as_fd(), None).version().is_err());
/// ```
#[derive(Debug)]
pub struct Session<'a> {
    socket: BorrowedFd<'a>,
    patience: Option<u64>,
}

impl<'a> Session<'a> {
    /// On this socket, of `SOCK_SEQPACKET`. While it dumps or restores it may be silent for `patience`, without one
    /// for ever: memory of a terabyte takes its time.
    #[must_use]
    pub fn new(socket: BorrowedFd<'a>, patience: Option<Duration>) -> Self {
        let patience = patience.map(|p| u64::try_from(p.as_millis()).unwrap_or(u64::MAX));
        Self { socket, patience }
    }

    /// Asks for its version; other requests may follow.
    ///
    /// # Errors
    /// Any but [`Error::Silent`] after 20 seconds.
    pub fn version(&mut self) -> Result<Version, Error> {
        self.ask(Kind::Version, None, None)?;
        let (said, _) = self.answer(Kind::Version, Some(ANSWERS_MS))?;
        said.version.as_ref().map(Version::of).ok_or(Error::Garbled("it has no version"))
    }

    /// Asks which of these features it and the kernel have; other requests may follow.
    ///
    /// # Errors
    /// As [`Session::version`].
    pub fn features(&mut self, asked: Features) -> Result<Features, Error> {
        self.ask(Kind::FeatureCheck, None, Some(asked))?;
        let (said, _) = self.answer(Kind::FeatureCheck, Some(ANSWERS_MS))?;
        said.features.ok_or(Error::Garbled("it has no features"))
    }

    /// Dumps or restores. Each notification goes to `notice`; its error ends the conversation and is what comes back,
    /// after CRIU was told and has undone what it did. Gives the restored process's number, 0 for a dump.
    ///
    /// # Errors
    /// All of [`Error`], and those of `notice`.
    pub fn run<E: From<Error>>(
        &mut self,
        kind: Kind,
        options: &Options,
        notice: &mut dyn FnMut(Notice) -> Result<(), E>,
    ) -> Result<i32, E> {
        self.ask(kind, Some(options.clone()), None)?;
        let mut failed = None;
        for _ in 0..MOST_NOTICES {
            let heard = self.hear(self.patience);
            let (said, fd) = match (heard, failed.take()) {
                // Why it stopped is known better here.
                (Err(_), Some(error)) => return Err(error),
                (Err(error), None) => return Err(error.into()),
                (Ok(said), was) => {
                    failed = was;
                    said
                }
            };
            if said.kind != Kind::Notify.number() {
                return match failed {
                    Some(error) => Err(error),
                    None => Ok(finished(&said, kind)?),
                };
            }
            let outcome = notice(heeded(said, fd)?);
            self.acknowledge(outcome.is_ok())?;
            // The first one is the cause; those that follow are told while CRIU undoes what it did.
            if failed.is_none() {
                failed = outcome.err();
            }
        }
        Err(failed.unwrap_or_else(|| Error::Garbled("it does not stop notifying").into()))
    }

    fn ask(&self, kind: Kind, opts: Option<Options>, features: Option<Features>) -> Result<(), Error> {
        let keep_open = Some(opts.is_none());
        self.send(&Request { kind: kind.number(), opts, notify_success: None, keep_open, features })
    }

    fn acknowledge(&self, success: bool) -> Result<(), Error> {
        let notify_success = Some(success);
        self.send(&Request { kind: Kind::Notify.number(), notify_success, ..Request::default() })
    }

    fn send(&self, request: &Request) -> Result<(), Error> {
        match socket::send(self.socket.as_raw_fd(), &request.to_bytes(), &[]) {
            Err(Errno::EPIPE | Errno::ECONNRESET) => Err(Error::Ended),
            other => other.map_err(Error::Socket),
        }
    }

    /// The answer to a question without notifications.
    fn answer(&self, kind: Kind, limit: Option<u64>) -> Result<(Response, Option<OwnedFd>), Error> {
        let (said, fd) = self.hear(limit)?;
        finished(&said, kind)?;
        Ok((said, fd))
    }

    fn hear(&self, limit: Option<u64>) -> Result<(Response, Option<OwnedFd>), Error> {
        let fd = self.socket.as_raw_fd();
        let mut fds = [PollFd { fd, events: POLLIN, revents: 0 }];
        if poll(&mut fds, limit).map_err(Error::Socket)? == 0 {
            return Err(Error::Silent(limit.unwrap_or_default()));
        }
        let mut buffer = vec![0; LONGEST];
        let (n, fds) = match socket::recv(fd, &mut buffer) {
            Err(Errno::ECONNRESET) => return Err(Error::Ended),
            other => other.map_err(Error::Socket)?,
        };
        match n {
            0 => return Err(Error::Ended),
            n if n >= LONGEST => return Err(Error::Garbled("it is too long")),
            _ => {}
        }
        let said = Response::from_bytes(buffer.get(..n).unwrap_or_default());
        let said = said.ok_or(Error::Garbled("it is no message of CRIU's"))?;
        Ok((said, fds.into_iter().flatten().next().map(OwnedFd::from)))
    }
}

fn heeded(said: Response, fd: Option<OwnedFd>) -> Result<Notice, Error> {
    let notify = said.notify.ok_or(Error::Garbled("a notification of nothing"))?;
    Ok(Notice { script: notify.script.unwrap_or_default(), pid: notify.pid, fd })
}

/// The last answer: whether it is one to what was asked, and says that it is done.
fn finished(said: &Response, kind: Kind) -> Result<i32, Error> {
    if !said.success {
        let message = said.message.clone().unwrap_or_default();
        return Err(Error::Refused { errno: said.errno.unwrap_or(0), message });
    }
    if said.kind != kind.number() {
        return Err(Error::Garbled("it answers something else"));
    }
    let pid = said.restore.as_ref().map_or(0, |restored| restored.pid);
    if kind == Kind::Restore && pid <= 0 { Err(Error::Garbled("it has restored nobody")) } else { Ok(pid) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    /// A conversation with somebody who says this, whatever is asked.
    fn with(said: &[Vec<u8>]) -> (OwnedFd, OwnedFd) {
        let (ours, theirs) = socket::pair().unwrap();
        for bytes in said {
            socket::send(theirs.raw(), bytes, &[]).unwrap();
        }
        (ours.into(), theirs.into())
    }

    fn run(said: &[Vec<u8>], kind: Kind) -> (Result<i32, Error>, Vec<String>) {
        let (ours, theirs) = with(said);
        let mut heard = Vec::new();
        let mut session = Session::new(ours.as_fd(), Some(Duration::from_millis(20)));
        let outcome = session.run(kind, &Options::default(), &mut |notice| {
            heard.push(notice.script);
            Ok(())
        });
        drop(theirs);
        (outcome, heard)
    }

    #[test]
    fn notifications_are_told_and_the_answer_comes_back() {
        let said = [
            Response::notification("setup-namespaces", Some(7)).to_bytes(),
            Response::notification("post-restore", Some(7)).to_bytes(),
            Response::restored(7).to_bytes(),
        ];
        let (outcome, heard) = run(&said, Kind::Restore);
        assert_eq!((outcome, heard.join(" ")), (Ok(7), "setup-namespaces post-restore".to_owned()));
    }

    #[test]
    fn an_answer_to_something_else_is_none() {
        let garbled = |said: Vec<u8>, kind| matches!(run(&[said], kind).0, Err(Error::Garbled(_)));
        assert!(garbled(Response::of(Kind::PreDump, true).to_bytes(), Kind::Dump));
        assert!(garbled(Response::of(Kind::Restore, true).to_bytes(), Kind::Restore));
        assert!(garbled(Response::restored(-1).to_bytes(), Kind::Restore));
        assert!(garbled(Response::of(Kind::Notify, true).to_bytes(), Kind::Dump));
        assert!(garbled(b"\xff\xff\xff".to_vec(), Kind::Dump));
        assert!(garbled(vec![0x0a; LONGEST], Kind::Dump));
    }

    #[test]
    fn silence_and_an_early_end_are_told_apart() {
        assert_eq!(run(&[], Kind::Dump).0, Err(Error::Silent(20)));
        let (ours, theirs) = with(&[]);
        drop(theirs);
        assert_eq!(Session::new(ours.as_fd(), None).version(), Err(Error::Ended));
    }

    #[test]
    fn a_failure_brings_its_number_and_its_words() {
        let refused = Error::Refused { errno: 3, message: "no".to_owned() };
        assert_eq!(run(&[Response::failed(Kind::Dump, 3, "no").to_bytes()], Kind::Dump).0, Err(refused));
    }

    #[test]
    fn who_fails_in_a_notification_is_the_cause_of_the_end() {
        let said = [Response::notification("post-dump", None), Response::of(Kind::Dump, false)];
        let (ours, theirs) = with(&said.map(|said| said.to_bytes()));
        let mut session = Session::new(ours.as_fd(), None);
        let outcome = session.run(Kind::Dump, &Options::default(), &mut |_| Err(Error::Garbled("mine")));
        assert_eq!(outcome, Err(Error::Garbled("mine")));
        let mut buffer = [0; 512];
        let mut heard = || {
            let (n, _) = socket::recv(theirs.as_raw_fd(), &mut buffer).unwrap();
            Request::from_bytes(&buffer[..n]).unwrap()
        };
        assert_eq!(heard().kind, Kind::Dump.number());
        assert_eq!(heard().notify_success, Some(false));
    }

    #[test]
    fn endless_notifications_end() {
        let (ours, theirs) = socket::pair().unwrap();
        let theirs: OwnedFd = theirs.into();
        let writer = std::thread::spawn(move || {
            let bytes = Response::notification("x", None).to_bytes();
            while socket::send(theirs.as_raw_fd(), &bytes, &[]).is_ok() {
                let mut ignored = [0; 64];
                let _ = socket::recv(theirs.as_raw_fd(), &mut ignored);
            }
        });
        let ours: OwnedFd = ours.into();
        let outcome: Result<i32, Error> =
            Session::new(ours.as_fd(), None).run(Kind::Dump, &Options::default(), &mut |_| Ok(()));
        assert!(matches!(outcome, Err(Error::Garbled(_))));
        drop(ours);
        writer.join().unwrap();
    }
}
