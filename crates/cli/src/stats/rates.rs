//! What happened between two measurements, per second.

use cofferdam::cgroup::BlkioEntry;
use std::time::{Duration, Instant};

use super::row::Totals;

/// A measurement and when it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) at: Instant,
    pub(super) totals: Totals,
}

/// What was used per second; what was not counted at both ends is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    /// Hundredths of a percent of one processor.
    pub(super) cpu: Option<u64>,
    /// Bytes read from and written to block devices.
    pub(super) read: Option<u64>,
    pub(super) written: Option<u64>,
    /// Bytes received and sent.
    pub(super) received: Option<u64>,
    pub(super) sent: Option<u64>,
}

impl Rates {
    pub(super) fn between(before: &Moment, now: &Moment) -> Self {
        let passed = now.at.saturating_duration_since(before.at);
        let rate = |of: fn(&Totals) -> Option<u64>| {
            // A counter that went back began anew: an interface was replaced.
            let grown = of(&now.totals)?.saturating_sub(of(&before.totals)?);
            per_second(grown, passed)
        };
        Self {
            // A second of processor time a second is a whole processor: 10^9 ns are 10^4 hundredths.
            cpu: rate(|t| t.cpu).map(|nanoseconds| nanoseconds / 100_000),
            read: rate(|t| t.read),
            written: rate(|t| t.written),
            received: rate(|t| t.received),
            sent: rate(|t| t.sent),
        }
    }
}

/// `None` when no time has passed.
fn per_second(amount: u64, passed: Duration) -> Option<u64> {
    let scaled = u128::from(amount) * 1_000_000_000;
    u64::try_from(scaled.checked_div(passed.as_nanos())?).ok()
}

/// The sum of all devices of one operation.
pub(super) fn sum(entries: Option<&[BlkioEntry]>, op: &str) -> Option<u64> {
    let of_op = entries?.iter().filter(|entry| entry.op == op);
    Some(of_op.fold(0, |sum: u64, entry| sum.saturating_add(entry.value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at: Instant, cpu: Option<u64>, sent: u64) -> Moment {
        Moment { at, totals: Totals { cpu, sent: Some(sent), ..Totals::default() } }
    }

    #[test]
    fn rates_are_per_second_whatever_the_interval_was() {
        let start = Instant::now();
        for (passed, nanoseconds) in [(500, 600_000_000), (2000, 2_400_000_000)] {
            let later = start + Duration::from_millis(passed);
            let (before, now) =
                (moment(start, Some(5), 1000), moment(later, Some(5 + nanoseconds), 1000 + 4 * passed));
            let rates = Rates::between(&before, &now);
            assert_eq!(rates.cpu, Some(12_000), "120 % of a processor");
            assert_eq!(rates.sent, Some(4000));
        }
    }

    #[test]
    fn what_is_not_counted_at_both_ends_is_absent() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        assert_eq!(Rates::between(&moment(start, None, 0), &moment(later, Some(1), 0)).cpu, None);
        assert_eq!(Rates::between(&moment(start, Some(1), 9), &moment(later, Some(1), 4)).sent, Some(0));
        let same = moment(start, Some(1), 1);
        assert_eq!(Rates::between(&same, &same), Rates::default());
    }
}
