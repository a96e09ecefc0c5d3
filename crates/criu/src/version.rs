//! CRIU's version, as one thing that can be compared.

use std::fmt;

/// A version of CRIU.
///
/// ```
/// use cofferdam_criu::Version;
/// assert!(Version::new(3, 17, 1) < Version::new(4, 1, 0));
/// assert_eq!(Version::new(4, 1, 0).to_string(), "4.1");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: i32,
    minor: i32,
    sublevel: i32,
}

impl Version {
    /// Of these numbers.
    #[must_use]
    pub const fn new(major: i32, minor: i32, sublevel: i32) -> Self {
        Self { major, minor, sublevel }
    }

    /// As CRIU says it. One that was built from its repository is the next release already.
    pub(crate) fn of(said: &crate::message::VersionResponse) -> Self {
        let (major, minor, sublevel) = (said.major, said.minor, said.sublevel.unwrap_or(0));
        if said.gitid.as_ref().is_some_and(|id| !id.is_empty()) {
            return Self::new(major, minor.saturating_add(1), 0);
        }
        Self { major, minor, sublevel }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.sublevel == 0 { Ok(()) } else { write!(f, ".{}", self.sublevel) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::VersionResponse;

    #[test]
    fn what_is_built_from_the_repository_counts_as_the_next_release() {
        let mut said = VersionResponse { major: 3, minor: 14, gitid: None, sublevel: Some(2) };
        assert_eq!(Version::of(&said), Version::new(3, 14, 2));
        said.gitid = Some("v3.14-12-gabc".into());
        assert_eq!(Version::of(&said), Version::new(3, 15, 0));
    }
}
