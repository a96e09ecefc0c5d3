//! Which addresses are nobody's on the internet: RFC 6890 and its successors, IANA's registries.
//!
//! Asked by the name server. A public name that means one of these would lead its reader to somebody else's
//! machine nearby ("DNS rebinding"). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..] | [192, 0, 0, _] => true,
        [100, b, ..] => b & 0xc0 == 64,
        [172, b, ..] => b & 0xf0 == 16,
        [198, b, ..] => b & 0xfe == 18,
        [a, ..] => a >= 224,
    }
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let v4 = |high: u16, low: u16| is_private_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // Unspecified, loopback, IPv4 in two old forms.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] => true,
        // IPv4 behind a translator: RFC 6052, and RFC 8215's for local use.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x64, 0xff9b, 1, ..] => true,
        // 6to4: RFC 3056.
        [0x2002, high, low, ..] => v4(high, low),
        // Teredo hides an address: RFC 4380.
        [0x2001, 0, ..] => true,
        // Unique local, link-local, site-local, multicast.
        [a, ..] => a & 0xfe00 == 0xfc00 || a & 0xff80 == 0xfe80 || a >= 0xff00,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_on_the_internet_is_private_in_every_form() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:a00:1::1",
            "2001::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn what_is_on_the_internet_is_not() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1",
            "64:ff9b::101:101",
            "2002:101:101::1",
            "2a00::1",
        ] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
