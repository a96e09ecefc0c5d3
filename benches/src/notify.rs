//! `cofferdam-bench notify [COUNT [directories]]`: system calls that wait for an answer.
//!
//! Called by `main`, as root. Against the least supervisor there can be (`benches/notify.c`) for an answer that
//! takes no thought, against a re-execution for each call for a directory made in the caller's namespaces; beside
//! a flood; and a great many, for what they leave in memory. The caller is the same program every time, and times
//! itself; the ways take turns, in one run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use cofferdam_notify::runtime::Server;
use cofferdam_notify::{Actors, Answer, Call, Errno, Limits, Listener, Registry, Service};
use cofferdam_nsenter::{Module, Target};

use crate::measure::median;

const BLOCKS: usize = 7;
const CALLS: u32 = 20_000;
const DIRECTORIES: u32 = 500;
const REEXECUTIONS: u32 = 60;
/// Of the container that floods, a second.
const RATE: u32 = 5000;

/// What a helper of this program runs.
pub(crate) fn module() -> Module {
    Module::typed("mkdir", |(path, mode): (String, u32)| {
        use std::os::unix::fs::DirBuilderExt;
        Ok(std::fs::DirBuilder::new().mode(mode).create(path)?)
    })
}

/// Mean, median and 99th percentile of one run, in microseconds.
type Times = [f64; 3];

/// The directory with the caller's program and the socket; removed when dropped.
struct Place {
    dir: PathBuf,
    server: Server,
}

impl Place {
    fn make() -> Result<Self, String> {
        let dir = std::env::temp_dir().join(format!("cofferdam-bench-notify-{}", std::process::id()));
        std::fs::create_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let server = Server::bind(dir.join("agent")).map_err(|e| e.to_string())?;
        let place = Self { dir, server };
        std::fs::create_dir(place.dir.join("d")).map_err(|e| e.to_string())?;
        std::fs::write(place.dir.join("notify.c"), include_str!("../notify.c")).map_err(|e| e.to_string())?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-static", "-pthread", "-o", "notify", "notify.c"]).current_dir(&place.dir);
        match compiler.status() {
            Ok(status) if status.success() => Ok(place),
            other => Err(format!("compiling notify.c: {other:?}")),
        }
    }

    fn caller(&self, supervisor: &Path, rest: &[String]) -> Result<Child, String> {
        let mut command = Command::new(self.dir.join("notify"));
        command.arg(supervisor).args(rest).stdout(Stdio::piped());
        command.spawn().map_err(|e| e.to_string())
    }

