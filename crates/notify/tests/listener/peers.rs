//! Peers of the agent's socket, good and bad.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cofferdam_notify::runtime::Server;
use cofferdam_notify::{Error, Listener};
use cofferdam_sys::socket;

use crate::world::notified;

/// A server in a directory of its own, which is removed with it.
struct Agent {
    server: Server,
    dir: PathBuf,
}

impl Agent {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("cofferdam-notify-{}-{number}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let server = Server::bind(dir.join("agent")).unwrap().patience(Duration::from_millis(200));
        Self { server, dir }
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.dir.join("agent")).unwrap()
    }

    /// What the server says to a peer that sends this and stays.
    fn refuses(&self, bytes: &[u8], fds: &[i32]) -> String {
        let peer = self.connect();
        if !bytes.is_empty() {
            socket::send(peer.as_raw_fd(), bytes, fds).unwrap();
        }
        match self.server.next() {
            Err(e @ Error::Message(_)) => e.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn listener() -> Listener {
    let (listener, caller) = notified(&["mkdirat"], || ());
    caller.join().unwrap();
    listener
}

const STATE: &str = r#"{"ociVersion":"1.0.2","fds":["other","seccompFd"],"pid":7,"metadata":"A=1",
    "state":{"ociVersion":"1.0.2","id":"one","status":"creating","pid":7,"bundle":"/b"}}"#;

/// How many descriptors of this process are of the file, whatever other tests open.
fn descriptors(of: &std::path::Path) -> usize {
    let all = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    all.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|there| there == of)).count()
}

#[test]
fn the_descriptor_is_picked_by_its_name_and_the_others_are_closed() {
    let agent = Agent::new();
    let (listener, null) = (listener(), File::open("/dev/null").unwrap());
    let peer = agent.connect();
    let fds = [null.as_raw_fd(), listener.as_fd().as_raw_fd()];
    socket::send(peer.as_raw_fd(), STATE.as_bytes(), &fds).unwrap();
    let container = agent.server.next().unwrap().unwrap();
    assert_eq!((container.state.state.id.as_str(), container.state.metadata.as_str()), ("one", "A=1"));
    assert_eq!(container.runtime.0.unsigned_abs(), std::process::id());
    assert!(container.listener.next().unwrap().is_none(), "its caller has ended");
}

#[test]
fn a_state_may_come_in_pieces() {
    let agent = Agent::new();
    let (listener, null) = (listener(), File::open("/dev/null").unwrap());
    let mut peer = agent.connect();
    let (head, tail) = STATE.split_at(100);
    let fds = [null.as_raw_fd(), listener.as_fd().as_raw_fd()];
    socket::send(peer.as_raw_fd(), head.as_bytes(), &fds).unwrap();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| agent.server.next().unwrap().unwrap().state.pid);
        std::thread::sleep(Duration::from_millis(20));
        peer.write_all(tail.as_bytes()).unwrap();
        assert_eq!(server.join().unwrap(), 7);
    });
}

#[test]
fn peers_that_send_something_else_are_told_apart_and_cost_nothing() {
    let agent = Agent::new();
    let path = agent.dir.join("file");
    let (listener, file) = (listener(), File::create(&path).unwrap());
    let (null, good) = (file.as_raw_fd(), listener.as_fd().as_raw_fd());
    assert!(agent.refuses(b"", &[]).contains("in time"));
    assert!(agent.refuses(b"{", &[good]).contains("in time"));
    assert!(agent.refuses(b"[1,2,3]", &[]).contains("in time"), "no document of an object's kind");
    assert!(agent.refuses(STATE.as_bytes(), &[good]).contains("1 descriptors came, and 2 are named"));
    assert!(agent.refuses(STATE.as_bytes(), &[good, null]).contains("is no listener"));
    assert!(agent.refuses(STATE.as_bytes(), &[null; 32]).contains("32 descriptors came"));
    let other = STATE.replace("seccompFd", "another");
    assert!(agent.refuses(other.as_bytes(), &[null, good]).contains("is called seccompFd"));
    assert_eq!(descriptors(&path), 1, "all that came was closed");
}

#[test]
fn a_state_without_end_is_cut_off() {
    let agent = Agent::new();
    let mut peer = agent.connect();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || while peer.write_all(&[b' '; 4096]).is_ok() {});
        let e = agent.server.next().unwrap_err();
        assert!(e.to_string().contains("longer than"), "{e}");
        writer.join().unwrap();
    });
}

#[test]
fn silent_peers_hold_up_nobody() {
    let agent = Agent::new();
    let _silent: Vec<_> = (0..20).map(|_| agent.connect()).collect();
    let (listener, null) = (listener(), File::open("/dev/null").unwrap());
    let peer = agent.connect();
    let fds = [null.as_raw_fd(), listener.as_fd().as_raw_fd()];
    socket::send(peer.as_raw_fd(), STATE.as_bytes(), &fds).unwrap();
    let before = Instant::now();
    assert!(agent.server.next().unwrap().is_some());
    assert!(before.elapsed() < Duration::from_millis(150), "{:?}", before.elapsed());
    std::thread::scope(|scope| {
        scope.spawn(|| while agent.server.next().is_err() {});
        std::thread::sleep(Duration::from_millis(300));
        agent.server.stop();
    });
}

#[test]
fn a_socket_that_nobody_listens_on_is_replaced_and_another_is_not() {
    let agent = Agent::new();
    let path = agent.dir.join("agent");
    assert!(matches!(Server::bind(&path), Err(Error::System { .. })), "somebody listens");
    let abandoned = agent.dir.join("abandoned");
    drop(std::os::unix::net::UnixListener::bind(&abandoned).unwrap());
    let server = Server::bind(&abandoned).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&abandoned.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    drop(server);
    assert!(!abandoned.exists());
    std::fs::write(&abandoned, "a file").unwrap();
    assert!(Server::bind(&abandoned).is_err());
    assert_eq!(std::fs::read_to_string(&abandoned).unwrap(), "a file");
}
