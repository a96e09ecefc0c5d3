//! A hardware address of six bytes.
//!
//! Used wherever a link has one. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A hardware address, as Ethernet has them.
///
/// ```
/// use cofferdam_net::Mac;
/// let mac: Mac = "02:42:ac:11:00:02".parse()?;
/// assert_eq!(mac.to_string(), "02:42:ac:11:00:02");
/// assert!("01:00:5e:00:00:01".parse::<Mac>().is_err(), "that is a group's");
/// # Ok::<(), cofferdam_net::MacError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac([u8; 6]);

impl Mac {
    /// The six bytes, unless they are a group's or all zero, which no interface can have.
    ///
    /// ```
    /// use cofferdam_net::Mac;
    /// assert_eq!(Mac::new([2, 0, 0, 0, 0, 1]).map(Mac::octets), Some([2, 0, 0, 0, 0, 1]));
    /// assert_eq!(Mac::new([1, 0, 0, 0, 0, 1]), None);
    /// ```
    #[must_use]
    pub fn new(octets: [u8; 6]) -> Option<Self> {
        let [first, ..] = octets;
        (first & 1 == 0 && octets != [0; 6]).then_some(Self(octets))
    }

    /// The six bytes.
    #[must_use]
    pub fn octets(self) -> [u8; 6] {
        self.0
    }
}

/// A text that is no hardware address of an interface.
///
/// ```
/// assert!("02:42".parse::<cofferdam_net::Mac>().unwrap_err().to_string().contains("six"));
/// let _: fn(&str) -> Result<cofferdam_net::Mac, cofferdam_net::MacError> = str::parse;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacError;

impl fmt::Display for MacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a hardware address: it has six pairs of hexadecimal digits with ':' between them, and the first pair is even")
    }
}

impl std::error::Error for MacError {}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let byte = |pair: &str| {
            let digits = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
            digits.then(|| u8::from_str_radix(pair, 16).ok()).flatten().ok_or(MacError)
        };
        let octets: Vec<u8> = text.split(':').map(byte).collect::<Result<_, _>>()?;
        Self::new(octets.try_into().map_err(|_| MacError)?).ok_or(MacError)
    }
}

impl TryFrom<String> for Mac {
    type Error = MacError;

    fn try_from(text: String) -> Result<Self, MacError> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
