//! A name server for one container: it knows the names that the container may reach, and nobody else's.
//!
//! Called by whoever made the container's allow-list. It listens inside of the container's namespace, asks
//! the configured servers from the host's, and lets the addresses that it found through the container's
//! filter before it tells them. It keeps nothing but the sets of the filter.

mod message;
mod private;
mod server;
#[cfg(test)]
mod server_tests;
mod upstream;

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{Allow, Destination};

pub use server::{Listening, NameServer, Running};

/// What a container's name server is to do.
///
/// ```
/// let naming: cofferdam_net::Naming = serde_json::from_str(
///     r#"{"allowed": [{"to": "api.example.com"}], "upstream": ["192.0.2.53:53"], "confined": "web"}"#,
/// )?;
/// assert_eq!(naming.upstream[0].port(), 53);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Naming {
    /// The allow-list that the filter has.
    pub allowed: Vec<Allow>,
    /// The servers to ask, in this order.
    pub upstream: Vec<SocketAddr>,
    /// The id in [`crate::Firewall::confine`]; none when the list is that of
    /// [`crate::Firewall::allow_only`].
    pub confined: Option<String>,
}

impl Naming {
    /// Whether the list has a name, so that somebody has to find out what it means.
    ///
    /// ```
    /// assert!(!cofferdam_net::Naming::default().is_needed());
    /// ```
    #[must_use]
    pub fn is_needed(&self) -> bool {
        self.allowed.iter().any(|allow| matches!(allow.to, Destination::Name(_)))
    }

    /// Whether an address may be what a name means: a public one, or one that the list itself has.
    fn takes(&self, address: IpAddr) -> bool {
        let listed = |allow: &Allow| match &allow.to {
            Destination::Net(net) => net.contains(&address),
            Destination::Anywhere | Destination::Name(_) => false,
        };
        !private::is_private(address) || self.allowed.iter().any(listed)
    }
}

/// What became of a question.
///
/// ```
/// assert_ne!(cofferdam_net::Verdict::Refused, cofferdam_net::Verdict::Private);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// It was answered with these addresses, or with none where the name has none.
    Answered(Vec<IpAddr>),
    /// The name is not in the list.
    Refused,
    /// All that was found were private addresses that the list does not have.
    Private,
    /// There is no such name, as the servers say.
    Missing,
    /// No server gave an answer, or the filter could not be told.
    Failed(String),
    /// It was no question that can be answered.
    Malformed,
}
