//! The time, as state files and engines want it: RFC 3339 in UTC, with nanoseconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now in UTC, as state files have it (RFC 3339, with nanoseconds).
///
/// ```
/// let now = cofferdam::timestamp();
/// assert_eq!((now.len(), now.find('.')), ("2000-02-29T00:00:00.000000005Z".len(), Some(19)));
/// ```
#[must_use]
pub fn timestamp() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format(since.as_secs(), since.subsec_nanos())
}

/// The proleptic Gregorian calendar from days since 1970, by Howard Hinnant's algorithm.
fn format(seconds: u64, nanoseconds: u32) -> String {
    let (days, of_day) = (seconds / 86400, seconds % 86400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z")
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn known_moments_are_written_as_date_1_writes_them() {
        assert_eq!(format(0, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(format(951_782_400, 5), "2000-02-29T00:00:00.000000005Z");
        assert_eq!(format(1_795_305_599, 999_999_999), "2026-11-21T23:59:59.999999999Z");
    }
}
