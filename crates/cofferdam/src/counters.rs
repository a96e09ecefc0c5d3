//! What went through a container's network interfaces, as the container sees it.
//!
//! Called for statistics. Read from /proc/PID/net/dev, which is about the process's own network namespace and
//! needs no right to join it; the host's end of a veth pair would say everything the other way round.

use std::os::unix::fs::MetadataExt;

use cofferdam_cgroup::NetworkInterface;

use crate::{Container, Error, ErrorKind, Result, pid, procfile};

/// The device that every network namespace has.
const LOOPBACK: &str = "lo";

impl Container {
    /// Its network interfaces but loopback, with what they received and sent since they were made; none at
    /// all when it shares the network of the caller or of the host's first process.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] when its first process has ended.
    pub fn network_counters(&self) -> Result<Option<Vec<NetworkInterface>>> {
        network_counters(self.saved.pid, self.saved.start_time)
    }
}

/// As [`Container::network_counters`], of any process; `start_time` is field 22 of /proc/PID/stat.
///
/// # Errors
/// [`ErrorKind::WrongState`] when that very process has ended.
///
/// ```
/// // It shares the network with itself: nothing there is its own.
/// let me = i32::try_from(std::process::id()).unwrap();
/// let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
/// let started = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
/// assert_eq!(cofferdam::network_counters(me, started)?, None);
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn network_counters(pid: i32, start_time: u64) -> Result<Option<Vec<NetworkInterface>>> {
    let path = format!("/proc/{pid}/net/dev");
    let found = match (own(pid), procfile::read(path.as_ref())) {
        (false, _) => None,
        (true, Ok(bytes)) => Some(parse(&String::from_utf8_lossy(&bytes))),
        (true, Err(e)) if pid::alive(pid, start_time) => return Err(Error::io("reading", &path, &e)),
        (true, Err(_)) => None,
    };
    // Asked afterwards: the number may have been another's by then.
    if pid::alive(pid, start_time) {
        return Ok(found);
    }
    Err(Error::new(ErrorKind::WrongState, "the container's first process has ended:")
        .with_object(pid.to_string()))
}

/// Whether the process has another network than we and the host have. What may not be asked is not its own.
fn own(pid: i32) -> bool {
    let of = |process: &str| {
        let there = std::fs::metadata(format!("/proc/{process}/ns/net")).ok()?;
        Some((there.dev(), there.ino()))
    };
    let theirs = of(&pid.to_string());
    theirs.is_some() && theirs != of("thread-self") && theirs != of("1")
}

/// Two lines of headings, then `name: eight received, eight sent`: bytes, packets, errors, dropped and others
/// (proc_pid_net(5)). A name may hold anything but a space, a slash and a colon.
fn parse(text: &str) -> Vec<NetworkInterface> {
    let line = |line: &str| {
        let (name, counts) = line.split_once(':')?;
        let name = name.trim().to_owned();
        let mut counts = counts.split_ascii_whitespace().map_while(|word| word.parse::<u64>().ok());
        let mut four = || Some([counts.next()?, counts.next()?, counts.next()?, counts.next()?]);
        let [rx_bytes, rx_packets, rx_errors, rx_dropped] = four()?;
        four()?;
        let [tx_bytes, tx_packets, tx_errors, tx_dropped] = four()?;
        let received =
            NetworkInterface { name, rx_bytes, rx_packets, rx_errors, rx_dropped, ..Default::default() };
        Some(NetworkInterface { tx_bytes, tx_packets, tx_errors, tx_dropped, ..received })
    };
    text.lines().filter_map(line).filter(|found| found.name != LOOPBACK).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  700       7    0    0    0     0          0         0      700       7    0    0    0     0       0          0
  eth0: 1001      12    3    4    5     6          7         8     2001      22   13   14   15    16      17         18
";

    #[test]
    fn each_number_is_where_it_belongs() {
        let all = parse(DEV);
        assert_eq!(all.len(), 1, "loopback is not the world");
        let eth0 = &all[0];
        assert_eq!(eth0.name, "eth0");
        assert_eq!([eth0.rx_bytes, eth0.rx_packets, eth0.rx_errors, eth0.rx_dropped], [1001, 12, 3, 4]);
        assert_eq!([eth0.tx_bytes, eth0.tx_packets, eth0.tx_errors, eth0.tx_dropped], [2001, 22, 13, 14]);
    }

    #[test]
    fn a_line_that_ends_early_is_no_interface() {
        assert!(parse("eth0: 1 2 3 4 5 6 7 8 9 10\n").is_empty());
        assert!(parse("eth0: 1 2 x 4 5 6 7 8 9 10 11 12\n").is_empty());
    }

    #[test]
    fn a_process_that_has_ended_has_none() {
        let me = i32::try_from(std::process::id()).unwrap();
        assert_eq!(network_counters(me, 1).unwrap_err().kind(), ErrorKind::WrongState);
        assert_eq!(network_counters(-1, 1).unwrap_err().kind(), ErrorKind::WrongState);
    }
}
