//! Addresses of sockets, as the caller's call had them.
//!
//! Made by `call`. The bytes are the caller's; what they say is judged here, and nothing is resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// `struct sockaddr` of connect(2), bind(2) or sendto(2), at most 128 bytes.
///
/// ```
/// use cofferdam_notify::Address;
/// let mut bytes = [0; 16];
/// bytes[..2].copy_from_slice(&2u16.to_ne_bytes()); // AF_INET
/// bytes[2..8].copy_from_slice(&[1, 187, 192, 0, 2, 1]);
/// assert_eq!(Address::new(&bytes).inet(), Some("192.0.2.1:443".parse().unwrap()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Vec<u8>);

/// An address of unix(7).
///
/// ```
/// use cofferdam_notify::{Address, UnixAddress};
/// let named = Address::new(&[&1u16.to_ne_bytes()[..], b"/run/x\0"].concat());
/// assert_eq!(named.unix(), Some(UnixAddress::Path(b"/run/x".to_vec())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnixAddress {
    /// A file, as the caller would look it up.
    Path(Vec<u8>),
    /// A name in its network namespace, without the null that it begins with.
    Abstract(Vec<u8>),
    /// None.
    Unnamed,
}

impl Address {
    /// As the kernel takes it.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_owned())
    }

    /// `AF_*`; `None` for less than two bytes.
    #[must_use]
    pub fn family(&self) -> Option<u16> {
        self.0.first_chunk().map(|family| u16::from_ne_bytes(*family))
    }

    /// As the kernel takes it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Of ip(7) or ipv6(7). IPv4 addresses in IPv6 ones (`::ffff:192.0.2.1`) are given as they stand there: see
    /// [`Address::destination`].
    #[must_use]
    pub fn inet(&self) -> Option<SocketAddr> {
        let port = || self.0.get(2..4)?.first_chunk().map(|port| u16::from_be_bytes(*port));
        match self.family()? {
            AF_INET => {
                let ip = self.0.get(4..8)?.first_chunk::<4>()?;
                // The kernel demands the whole structure, with its padding.
                (self.0.len() >= 16).then(|| Some(SocketAddr::new(Ipv4Addr::from(*ip).into(), port()?)))?
            }
            AF_INET6 => {
                let ip = self.0.get(8..24)?.first_chunk::<16>()?;
                let flow = self.0.get(4..8)?.first_chunk().map(|flow| u32::from_be_bytes(*flow))?;
                let scope =
                    self.0.get(24..28).and_then(<[u8]>::first_chunk).map_or(0, |s| u32::from_ne_bytes(*s));
                Some(SocketAddrV6::new(Ipv6Addr::from(*ip), port()?, flow, scope).into())
            }
            _ => None,
        }
    }

    /// Where packets to it go: an IPv4 address in an IPv6 one is that IPv4 address. What allow-lists compare.
    ///
    /// ```
    /// use cofferdam_notify::Address;
    /// let mut bytes = [0; 28];
    /// bytes[..2].copy_from_slice(&10u16.to_ne_bytes()); // AF_INET6
    /// bytes[2..4].copy_from_slice(&80u16.to_be_bytes());
    /// bytes[18..24].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 1]);
    /// assert_eq!(Address::new(&bytes).destination(), Some(("192.0.2.1".parse().unwrap(), 80)));
    /// ```
    #[must_use]
    pub fn destination(&self) -> Option<(IpAddr, u16)> {
        let address = self.inet()?;
        Some((address.ip().to_canonical(), address.port()))
    }

    /// Of unix(7).
    #[must_use]
    pub fn unix(&self) -> Option<UnixAddress> {
        if self.family()? != AF_UNIX {
            return None;
        }
        Some(match self.0.get(2..).unwrap_or_default() {
            [] => UnixAddress::Unnamed,
            [0, name @ ..] => UnixAddress::Abstract(name.to_owned()),
            path => UnixAddress::Path(path.split(|byte| *byte == 0).next().unwrap_or_default().to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_cut_off_is_none() {
        let whole = [&2u16.to_ne_bytes()[..], &[0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(Address::new(&whole).inet(), Some("127.0.0.1:80".parse().unwrap()));
        for len in 0..16 {
            assert_eq!(Address::new(&whole[..len]).inet(), None, "{len}");
        }
        let six = [&10u16.to_ne_bytes()[..], &[0; 22]].concat();
        assert!(Address::new(&six).inet().is_some(), "without a scope, as the kernel takes it");
        assert!(Address::new(&six[..23]).inet().is_none());
    }

    #[test]
    fn unix_addresses_are_paths_names_or_nothing() {
        let of = |rest: &[u8]| Address::new(&[&1u16.to_ne_bytes()[..], rest].concat()).unix().unwrap();
        assert_eq!(of(b""), UnixAddress::Unnamed);
        assert_eq!(of(b"\0a\0b"), UnixAddress::Abstract(b"a\0b".to_vec()));
        assert_eq!(of(b"/a\0junk"), UnixAddress::Path(b"/a".to_vec()));
        assert_eq!(Address::new(&[7]).unix(), None);
    }
}
