//! What a container may reach: addresses, names and ports, as data.
//!
//! Read by the packet filter and by the name server. Pure: no socket, no kernel.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A protocol with ports.
///
/// ```
/// assert_eq!(serde_json::to_string(&cofferdam_net::Protocol::Udp).unwrap(), "\"udp\"");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// Something that a container may reach.
///
/// ```
/// use cofferdam_net::{Allow, Protocol};
/// let https = Allow { to: "*.example.com".parse().unwrap(), ports: vec![(Protocol::Tcp, 443..=443)] };
/// assert_eq!(https.to.to_string(), "*.example.com");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow {
    /// Where.
    pub to: Destination,
    /// The ports; every protocol when none are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<(Protocol, RangeInclusive<u16>)>,
}

/// Where packets may go to. As text it is `192.0.2.7`, `192.0.2.0/24`, `api.example.com`,
/// `*.example.com`, or `*` for anywhere.
///
/// ```
/// use cofferdam_net::Destination;
/// assert_eq!("192.0.2.7".parse::<Destination>().unwrap().to_string(), "192.0.2.7/32");
/// assert!("10.0.0.300".parse::<Destination>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Destination {
    /// Anywhere.
    Anywhere,
    /// An address or a prefix.
    Net(IpNet),
    /// What the names are found to mean, as long as that is true.
    Name(NamePattern),
}

impl From<IpNet> for Destination {
    fn from(net: IpNet) -> Self {
        Self::Net(net)
    }
}

impl FromStr for Destination {
    type Err = String;

    /// # Errors
    /// What is neither address, prefix nor name, and why.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Anywhere);
        }
        let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        net.map(|net| Self::Net(net.trunc())).or_else(|_| text.parse().map(Self::Name))
    }
}

impl TryFrom<String> for Destination {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anywhere => f.write_str("*"),
            Self::Net(net) => net.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A name of the DNS, or `*.` and a name: all names below that one, at any depth, but not itself.
///
/// ```
/// let all: cofferdam_net::NamePattern = "*.Example.com".parse().unwrap();
/// assert!(all.matches("api.example.com") && all.matches("A.B.EXAMPLE.COM."));
/// assert!(!all.matches("example.com") && !all.matches("notexample.com"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern {
    /// In lower case, without a dot at the end.
    name: String,
    below: bool,
}

impl NamePattern {
    /// Whether a name is one of these; case and a dot at the end do not count.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        let Some(at) = name.len().checked_sub(self.name.len()) else { return false };
        let (Some(head), Some(tail)) = (name.get(..at), name.get(at..)) else { return false };
        let fits = if self.below { head.len() > 1 && head.ends_with('.') } else { head.is_empty() };
        fits && tail.eq_ignore_ascii_case(&self.name)
    }
}

impl FromStr for NamePattern {
    type Err = String;

    /// # Errors
    /// What is wrong with it.
    fn from_str(text: &str) -> Result<Self, String> {
        let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        let name = rest.strip_suffix('.').unwrap_or(rest).to_ascii_lowercase();
        let is_label = |label: &str| {
            let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            (1..=63).contains(&label.len()) && label.bytes().all(good)
        };
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Err(format!(
                "{text:?} is neither an address nor a name: names have letters (others than a-z written as xn--…), digits, '-' and '_' between dots, and '*' only as their first label"
            ));
        }
        if name.rsplit('.').next().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit())) {
            return Err(format!("{text:?} is not an address, and no name ends with a number"));
        }
        Ok(Self { name, below })
    }
}

impl TryFrom<String> for NamePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.name)
    }
}

/// The names in a list, each once. The filter's sets have their numbers.
pub(crate) fn names(allowed: &[Allow]) -> Vec<NamePattern> {
    let mut names = Vec::new();
    for allow in allowed {
        if let Destination::Name(name) = &allow.to
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> NamePattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_that_name_alone() {
        let name = pattern("API.example.com.");
        assert!(name.matches("api.EXAMPLE.com") && name.matches("api.example.com."));
        for other in ["", ".", "example.com", "x.api.example.com", "apixexample.com", "api.example.com.."] {
            assert!(!name.matches(other), "{other}");
        }
    }

    #[test]
    fn a_star_is_everything_below_and_not_the_name_itself() {
        let below = pattern("*.example.com");
        assert!(below.matches("a.example.com") && below.matches("a.b.example.com"));
        for other in ["example.com", ".example.com", "aexample.com", "example.com.evil.net", "a.example.org"]
        {
            assert!(!below.matches(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("{}.com", "a".repeat(64));
        for bad in
            ["", "*", "*.", "a.*.com", "*a.com", "a..b", "a b", "http://a.com", "bücher.de", "1.2.3", &long]
        {
            assert!(bad.parse::<NamePattern>().is_err(), "{bad}");
        }
        assert!("10.0.0.0/33".parse::<Destination>().is_err());
    }

    #[test]
    fn a_list_is_read_as_it_is_written() {
        let text = r#"[{"to":"192.0.2.0/24"},{"to":"*.example.com","ports":[["tcp",{"start":443,"end":443}]]},{"to":"*"}]"#;
        let list: Vec<Allow> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&list).unwrap(), text);
        assert_eq!(names(&[list.clone(), list].concat()), [pattern("*.example.com")]);
    }
}
