//! The forms that cgroup files have.
//!
//! Called by the two versions' readers. A file that does not exist is no value, not a failure.

use std::collections::BTreeMap;
use std::path::Path;

use cofferdam_sys::Errno;

use super::Tasks;
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

    /// `key value` lines.
    pub(super) fn keyed(&self, name: &str) -> Result<Option<BTreeMap<String, u64>>, Error> {
        let pair =
            |line: &str| line.split_once(' ').map(|(key, value)| (key.to_owned(), number(value.trim())));
        Ok(self.text(name)?.map(|text| text.lines().filter_map(pair).collect()))
    }

    /// One line of such a file.
    pub(super) fn key(&self, name: &str, key: &str) -> Result<Option<u64>, Error> {
        Ok(self.keyed(name)?.and_then(|lines| lines.get(key).copied()))
    }

    /// The page sizes that this directory counts huge pages of: `2MB` where a file is `hugetlb.2MB.` and more.
    pub(super) fn page_sizes(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.0) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut sizes: Vec<String> = names.filter_map(|name| page_size(&name)).collect();
        sizes.sort();
        sizes.dedup();
        sizes
    }
}

/// Negative numbers are counters that have not caught up: zero.
pub(super) fn number(word: &str) -> u64 {
    if word == "max" { u64::MAX } else { word.parse().unwrap_or(0) }
}

/// Both versions have the same files; without the controller the processes are counted.
pub(super) fn tasks(dir: &Reader<'_>, out: &mut Tasks) -> Result<(), Error> {
    out.current = dir.number("pids.current")?;
    if out.current.is_none() {
        let count = |procs: String| u64::try_from(procs.lines().count()).unwrap_or(0);
        out.processes = dir.text("cgroup.procs")?.map(count);
        return Ok(());
    }
    out.limit = dir.number("pids.max")?.filter(|limit| *limit != u64::MAX);
    out.refused = dir.key("pids.events", "max")?;
    Ok(())
}

fn page_size(name: &str) -> Option<String> {
    let (size, _) = name.strip_prefix("hugetlb.")?.split_once('.')?;
    size.ends_with('B').then(|| size.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_are_those_of_the_files() {
        assert_eq!(page_size("hugetlb.2MB.usage_in_bytes").as_deref(), Some("2MB"));
        assert_eq!(page_size("hugetlb.1GB.rsvd.current").as_deref(), Some("1GB"));
        assert_eq!((page_size("hugetlb.x"), page_size("memory.2MB.max")), (None, None));
    }

    #[test]
    fn max_is_the_largest_number_and_a_negative_one_is_zero() {
        assert_eq!((number("max"), number("-5"), number("7")), (u64::MAX, 0, 7));
    }
}
