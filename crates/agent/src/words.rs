//! Numbers as people write them. Used by the command line. Pure.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_hold_negative_numbers_as_the_kernel_sees_them() {
        assert_eq!(register("-1"), Some(u64::MAX));
        assert_eq!(register("0x7e020000"), Some(0x7e02_0000));
        assert_eq!(register("0o755"), Some(493));
        assert_eq!(register("18446744073709551615"), Some(u64::MAX));
        assert_eq!(register("x"), None);
    }
}
