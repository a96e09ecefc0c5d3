//! Numbers between the document's, the kernel's and systemd's spellings.
//!
//! Called by `properties` and `unified`. Pure.

use super::Value;

/// systemd keeps a CPU quota as whole hundredths of a CPU, in microseconds a second.
const STEP: u128 = 10_000;
const SECOND: u128 = 1_000_000;
/// More CPUs and memory nodes than any kernel is built for.
const MOST_BITS: usize = 65_536;

/// -1 is unlimited; zero was sorted out by the caller.
pub(super) fn amount(value: i64) -> Value {
    u64::try_from(value).map_or(Value::INFINITY, Value::U64)
}

/// systemd takes no zero, and neither number lets a container start another task.
pub(super) fn tasks(limit: i64) -> Value {
    u64::try_from(limit).map_or(Value::INFINITY, |limit| Value::U64(limit.max(1)))
}

/// `CPUQuotaPerSecUSec`: rounded up to what systemd can keep, so that it is never below the cgroup's own.
pub(super) fn quota_per_second(quota: i64, period: u64) -> Value {
    let Some(quota) = u128::try_from(quota).ok().filter(|q| *q > 0) else { return Value::INFINITY };
    let exact = quota.saturating_mul(SECOND).div_ceil(u128::from(period.max(1)));
    let rounded = exact.div_ceil(STEP).saturating_mul(STEP);
    u64::try_from(rounded).map_or(Value::INFINITY, Value::U64)
}

/// As the kernel reads sizes (memparse): digits and one of k, m, g, t, p, e; or `max`.
pub(super) fn size(text: &str) -> Option<Value> {
    if text == "max" {
        return Some(Value::INFINITY);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..)? {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        "p" | "P" => 50,
        "e" | "E" => 60,
        _ => return None,
    };
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(1_u64.checked_shl(shift)?).map(Value::U64)
}

/// `0-3,7` as one bit each, the first in the lowest of the first byte, as systemd takes them; nothing where
/// the list is empty or not one.
pub(super) fn bits(list: &str) -> Option<Value> {
    let mut bytes: Vec<u8> = Vec::new();
    for part in list.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last || last >= MOST_BITS {
            return None;
        }
        for bit in first..=last {
            if bytes.len() <= bit / 8 {
                bytes.resize(bit / 8 + 1, 0);
            }
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
    (!bytes.is_empty()).then(|| Value::bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_rounded_up_to_a_hundredth_of_a_cpu() {
        assert_eq!(quota_per_second(50_000, 100_000), Value::U64(500_000));
        assert_eq!(quota_per_second(3333, 100_000), Value::U64(40_000));
        assert_eq!(quota_per_second(1, 1_000_000), Value::U64(10_000));
        assert_eq!(quota_per_second(-1, 100_000), Value::INFINITY);
        assert_eq!(quota_per_second(i64::MAX, 1), Value::INFINITY);
    }

    #[test]
    fn sizes_are_read_as_the_kernel_reads_them() {
        assert_eq!(size("max"), Some(Value::INFINITY));
        assert_eq!(size("4096"), Some(Value::U64(4096)));
        assert_eq!(size("10M"), Some(Value::U64(10 << 20)));
        for bad in ["", "-1", "1X", "99999999E", "M"] {
            assert_eq!(size(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn lists_become_bits() {
        assert_eq!(bits("0-3,7"), Some(Value::bytes(&[0x8f])));
        assert_eq!(bits(" 8 , "), Some(Value::bytes(&[0, 1])));
        assert_eq!(bits("0"), Some(Value::bytes(&[1])));
        for bad in ["", ",", "3-1", "a", "0-99999999", "1-2-3"] {
            assert_eq!(bits(bad), None, "{bad:?}");
        }
    }
}
