//! `cofferdam-bench storm`: a hundred containers made at once, and removed at once, by each runtime in turn.
//!
//! Called by `main`, inside the private world. What counts is the tail: how long the last ones wait. With
//! `--systemd`, systemd makes the cgroups; it has to be the host's first process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::Instant;

use crate::bundle;
use crate::contestant::{self, Contestant};
use crate::host;
use crate::measure::Random;
use crate::options::Options;
use crate::tasks::{finish, fresh};

/// The two things that are done to all of them at once.
const PHASES: [&str; 2] = ["run --detach", "delete --force"];

/// What one runtime took, a figure for each container and round, in milliseconds since all were let go.
struct Storm<'a> {
    contestant: &'a Contestant,
    figures: [Vec<f64>; 2],
}

/// What is the same for every contestant.
struct Sea<'a> {
    options: &'a Options,
    bundle: PathBuf,
    prefix: String,
    log: PathBuf,
}

/// Measures and prints.
pub(crate) fn run(options: &Options, dir: &Path) -> Result<(), String> {
    let rootfs = dir.join("rootfs");
    bundle::root_filesystem(&rootfs)?;
    let config = bundle::config(&rootfs, &["/bin/sleep", "100000"]);
    let bundle = bundle::write_bundle(&dir.join("sleeping"), &config)?;
    let runtimes = contestant::runtimes(options, dir)?;
    println!("{}", host::describe(&runtimes));
    let mut storms: Vec<Storm<'_>> =
        runtimes.iter().map(|contestant| Storm { contestant, figures: Default::default() }).collect();
    let sea = Sea { options, bundle, prefix: crate::world::prefix(dir), log: dir.join("log") };
    let mut random = Random::new(options.seed);
    // The first round is not counted.
    for round in 0..=options.rounds {
        let mut order: Vec<usize> = (0..storms.len()).collect();
        random.shuffle(&mut order);
        for index in order {
            let Some(storm) = storms.get_mut(index) else { continue };
            let [made, removed] = sea.storm(storm.contestant)?;
            if round > 0 {
                let [kept_made, kept_removed] = &mut storm.figures;
                kept_made.extend(made);
                kept_removed.extend(removed);
            }
        }
    }
    print(options, &mut storms);
    Ok(())
}

impl Sea<'_> {
    fn storm(&self, contestant: &Contestant) -> Result<[Vec<f64>; 2], String> {
        let ids: Vec<String> = (0..self.options.count).map(|_| fresh(&self.prefix)).collect();
        let made = at_once(&ids, |id| {
            let mut command = self.command(contestant, &["run", "--detach", "--bundle"]);
            command.arg(&self.bundle).arg(id);
            self.finish(command, contestant)
        });
        // What was made is removed, also when one of them could not be.
        let removed = at_once(&ids, |id| {
            let mut command = self.command(contestant, &["delete", "--force"]);
            command.arg(id);
            self.finish(command, contestant)
        });
        Ok([made?, removed?])
    }

    fn command(&self, contestant: &Contestant, words: &[&str]) -> Command {
        let mut command = Command::new(&contestant.program);
        command.arg("--root").arg(&contestant.root);
        if self.options.systemd {
            command.arg("--systemd-cgroup");
        }
        command.args(words);
        command
    }

    fn finish(&self, command: Command, contestant: &Contestant) -> Result<(), String> {
        finish(command, &self.log).map_err(|why| format!("{}: {why}", contestant.name))
    }
}

/// Lets all of them go in one moment; for each, the milliseconds from that moment until it was done.
fn at_once(ids: &[String], action: impl Fn(&str) -> Result<(), String> + Sync) -> Result<Vec<f64>, String> {
    let gate = Barrier::new(ids.len().saturating_add(1));
    let took = Mutex::new(Vec::new());
    let begin = std::sync::OnceLock::new();
    std::thread::scope(|scope| {
        for id in ids {
            scope.spawn(|| {
                gate.wait();
                let begin = *begin.get_or_init(Instant::now);
                let done = action(id).map(|()| begin.elapsed().as_secs_f64() * 1000.0);
                took.lock().unwrap_or_else(PoisonError::into_inner).push(done);
            });
        }
        gate.wait();
    });
    took.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
}

fn print(options: &Options, storms: &mut [Storm<'_>]) {
    let who = if options.systemd { "systemd" } else { "directories" };
    println!(
        "{} containers at once, {} rounds, cgroups by {who}; ms from the moment when all were let go\n",
        options.count, options.rounds
    );
    println!(
        "{:<16}{:<12}{:>9}{:>9}{:>9}{:>9}{:>16}{:>16}",
        "", "", "median", "p90", "p99", "max", "p99, of runc's", "max, of runc's"
    );
    for (phase, name) in PHASES.into_iter().enumerate() {
        for storm in &mut *storms {
            if let Some(figures) = storm.figures.get_mut(phase) {
                figures.sort_by(f64::total_cmp);
            }
        }
        let of = |storm: &Storm<'_>, percent| {
            storm.figures.get(phase).map_or(f64::NAN, |figures| percentile(figures, percent))
        };
        let runc = storms.iter().find(|s| s.contestant.name == "runc");
        for storm in &*storms {
            let [half, most, tail, last] = [50, 90, 99, 100].map(|percent| of(storm, percent));
            let [tail_of, last_of] =
                [99, 100].map(|percent| of(storm, percent) / runc.map_or(f64::NAN, |runc| of(runc, percent)));
            println!(
                "{name:<16}{:<12}{half:>9.1}{most:>9.1}{tail:>9.1}{last:>9.1}{tail_of:>16.2}{last_of:>16.2}",
                storm.contestant.name
            );
        }
    }
}

/// Of sorted figures, the first that so many percent of them are not above.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let place = sorted.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hundredth_percentile_is_the_largest_and_the_fiftieth_the_middle() {
        let figures: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([50, 99, 100].map(|p| percentile(&figures, p)), [100.0, 198.0, 200.0]);
        assert_eq!(percentile(&[7.0], 50), 7.0);
    }
}
