//! What a start costs when the container is prepared already. Called by `main`.

use std::time::{Duration, Instant};

use cofferdam::{Bundle, Command, Exec, Pool, Stdio, Store};

use crate::bundle::Bundles;
use crate::contestant::{Contestant, OURS};
use crate::options::Options;

/// Between two starts: what the last one left to tear down is not the next one's cost.
const PAUSE: Duration = Duration::from_millis(10);
/// Containers in stock.
const SIZE: usize = 4;

/// Milliseconds from asking the pool until the program runs.
pub(crate) struct Warm {
    pub(crate) median: Option<f64>,
    /// Of a hundred, all but one are as fast.
    pub(crate) p99: Option<f64>,
}

/// Starts /bin/true in containers of a full pool, one after the other: what fills the pool again is not in
/// the way of the next start, as in a service that is not at its limit.
pub(crate) fn measure(
    options: &Options,
    contestants: &[Contestant],
    bundles: &Bundles,
) -> Result<Warm, String> {
    let Some(ours) = contestants.iter().find(|c| c.name == OURS) else {
        return Ok(Warm { median: None, p99: None });
    };
    let bundle = Bundle::open(&bundles.plain).map_err(|e| e.to_string())?;
    let mut command = Command::from(bundle);
    command.store(Store::new(&ours.root)).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let pool = Pool::new(command, SIZE).map_err(|e| e.to_string())?;
    let mut times = Vec::new();
    for _ in 0..options.blocks.saturating_mul(options.runs) {
        pool.wait_until_full().map_err(|e| e.to_string())?;
        std::thread::sleep(PAUSE);
        let begin = Instant::now();
        let mut child = pool.spawn(&Exec::new("/bin/true")).map_err(|e| e.to_string())?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
        child.wait().and_then(cofferdam::ExitStatus::ok).map_err(|e| e.to_string())?;
    }
    Ok(Warm { median: crate::measure::median(&times), p99: percentile(times, 99) })
}

/// The smallest figure that `percent` of a hundred do not exceed.
fn percentile(mut figures: Vec<f64>, percent: usize) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let rank = figures.len().saturating_mul(percent).div_ceil(100);
    figures.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_figures_the_99th_is_taken() {
        let figures: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(figures, 99), Some(99.0));
        assert_eq!(percentile(vec![7.0], 99), Some(7.0));
        assert_eq!(percentile(Vec::new(), 99), None);
    }
}
