//! Sizes (`512m`) and durations (`1m30s`) as engines write them. Called by `update`, `events` and
//! `sandbox`; the forms are those of Go's `units.RAMInBytes` and `time.ParseDuration`.

use std::time::Duration;

/// Bytes of a size: a number, perhaps with a fraction, and perhaps a unit counted by 1024
/// (`k`, `m`, `g`, `t`, `p`, with or without `b` or `ib`, in any case).
pub(crate) fn bytes(text: &str) -> Result<i64, String> {
    let wrong = || format!("invalid size: '{text}'");
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim().to_ascii_lowercase();
    let shift = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit) {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _ => return Err(wrong()),
    };
    scaled(number, 1i64 << shift).ok_or_else(wrong)
}

/// `number` (digits, perhaps a point and more digits) times `unit`, rounded down.
fn scaled(number: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()? };
    // Nine digits are finer than any byte that a limit is rounded to.
    let digits = fraction.get(..9).unwrap_or(fraction);
    let part = if digits.is_empty() {
        0
    } else {
        let value = i128::from(digits.parse::<u32>().ok()?) * i128::from(unit);
        i64::try_from(value / 10i128.pow(u32::try_from(digits.len()).ok()?)).ok()?
    };
    whole.checked_mul(unit)?.checked_add(part)
}

/// A size, or `-1` for unlimited.
pub(crate) fn bytes_or_unlimited(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { bytes(text) }
}

/// A duration: numbers with the units `ns`, `us`, `ms`, `s`, `m`, `h`, one after the other.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("invalid duration \"{text}\"");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut total) = (text, 0i64);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let split = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(split);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let nanoseconds = match unit {
            "ns" => 1,
            "us" | "µs" => 1000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(wrong()),
        };
        total = scaled(number, nanoseconds).and_then(|n| total.checked_add(n)).ok_or_else(wrong)?;
        rest = tail;
    }
    Ok(Duration::from_nanos(total.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_by_1024() {
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("32"), Ok(32));
        assert_eq!(bytes("32kb"), Ok(32 << 10));
        assert_eq!(bytes("32 KiB"), Ok(32 << 10));
        assert_eq!(bytes("1.5G"), Ok(3 << 29));
        assert_eq!(bytes(".5m"), Ok(1 << 19));
        assert_eq!(bytes_or_unlimited("-1"), Ok(-1));
    }

    #[test]
    fn what_is_no_size_is_named() {
        for text in ["", "k", "3x", "-2", "1.2.3", "1m2", "99999999999p"] {
            assert_eq!(bytes(text), Err(format!("invalid size: '{text}'")));
        }
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1m30.5s"), Ok(Duration::from_millis(90_500)));
        assert_eq!(duration("100ms"), Ok(Duration::from_millis(100)));
        for text in ["", "5", "s", "5x", "-1s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
