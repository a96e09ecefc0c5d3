//! The far side of a test's host: a web server and a name server behind another bridge, which know no way back
//! to containers. Called by the tests of outward traffic.

use std::fs::File;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use cofferdam_tests::{Container, Output, json};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::room::{Room, fetch};

pub(crate) struct Far<'t> {
    container: Option<Container<'t>>,
    stop: Arc<AtomicBool>,
    names: Option<JoinHandle<()>>,
}

impl<'t> Far<'t> {
    pub(crate) const V4: &'static str = "203.0.113.9";
    pub(crate) const V6: &'static str = "2001:db8::9";

    pub(crate) fn new(room: &Room<'t>) -> Self {
        let network = json!({"networks": [{"type": "veth", "bridge": "wan",
            "bridge_addresses": ["203.0.113.1/24", "2001:db8::1/64"], "gateway": "none",
            "addresses": ["203.0.113.9/24", "203.0.113.10/24", "2001:db8::9/64"]}]});
        let container = room.server(&network, "far");
        let namespace = File::open(format!("/proc/{}/ns/net", container.pid())).expect("a namespace");
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let (ready, is_ready) = std::sync::mpsc::channel();
        let names = std::thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("setns");
            drop(namespace);
            let socket = UdpSocket::bind((Self::V4, 53)).expect("socket");
            socket.set_read_timeout(Some(Duration::from_millis(100))).expect("limit");
            ready.send(()).expect("the test waits");
            while !seen.load(Ordering::Acquire) {
                answer(&socket);
            }
        });
        is_ready.recv().expect("a name server");
        Self { container: Some(container), stop, names: Some(names) }
    }

    /// Fetches a page from there.
    pub(crate) fn fetch(&self, address: &str) -> Output {
        fetch(self.container.as_ref().expect("until it is dropped"), address)
    }
}

/// Every name has this address, and no other.
fn answer(socket: &UdpSocket) {
    let mut question = [0; 1500];
    let (length, from) = match socket.recv_from(&mut question) {
        Ok(received) => received,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
        Err(error) => panic!("{error}"),
    };
    let asked = &question[12..length];
    let end = asked.iter().position(|byte| *byte == 0).expect("a name's end") + 5;
    let is_v4 = asked[end - 4..end - 2] == [0, 1];
    let mut reply =
        [&question[..2], &[0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0], &asked[..end]].concat();
    if is_v4 {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 9]);
    }
    socket.send_to(&reply, from).expect("an answer");
}

impl Drop for Far<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(names) = self.names.take() {
            let _ = names.join();
        }
        if let Some(container) = self.container.take() {
            let _ = container.verb("delete", &["--force"]);
        }
    }
}
