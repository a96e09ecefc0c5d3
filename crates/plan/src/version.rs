//! `ociVersion`: which documents are read.
//!
//! The specification is compatible within a major version (SemVer 2.0), so that every 1.x is read;
//! builders write pre-releases such as `1.0.2-dev` for years after the release.

use cofferdam_oci::Pointer;

use crate::findings::Findings;

/// The newest minor version whose fields are all known.
const NEWEST_MINOR: u64 = 3;

/// Judges the version.
pub(crate) fn check(version: &str, findings: &mut Findings) {
    let at = Pointer::new("/ociVersion");
    match parse(version) {
        None => findings.reject(at, format!("{version:?} is no version such as \"1.3.0\"")),
        Some((1, minor)) if minor > NEWEST_MINOR => {
            findings.warn(at, format!("{version} is newer than 1.{NEWEST_MINOR}: what it adds is ignored"));
        }
        Some((1, _)) => {}
        Some(_) => findings.reject(at, format!("{version} is not supported; versions 1.x.y are")),
    }
}

/// Major and minor of a SemVer version.
fn parse(version: &str) -> Option<(u64, u64)> {
    let core = version.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse::<u64>().ok()).flatten()
    });
    let (major, minor, _patch) = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(version: &str) -> (usize, usize) {
        let mut f = Findings::default();
        check(version, &mut f);
        (f.told().len(), f.warned().len())
    }

    #[test]
    fn every_1_x_is_read_pre_releases_too() {
        for good in ["1.0.0", "1.3.0", "1.0.2-dev", "1.0.0-rc5-dev", "1.1.0+dev", "1.2.0-rc.1+x.y"] {
            assert_eq!(told(good), (0, 0), "{good}");
        }
        assert_eq!(told("1.9.0"), (0, 1));
    }

    #[test]
    fn other_majors_and_non_versions_are_rejected() {
        for bad in ["", "1", "1.0", "2.0.0", "0.6.0", "v1.0.0", "1.0.0.0", "1.+1.0", "1..0"] {
            assert_eq!(told(bad).0, 1, "{bad}");
        }
    }
}
