//! What a container's `/etc/hosts` and `/etc/resolv.conf` say: hosts(5), resolv.conf(5).
//!
//! Called by whoever writes these files. Pure: reads and writes nothing.

use std::fmt;
use std::net::IpAddr;

use cofferdam_oci::{Pointer, Reject};

/// Where systemd-resolved keeps the servers that it asks itself, for those who cannot reach its own at
/// 127.0.0.53; systemd-resolved.service(8).
pub const RESOLVED_UPSTREAM: &str = "/run/systemd/resolve/resolv.conf";

/// The text of `/etc/hosts`: loopback, the container under its own name at each of its addresses, and
/// further hosts. `pointer` is where the host's name stands in the document, for the refusal.
///
/// # Errors
/// Every name that is none: names have letters, digits, `-`, `_` and `.`.
///
/// ```
/// use cofferdam_net::hosts;
/// use cofferdam_oci::Pointer;
/// let further = [("10.0.0.9".parse().unwrap(), vec!["db".to_owned()])];
/// let text = hosts("web.example", &["10.0.0.2".parse().unwrap()], &further, &Pointer::new("/hostname")).unwrap();
/// assert!(text.ends_with("10.0.0.2\tweb.example web\n10.0.0.9\tdb\n"));
/// assert!(hosts("a b", &[], &[], &Pointer::root()).is_err());
/// ```
pub fn hosts(
    host_name: &str,
    addresses: &[IpAddr],
    further: &[(IpAddr, Vec<String>)],
    pointer: &Pointer,
) -> Result<String, Vec<Reject>> {
    let all =
        std::iter::once(host_name).chain(further.iter().flat_map(|(_, names)| names).map(String::as_str));
    let rejects: Vec<_> = all.filter(|name| !is_host(name)).map(|name| not_a_host(pointer, name)).collect();
    if !rejects.is_empty() {
        return Err(rejects);
    }
    let mut text = String::from(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
    );
    let own = match host_name.split_once('.') {
        Some((short, _)) if !short.is_empty() => format!("{host_name} {short}"),
        _ => host_name.to_owned(),
    };
    // Without an address the name still means this host, as Debian's 127.0.1.1 does.
    let nowhere = [IpAddr::from([127, 0, 1, 1])];
    for address in if addresses.is_empty() { &nowhere } else { addresses } {
        text.push_str(&format!("{address}\t{own}\n"));
    }
    for (address, names) in further.iter().filter(|(_, names)| !names.is_empty()) {
        text.push_str(&format!("{address}\t{}\n", names.join(" ")));
    }
    Ok(text)
}

pub(crate) fn is_host(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=253).contains(&name.len()) && name.bytes().all(good) && !name.starts_with(['-', '.'])
}

pub(crate) fn not_a_host(pointer: &Pointer, name: &str) -> Reject {
    Reject::new(pointer.clone(), format!("{name:?} is not a host's name"))
        .hint("names have letters, digits, '-', '_' and '.', and at most 253 of them")
}

/// What a `resolv.conf` says.
///
/// ```
/// let host: cofferdam_net::Resolver = cofferdam_net::Resolver::parse("nameserver 192.0.2.1\nsearch a b\n");
/// assert_eq!(host.to_string(), "nameserver 192.0.2.1\nsearch a b\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Resolver {
    /// The servers, in the order in which they are asked; the C library asks the first three.
    pub nameservers: Vec<IpAddr>,
    /// The domains that short names are tried in.
    pub search: Vec<String>,
    /// Options, such as `ndots:2`.
    pub options: Vec<String>,
}

