//! The two fair orders of runs, and what is kept of each. Called by `main`.
//!
//! Who ran before matters more than anything: a start waits for the kernel's grace periods and pays
//! for what the command before it left to tear down. *Hot*: blocks of runs of one command in a row,
//! the first not counted, the order of the blocks shuffled. *Idle*: single runs, each after a pause,
//! in shuffled order.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::options::Options;
use crate::tasks::{Job, Task};

/// The pause before a single run: longer than a grace period and the tear-down of a network namespace.
const PAUSE: Duration = Duration::from_millis(50);

/// What one task took, in milliseconds, one figure a run.
pub(crate) struct Timed {
    pub(crate) job: Job,
    pub(crate) who: &'static str,
    pub(crate) hot: Vec<f64>,
    pub(crate) cpu: Vec<f64>,
    pub(crate) idle: Vec<f64>,
}

/// Times every task both ways.
pub(crate) fn all(options: &Options, tasks: &[Task]) -> Result<Vec<Timed>, String> {
    let mut random = Random::new(options.seed);
    let new = |t: &Task| Timed { job: t.job, who: t.who, hot: Vec::new(), cpu: Vec::new(), idle: Vec::new() };
    let mut timed: Vec<Timed> = tasks.iter().map(new).collect();
    let mut blocks: Vec<usize> = (0..options.blocks).flat_map(|_| 0..tasks.len()).collect();
    random.shuffle(&mut blocks);
    for index in blocks {
        let (Some(task), Some(kept)) = (tasks.get(index), timed.get_mut(index)) else { continue };
        task.run()?;
        for _ in 0..options.runs {
            let (wall, cpu) = once(task)?;
            kept.hot.push(wall);
            kept.cpu.push(cpu);
        }
    }
    for _ in 0..options.idle {
        let mut order: Vec<usize> = (0..tasks.len()).collect();
        random.shuffle(&mut order);
        for index in order {
            let (Some(task), Some(kept)) = (tasks.get(index), timed.get_mut(index)) else { continue };
            std::thread::sleep(PAUSE);
            kept.idle.push(once(task)?.0);
        }
    }
    Ok(timed)
}

/// Wall clock and processor time of one run, in milliseconds.
fn once(task: &Task) -> Result<(f64, f64), String> {
    let cpu = children_cpu()?;
    let begin = Instant::now();
    task.run()?;
    let wall = begin.elapsed();
    Ok((wall.as_secs_f64() * 1000.0, children_cpu()? - cpu))
}

fn children_cpu() -> Result<f64, String> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|e| format!("getrusage: {e}"))?;
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    let micros = u64::try_from(micros).map_err(|_| "getrusage: negative time".to_owned())?;
    Ok(Duration::from_micros(micros).as_secs_f64() * 1000.0)
}

/// The middle of the sorted figures; none of nothing.
pub(crate) fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get(sorted.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

/// xorshift64: an order that the next run with the same seed repeats.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let bound = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
            items.swap(last, usize::try_from(self.next() % bound).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_figures_is_between_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_repeats_with_its_seed() {
        let shuffled = |seed| {
            let mut items: Vec<u8> = (0..100).collect();
            Random(seed).shuffle(&mut items);
            items
        };
        assert_eq!(shuffled(1), shuffled(1));
        assert_ne!(shuffled(1), shuffled(2));
        let mut sorted = shuffled(1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u8>>());
    }
}
