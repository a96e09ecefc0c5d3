//! The forms that cgroup files have.
//!
//! Called by the two versions' readers. A file that does not exist is no value, not a failure.

use std::collections::BTreeMap;
use std::path::Path;

use cofferdam_sys::Errno;

use super::Pids;
use crate::error::Error;
use crate::file;

/// One directory.
pub(super) struct Reader<'a>(pub(super) &'a Path);

impl Reader<'_> {
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let path = self.0.join(name);
        match file::read(&path) {
            Ok(text) => Ok(Some(text)),
            // EOPNOTSUPP: pressure accounting is compiled in but switched off.
            Err(e) if [Errno::ENOENT, Errno::ENODEV, Errno::EOPNOTSUPP].iter().any(|n| file::is(&e, *n)) => {
                Ok(None)
            }
            Err(e) => Err(Error::io("reading", &path, &e)),
        }
    }

    /// A single number; `max` is the largest.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Error> {
        Ok(self.text(name)?.map(|text| number(text.trim())))
    }

    pub(super) fn number_or_zero(&self, name: &str) -> Result<u64, Error> {
        Ok(self.number(name)?.unwrap_or(0))
    }

    /// `key value` lines.
    pub(super) fn keyed(&self, name: &str) -> Result<BTreeMap<String, u64>, Error> {
        let text = self.text(name)?.unwrap_or_default();
        let pair =
            |line: &str| line.split_once(' ').map(|(key, value)| (key.to_owned(), number(value.trim())));
        Ok(text.lines().filter_map(pair).collect())
    }
}

/// Negative numbers are counters that have not caught up: zero.
pub(super) fn number(word: &str) -> u64 {
    if word == "max" { u64::MAX } else { word.parse().unwrap_or(0) }
}

/// Both versions have the same files; without the controller the processes are counted.
pub(super) fn pids(dir: &Reader<'_>) -> Result<Pids, Error> {
    let Some(current) = dir.number("pids.current")? else {
        let procs = dir.text("cgroup.procs")?.unwrap_or_default();
        let current = u64::try_from(procs.lines().count()).unwrap_or(0);
        return Ok(Pids { current, ..Pids::default() });
    };
    let limit = dir.number("pids.max")?.filter(|limit| *limit != u64::MAX);
    let failcnt = dir.keyed("pids.events")?.get("max").copied().unwrap_or(0);
    Ok(Pids { current, limit: limit.unwrap_or(0), failcnt })
}

/// The page sizes of this kernel as hugetlb files name them.
pub(super) fn page_sizes() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/sys/kernel/mm/hugepages") else { return Vec::new() };
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().ok();
    let mut sizes: Vec<String> = entries.flatten().filter_map(name).filter_map(|n| page_size(&n)).collect();
    sizes.sort();
    sizes
}

/// `hugepages-2048kB` is `2MB`.
fn page_size(name: &str) -> Option<String> {
    let kb: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    Some(match kb {
        kb if kb >= 1 << 20 => format!("{}GB", kb >> 20),
        kb if kb >= 1 << 10 => format!("{}MB", kb >> 10),
        kb => format!("{kb}KB"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_are_named_as_in_hugetlb_files() {
        assert_eq!(page_size("hugepages-2048kB").as_deref(), Some("2MB"));
        assert_eq!(page_size("hugepages-1048576kB").as_deref(), Some("1GB"));
        assert_eq!(page_size("hugepages-64kB").as_deref(), Some("64KB"));
        assert_eq!(page_size("other"), None);
    }

    #[test]
    fn max_is_the_largest_number_and_a_negative_one_is_zero() {
        assert_eq!((number("max"), number("-5"), number("7")), (u64::MAX, 0, 7));
    }
}
