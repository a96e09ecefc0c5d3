//! Numbers and names as people write them: errnos, call arguments, durations in Go's manner.
//!
//! Used by the policy, the resolvers and the command line. Pure.

use std::time::Duration;

use cofferdam_sys::Errno;

/// Largest errno (`MAX_ERRNO` of the kernel).
const MAX_ERRNO: i32 = 4095;

/// An errno by name (`EPERM`) or number.
pub(crate) fn errno(word: &str) -> Option<Errno> {
    if let Ok(number) = word.parse::<i32>() {
        return (1..=MAX_ERRNO).contains(&number).then_some(Errno(number));
    }
    let named = |number: &i32| Errno(*number).name() == word;
    word.starts_with('E').then(|| (1..=133).find(named).map(Errno)).flatten()
}

/// A number: decimal, `0x`, `0o`, or negative, which is its two's complement as a register holds it.
pub(crate) fn register(word: &str) -> Option<u64> {
    if let Some(hex) = word.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    if let Some(octal) = word.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok();
    }
    match word.strip_prefix('-') {
        Some(_) => word.parse::<i64>().ok().map(i64::cast_unsigned),
        None => word.parse().ok(),
    }
}

/// A duration as Go writes it: `1h30m`, `2s`, `500ms`, `1.5s`, `0`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 7] =
        [("h", 3600.0), ("ms", 1e-3), ("m", 60.0), ("s", 1.0), ("us", 1e-6), ("µs", 1e-6), ("ns", 1e-9)];
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(end);
        let unit_end = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(unit_end);
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total += number.parse::<f64>().ok()? * seconds;
        rest = next;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(total).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errnos_have_names_and_numbers() {
        assert_eq!(errno("EPERM"), Some(Errno(1)));
        assert_eq!(errno("ENOSYS"), Some(Errno(38)));
        assert_eq!(errno("13"), Some(Errno(13)));
        for wrong in ["eperm", "EWRONG", "0", "-1", "4096", ""] {
            assert_eq!(errno(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn registers_hold_negative_numbers_as_the_kernel_sees_them() {
        assert_eq!(register("-1"), Some(u64::MAX));
        assert_eq!(register("0x7e020000"), Some(0x7e02_0000));
        assert_eq!(register("0o755"), Some(493));
        assert_eq!(register("18446744073709551615"), Some(u64::MAX));
        assert_eq!(register("x"), None);
    }

    #[test]
    fn durations_are_those_of_go() {
        assert_eq!(duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("20ms"), Some(Duration::from_millis(20)));
        assert_eq!(duration("0"), Some(Duration::ZERO));
        for wrong in ["", "5", "s", "5 s", "1.2.3s", "5d"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