impl Resolver {
    /// Reads a `resolv.conf` as the C library does: what it does not understand is passed over, of several
    /// `search` and `domain` the last counts, and options add up. Servers that are bound to a link of the
    /// host's (`fe80::1%eth0`) mean nothing elsewhere and are left out.
    ///
    /// ```
    /// use cofferdam_net::Resolver;
    /// let read = Resolver::parse("# a\ndomain x\nsearch a b\nnameserver fe80::1%eth0\noptions edns0\n");
    /// assert!(read.nameservers.is_empty() && read.search == ["a", "b"] && read.options == ["edns0"]);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut resolver = Self::default();
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => {
                    resolver.nameservers.extend(words.next().and_then(|w| w.parse::<IpAddr>().ok()))
                }
                Some("domain") => resolver.search = words.next().map(str::to_owned).into_iter().collect(),
                Some("search") => resolver.search = words.map(str::to_owned).collect(),
                Some("options") => resolver.options.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        resolver
    }

    /// What of the host's a container with a network of its own can use: servers at a loopback address are
    /// the host's own and out of reach. When none is left, `upstream` says whom the host's own asks: the
    /// text of [`RESOLVED_UPSTREAM`], where that file is. When that has none either, none are left, and the
    /// C library will ask 127.0.0.1; whom else to ask is for the caller to say, not for a default.
    ///
    /// ```
    /// use cofferdam_net::Resolver;
    /// let host = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.com\n";
    /// let inside = Resolver::for_container(host, Some("nameserver 192.0.2.1\n"));
    /// assert_eq!(inside.to_string(), "nameserver 192.0.2.1\nsearch example.com\noptions edns0\n");
    /// ```
    #[must_use]
    pub fn for_container(host: &str, upstream: Option<&str>) -> Self {
        let mut resolver = Self::parse(host);
        let all = resolver.nameservers.len();
        resolver.nameservers.retain(reachable);
        if resolver.nameservers.len() != all {
            // That answers were checked was a promise of the server on this host.
            resolver.options.retain(|option| option != "trust-ad");
        }
        if resolver.nameservers.is_empty() {
            let behind = Self::parse(upstream.unwrap_or_default());
            resolver.nameservers = behind.nameservers.into_iter().filter(reachable).collect();
            if resolver.search.is_empty() {
                resolver.search = behind.search;
            }
        }
        resolver
    }

    /// Checks what came from a configuration, before it becomes lines of a file. `pointer` is where it
    /// stands in the document; its members are `search` and `options`.
    ///
    /// ```
    /// use cofferdam_net::Resolver;
    /// let bad = Resolver { search: vec!["a\nnameserver 1.2.3.4".into()], ..Resolver::default() };
    /// let rejects = bad.check(&cofferdam_oci::Pointer::new("/dns"));
    /// assert_eq!(rejects[0].pointer.as_str(), "/dns/search/0");
    /// ```
    #[must_use]
    pub fn check(&self, pointer: &Pointer) -> Vec<Reject> {
        let search = self.search.iter().enumerate().filter(|(_, name)| *name != "." && !is_host(name));
        let mut rejects: Vec<_> =
            search.map(|(n, name)| not_a_host(&pointer.key("search").index(n), name)).collect();
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic());
        let options = self.options.iter().enumerate().filter(|(_, option)| !is_word(option));
        rejects.extend(options.map(|(n, option)| {
            Reject::new(pointer.key("options").index(n), format!("{option:?} is not one word"))
        }));
        rejects
    }
}

fn reachable(address: &IpAddr) -> bool {
    !address.is_loopback()
        && !address.is_unspecified()
        && !matches!(address, IpAddr::V6(a) if a.is_unicast_link_local())
}

impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for server in &self.nameservers {
            writeln!(f, "nameserver {server}")?;
        }
        for (keyword, words) in [("search", &self.search), ("options", &self.options)] {
            if !words.is_empty() {
                writeln!(f, "{keyword} {}", words.join(" "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_file_names_loopback_and_the_container_once_each() {
        let addresses = ["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()];
        let text = hosts("web", &addresses, &[], &Pointer::root()).unwrap();
        let of =
            |name: &str| text.lines().filter(|l| l.split_whitespace().skip(1).any(|w| w == name)).count();
        assert_eq!((of("localhost"), of("web")), (2, 2));
        assert!(hosts("web", &[], &[], &Pointer::root()).unwrap().contains("127.0.1.1\tweb\n"));
    }

    #[test]
    fn every_name_that_would_add_a_line_is_rejected_at_once() {
        let further = [(IpAddr::from([10, 0, 0, 1]), vec!["good".to_owned(), "x\n10.0.0.1 y".to_owned()])];
        let rejects = hosts("", &[], &further, &Pointer::new("/hostname")).unwrap_err();
        assert_eq!(rejects.len(), 2, "{rejects:?}");
    }

    #[test]
    fn servers_on_the_hosts_loopback_are_left_out_and_the_others_kept() {
        let inside = Resolver::for_container(
            "nameserver 127.0.0.1\nnameserver ::1\nnameserver 192.0.2.7\n",
            Some("nameserver 192.0.2.8\n"),
        );
        assert_eq!(inside.nameservers, [IpAddr::from([192, 0, 2, 7])]);
    }

    #[test]
    fn trust_is_kept_only_in_the_servers_that_it_was_put_in() {
        let same = Resolver::for_container("nameserver 192.0.2.1\noptions trust-ad\n", None);
        assert_eq!(same.options, ["trust-ad"]);
        let other = Resolver::for_container(
            "nameserver 127.0.0.53\noptions trust-ad\n",
            Some("nameserver 192.0.2.1"),
        );
        assert!(other.options.is_empty());
    }

    #[test]
    fn no_server_is_made_up() {
        assert!(Resolver::for_container("nameserver 127.0.0.53\n", None).nameservers.is_empty());
        assert!(Resolver::for_container("", Some("nameserver ::1\n")).nameservers.is_empty());
    }
}