    /// A caller whose requests are answered by `agent`, which returns when there are no more.
    fn answered(
        &self,
        rest: &[String],
        agent: impl FnOnce(Listener) -> Result<(), String>,
    ) -> Result<Times, String> {
        let caller = self.caller(&self.dir.join("agent"), rest)?;
        let container = self.server.next().map_err(|e| e.to_string())?.ok_or("the socket was stopped")?;
        agent(container.listener)?;
        times(caller)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn times(caller: Child) -> Result<Times, String> {
    let output = caller.wait_with_output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    match *numbers.as_slice() {
        [mean, median, late] => Ok([mean, median, late].map(|ns: f64| ns / 1000.0)),
        _ => Err(format!("the caller said {text:?} and ended with {}", output.status)),
    }
}

/// The loop that anybody could write.
fn loop_of(listener: &Listener) -> Result<(), String> {
    while let Some(request) = listener.next().map_err(|e| e.to_string())? {
        let _ = request.answer(Answer::Errno(Errno::EPERM));
    }
    Ok(())
}

fn serve(listener: Listener, registry: Registry, limits: Limits) -> Result<(), String> {
    let service = Service::start(listener, Arc::new(registry), limits).map_err(|e| e.to_string())?;
    service.wait().map_err(|e| e.to_string())
}

fn refusing() -> Registry {
    Registry::new().on(&["getppid"], |_| Ok(Answer::Errno(Errno::EPERM)))
}

/// Measures and prints.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let count = words.first().map_or(Ok(1_000_000), |n| n.parse::<u64>().map_err(|e| e.to_string()))?;
    let place = Place::make()?;
    if words.get(1).is_some_and(|part| part == "directories") {
        return directories(&place);
    }
    answers(&place)?;
    directories(&place)?;
    beside_a_flood(&place)?;
    memory(&place, count)
}

fn answers(place: &Place) -> Result<(), String> {
    let calls = [CALLS.to_string()];
    let mut ways =
        [("C, receive and answer only", vec![]), ("a loop of Listener::next", vec![]), ("Service", vec![])];
    for _ in 0..BLOCKS {
        let [floor, bare, service] = &mut ways;
        floor.1.push(times(place.caller(Path::new("floor"), &calls)?)?);
        bare.1.push(place.answered(&calls, |listener| loop_of(&listener))?);
        service.1.push(place.answered(&calls, |listener| serve(listener, refusing(), Limits::default()))?);
    }
    println!("an errno as the answer, {BLOCKS} blocks of {CALLS} calls each way in turn, medians:\n");
    print(&ways);
    Ok(())
}

fn directories(place: &Place) -> Result<(), String> {
    let dir = place.dir.join("d").display().to_string();
    let of = |count: u32| [count.to_string(), dir.clone()];
    let mut ways = [("re-execution for each call", vec![]), ("Actors", vec![])];
    for _ in 0..BLOCKS {
        let [again, actors] = &mut ways;
        again.1.push(
            place.answered(&of(REEXECUTIONS), |listener| serve(listener, executing(), Limits::default()))?,
        );
        actors
            .1
            .push(place.answered(&of(DIRECTORIES), |listener| serve(listener, acting(), Limits::default()))?);
    }
    println!("\na directory made in the caller's namespaces, {BLOCKS} blocks each way in turn, medians:\n");
    print(&ways);
    Ok(())
}

/// How others do it: this program again for each call, which joins and runs a function.
fn executing() -> Registry {
    Registry::new().on(&["mkdir"], |request| {
        use cofferdam_nsenter::Inside;
        let Call::Mkdir { path, mode, .. } = request.call()? else { Err(Errno::ENOSYS)? };
        let target = Target::open(request.tid()?)?.recheck(|_| request.is_valid())?;
        let input = (path.to_string_lossy().into_owned(), mode);
        target.enter().call::<_, ()>("mkdir", &input)?;
        Ok(Answer::Value(0))
    })
}

fn acting() -> Registry {
    let actors = Actors::new(1);
    Registry::new().on(&["mkdir"], move |request| actors.for_caller(request)?.perform(&request.call()?))
}

/// One container's calls while another asks with eight threads as fast as it can, at an allowed rate.
fn beside_a_flood(place: &Place) -> Result<(), String> {
    const MILLISECONDS: u32 = 3000;
    let calls = [CALLS.to_string()];
    let flood = [MILLISECONDS.to_string(), "-".to_owned(), "flood".to_owned()];
    let quiet = |place: &Place| place.answered(&calls, |l| serve(l, refusing(), Limits::default()));
    let mut ways = [("alone", vec![]), ("beside a flood", vec![])];
    for _ in 0..BLOCKS.div_ceil(2) {
        let [alone, beside] = &mut ways;
        alone.1.push(quiet(place)?);
        let mut flooding = place.caller(&place.dir.join("agent"), &flood)?;
        let container = place.server.next().map_err(|e| e.to_string())?.ok_or("the socket was stopped")?;
        let limits = Limits { rate: Some(RATE), ..Limits::default() };
        let service =
            Service::start(container.listener, Arc::new(refusing()), limits).map_err(|e| e.to_string())?;
        beside.1.push(quiet(place)?);
        flooding.wait().map_err(|e| e.to_string())?;
        service.wait().map_err(|e| e.to_string())?;
    }
    println!(
        "\na container's calls, and beside eight threads of another that is answered {RATE} times a second:\n"
    );
    print(&ways);
    Ok(())
}

/// What many requests leave behind.
fn memory(place: &Place, count: u64) -> Result<(), String> {
    let first = place_run(place, count / 10)?;
    let last = place_run(place, count)?;
    println!("\nresident memory after {} requests {first} KiB, after {} more {last} KiB", count / 10, count);
    Ok(())
}

/// Resident memory afterwards, in KiB. A flood counts what it did, by time; this needs a number of calls.
fn place_run(place: &Place, count: u64) -> Result<u64, String> {
    const AT_ONCE: u64 = 1_000_000;
    let mut left = count;
    while left > 0 {
        let calls = left.min(AT_ONCE);
        place.answered(&[calls.to_string()], |listener| serve(listener, refusing(), Limits::default()))?;
        left -= calls;
    }
    let status = std::fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .ok_or_else(|| "no VmRSS".to_owned())
}

fn print<const N: usize>(ways: &[(&str, Vec<Times>); N]) {
    println!("{:<30} {:>10} {:>10} {:>10} {:>12} {:>8}", "us", "mean", "median", "p99", "calls/s", "x first");
    let of = |all: &[Times], at: usize| {
        let times: Vec<f64> = all.iter().filter_map(|times| times.get(at).copied()).collect();
        median(&times).unwrap_or(f64::NAN)
    };
    // Of medians: on a busy host the mean tells of what else ran.
    let first = ways.first().map_or(f64::NAN, |(_, all)| of(all, 1));
    for (name, all) in ways {
        let [mean, middle, late] = [0, 1, 2].map(|at| of(all, at));
        let rate = 1e6 / middle;
        println!("{name:<30} {mean:>10.2} {middle:>10.2} {late:>10.2} {rate:>12.0} {:>8.2}", middle / first);
    }
}
