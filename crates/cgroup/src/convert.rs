//! The arithmetic between version 1's scales and version 2's, and the names that may become file names.
//!
//! Called by `v1` and `v2`. Pure functions of numbers and words; they may not know of a host.

/// cpu.shares (2 to 262144) as cpu.weight (1 to 10000).
///
/// The curve that runc since 1.3.2 and crun since 1.23 share: a quadratic in the exponent that meets the
/// minimum, the default (1024 is 100) and the maximum of both scales. The older linear formula gave 39
/// for the default.
///
/// ```
/// use cofferdam_cgroup::shares_to_weight;
/// assert_eq!([2, 1024, 262_144].map(shares_to_weight), [1, 100, 10_000]);
/// ```
#[must_use]
pub fn shares_to_weight(shares: u64) -> u64 {
    if shares <= 2 {
        return 1;
    }
    if shares >= 262_144 {
        return 10_000;
    }
    let shares = u32::try_from(shares).unwrap_or(u32::MAX);
    let log = f64::from(shares).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    let weight = 10f64.powf(exponent).ceil();
    // Between 1 and 10000 by construction: counted up to, because a cast would need a lint's leave.
    (1..=10_000u32).find(|w| f64::from(*w) >= weight).map_or(10_000, u64::from)
}

/// blkio.weight (10 to 1000) as io.weight (1 to 10000), linearly.
pub(crate) fn blkio_to_io_weight(weight: u16) -> u64 {
    1 + u64::from(weight.saturating_sub(10)) * 9999 / 990
}

/// `memory.swap.max` for `limit` (memory) and `swap` (memory and swap together), zero meaning unset:
/// version 2 counts swap alone.
pub(crate) fn swap_only(limit: i64, swap: i64) -> Result<Option<i64>, &'static str> {
    match (limit, swap) {
        // Without a word about swap, unlimited memory means both: so it was on version 1.
        (-1, 0) | (_, -1) => Ok(Some(-1)),
        (_, 0) => Ok(None),
        (-1, swap) => Ok(Some(swap)),
        (0, _) => Err("a limit of memory and swap together needs memory.limit beside it on cgroup v2"),
        (limit, swap) if swap < limit => Err("memory and swap together cannot be less than memory.limit"),
        (limit, swap) => Ok(Some(swap - limit)),
    }
}

/// `2MB` style: what the kernel puts into the names of hugetlb files. Anything else could leave the
/// directory.
pub(crate) fn is_page_size(word: &str) -> bool {
    let digits =
        word.strip_suffix("KB").or_else(|| word.strip_suffix("MB")).or_else(|| word.strip_suffix("GB"));
    digits.is_some_and(|d| !d.is_empty() && d.len() <= 20 && d.bytes().all(|b| b.is_ascii_digit()))
}

/// One file name of a cgroup directory: `memory.high`.
pub(crate) fn is_file_name(word: &str) -> bool {
    word.len() <= 255
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':'))
        && word.split_once('.').is_some_and(|(controller, rest)| !controller.is_empty() && !rest.is_empty())
}

/// A word inside a value: a device's or an interface's name. A blank or newline would start another word.
pub(crate) fn is_word(word: &str, longest: usize) -> bool {
    !word.is_empty()
        && word.len() <= longest
        && !word.bytes().any(|b| b == b'/' || b == 0 || b.is_ascii_whitespace() || b.is_ascii_control())
}

/// `0-3,7`: characters that lists of CPUs and memory nodes may have.
pub(crate) fn is_list(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b',' | b'-' | b':' | b'/' | b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_weights_as_in_runc_and_crun() {
        // Worked out with the published formula.
        let table = [
            (0, 1),
            (2, 1),
            (3, 2),
            (10, 4),
            (100, 17),
            (256, 35),
            (512, 59),
            (1023, 100),
            (1024, 100),
            (2048, 174),
            (10_000, 627),
            (100_000, 4340),
            (262_143, 10_000),
            (u64::MAX, 10_000),
        ];
        for (shares, weight) in table {
            assert_eq!(shares_to_weight(shares), weight, "{shares}");
        }
    }

    #[test]
    fn block_weights_are_scaled_linearly() {
        assert_eq!([10, 100, 500, 1000].map(blkio_to_io_weight), [1, 910, 4950, 10_000]);
    }

    #[test]
    fn version_2_counts_swap_alone() {
        assert_eq!(swap_only(100, 300), Ok(Some(200)));
        assert_eq!(swap_only(100, 100), Ok(Some(0)));
        assert_eq!(swap_only(100, -1), Ok(Some(-1)));
        assert_eq!(swap_only(-1, 0), Ok(Some(-1)));
        assert_eq!(swap_only(-1, 500), Ok(Some(500)));
        assert_eq!(swap_only(100, 0), Ok(None));
        assert!(swap_only(0, 100).is_err());
        assert!(swap_only(200, 100).is_err());
    }

    #[test]
    fn a_name_cannot_leave_the_directory() {
        assert!(is_page_size("2MB") && is_page_size("1GB") && is_page_size("64KB"));
        for bad in ["", "MB", "2M", "../2MB", "2MB/../x", "2MB\n", "2MB.rsvd", "+2MB"] {
            assert!(!is_page_size(bad), "{bad:?}");
        }
        assert!(is_file_name("memory.high") && is_file_name("hugetlb.1GB.max"));
        for bad in
            ["", ".", "..", "memory", ".max", "memory.", "a/b.c", "../memory.max", "memory.max\n", "a.\0"]
        {
            assert!(!is_file_name(bad), "{bad:?}");
        }
        assert!(
            is_word("eth0", 15) && !is_word("eth0 5\neth1", 15) && !is_word("a/b", 15) && !is_word("", 15)
        );
        assert!(is_list("0-3,7") && !is_list("0\n1") && !is_list("a"));
    }
}
