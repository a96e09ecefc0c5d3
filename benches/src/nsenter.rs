//! `cofferdam-bench nsenter`: one operation inside another process's namespaces, in the four ways there are.
//!
//! Called by `main`. The operation is the same small one every time, a change of mode, so that what is
//! measured is the way there and back. The ways take turns in blocks, in one run.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cofferdam_nsenter::{Inside, Module, Target};

use crate::measure::median;

const BLOCKS: usize = 10;
/// The directory whose mode is changed: a private copy, in the target's own mount namespace.
const DIRECTORY: &str = "/tmp";

/// What a helper of this program runs.
pub(crate) fn modules() -> [Module; 1] {
    [Module::typed("chmod", |(path, mode): (String, u32)| {
        use std::os::unix::fs::PermissionsExt;
        Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?)
    })]
}

/// A process in namespaces of its own; ended when dropped.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Result<(Self, Target), String> {
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ]);
        command.args(["sh", "-c", "mount -t tmpfs tmpfs /tmp; echo ready; exec sleep 1000"]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut sleeper = Self(spawned.map_err(|e| format!("unshare: {e}"))?);
        let mut said = [0; 6];
        let stdout = sleeper.0.stdout.as_mut().ok_or("unshare: no output")?;
        std::io::Read::read_exact(stdout, &mut said).map_err(|e| format!("the target: {e}"))?;
        let children = format!("/proc/{0}/task/{0}/children", sleeper.0.id());
        let pid = std::fs::read_to_string(&children).map_err(|e| format!("{children}: {e}"))?;
        let pid = pid.trim().parse().map_err(|_| format!("{children}: {pid:?}"))?;
        let target = Target::open(pid).map_err(|e| e.to_string())?;
        Ok((sleeper, target))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One way: its name, calls in a block, and one call.
type Way<'a> = (&'static str, u32, Box<dyn Fn() -> cofferdam_nsenter::Result<()> + 'a>);

/// Measures and prints.
pub(crate) fn run() -> Result<(), String> {
    let (_sleeper, target) = Sleeper::start()?;
    let enter = target.enter();
    let resident = target.enter().resident();
    let input = (DIRECTORY.to_owned(), 0o1777);
    let ways: [Way<'_>; 4] = [
        ("resident helper, built-in operation", 2000, Box::new(|| resident.chmod(DIRECTORY, 0o1777))),
        ("resident helper, module", 2000, Box::new(|| resident.call("chmod", &input))),
        ("child program for each call", 100, Box::new(|| enter.chmod(DIRECTORY, 0o1777))),
        ("re-execution for each call", 100, Box::new(|| enter.call("chmod", &input))),
    ];
    let mut times = vec![Vec::new(); ways.len()];
    for (_, _, call) in &ways {
        call().map_err(|e| e.to_string())?;
    }
    for _ in 0..BLOCKS {
        for ((name, calls, call), times) in ways.iter().zip(&mut times) {
            let begin = Instant::now();
            for _ in 0..*calls {
                call().map_err(|e| format!("{name}: {e}"))?;
            }
            times.push(per_call(begin.elapsed(), *calls));
        }
    }
    print(&ways, &times);
    Ok(())
}

/// Microseconds.
fn per_call(time: Duration, calls: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(calls)
}

fn print(ways: &[Way<'_>], times: &[Vec<f64>]) {
    let medians: Vec<f64> = times.iter().filter_map(|t| median(t)).collect();
    let slowest = medians.last().copied().unwrap_or(f64::NAN);
    println!("chmod inside five namespaces and a root, {BLOCKS} blocks of each way in turn, medians:\n");
    println!("{:<38} {:>12} {:>12} {:>12}", "", "us a call", "calls/s", "x re-exec");
    for ((name, ..), time) in ways.iter().zip(medians) {
        println!("{name:<38} {time:>12.1} {:>12.0} {:>12.1}", 1e6 / time, slowest / time);
    }
}
