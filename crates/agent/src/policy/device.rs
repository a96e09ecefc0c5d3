//! Device numbers as lists of devices write them: `c 1:3`, `b 7:*`, `c 4:64-68`.
//!
//! Used by the policy's `mknod`. Pure.

use std::ops::RangeInclusive;

/// Some device numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    block: bool,
    major: RangeInclusive<u32>,
    minor: RangeInclusive<u32>,
}

impl Device {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (kind, numbers) = text.split_once(' ')?;
        let (major, minor) = numbers.split_once(':')?;
        let block = match kind {
            "b" => true,
            "c" => false,
            _ => return None,
        };
        Some(Self { block, major: range(major)?, minor: range(minor)? })
    }

    pub(crate) fn holds(&self, block: bool, major: u32, minor: u32) -> bool {
        self.block == block && self.major.contains(&major) && self.minor.contains(&minor)
    }
}

fn range(text: &str) -> Option<RangeInclusive<u32>> {
    if text == "*" {
        return Some(0..=u32::MAX);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_by_kind_and_number() {
        let device = |text: &str| Device::parse(text).unwrap();
        assert!(device("c 1:3").holds(false, 1, 3));
        assert!(!device("c 1:3").holds(true, 1, 3));
        assert!(!device("c 1:3").holds(false, 1, 5));
        assert!(device("b 7:*").holds(true, 7, 1 << 19));
        assert!(device("c 4:64-68").holds(false, 4, 66) && !device("c 4:64-68").holds(false, 4, 69));
    }

    #[test]
    fn what_is_no_device_is_refused() {
        for wrong in ["", "c", "c 1", "d 1:3", "c 1:3:4", "c 3-1:0", "c -1:0", "c x:y"] {
            assert_eq!(Device::parse(wrong), None, "{wrong}");
        }
    }
}
