//! Asking servers: by datagrams, and by TCP for what does not fit.
//!
//! Called by the server, in a thread of its own. It asks from the network namespace of that thread.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::message::{Asked, DATAGRAM, Found};
use crate::apply::random;

/// The C library waits five seconds for us.
const ALL: Duration = Duration::from_millis(4500);
const ONE: Duration = Duration::from_millis(1500);

/// What a question's answer is, of the first server that has one.
pub(crate) fn ask(servers: &[SocketAddr], asked: &Asked) -> Found {
    let end = Instant::now().checked_add(ALL);
    let left = || end.map(|end| end.saturating_duration_since(Instant::now())).unwrap_or_default();
    for server in servers.iter().chain(servers) {
        let time = left().min(ONE);
        if time.is_zero() {
            break;
        }
        let mut found = by_datagram(*server, asked, time).unwrap_or(Found::Foreign);
        if found == Found::Cut {
            found = by_stream(*server, asked, left().min(ONE)).unwrap_or(Found::Foreign);
        }
        match found {
            Found::Addresses(..) | Found::Nothing | Found::Missing => return found,
            Found::Cut | Found::Unwilling | Found::Foreign => {}
        }
    }
    Found::Unwilling
}

/// From a port of its own, with a number of its own: who did not see the question has to guess both.
fn by_datagram(server: SocketAddr, asked: &Asked, time: Duration) -> io::Result<Found> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    let id = number();
    socket.send(&asked.again(id).ok_or(io::ErrorKind::InvalidInput)?)?;
    let start = Instant::now();
    let mut answer = [0; DATAGRAM as usize];
    loop {
        let left = time.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        let length = socket.recv(&mut answer)?;
        match asked.found(id, answer.get(..length).unwrap_or_default()) {
            Found::Foreign => {}
            found => return Ok(found),
        }
    }
}

fn by_stream(server: SocketAddr, asked: &Asked, time: Duration) -> io::Result<Found> {
    let time = time.max(Duration::from_millis(100));
    let mut stream = TcpStream::connect_timeout(&server, time)?;
    stream.set_read_timeout(Some(time))?;
    stream.set_write_timeout(Some(time))?;
    let id = number();
    write_message(&mut stream, &asked.again(id).ok_or(io::ErrorKind::InvalidInput)?)?;
    Ok(asked.found(id, &read_message(&mut stream)?))
}

/// A message with its length before it: RFC 1035, 4.2.2.
pub(crate) fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message)?;
    Ok(message)
}

pub(crate) fn write_message(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes()[..], message].concat())
}

/// The standard library seeds its maps from the kernel's random numbers, in a way that cannot be run backwards.
fn number() -> u16 {
    let [a, b, ..] = random().to_ne_bytes();
    u16::from_ne_bytes([a, b])
}
