//! `cofferdam-bench network`: what a container's network costs, against a bare netlink program that does the
//! same steps (`wires.c` before `floor.c`), in one run: until the program runs, and its whole life.
//!
//! Called by `main`, inside the private world, to which it adds a network namespace with one bridge.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cofferdam::net::{AddressSettings, LinkSettings, Network};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};

use crate::bundle::{self, Bundles};
use crate::measure::median;
use crate::options::Options;
use crate::tasks::{finish, fresh};

/// The pause before a single run: longer than a grace period and the tear-down of a network namespace.
const PAUSE: Duration = Duration::from_millis(50);

/// What is started, and by whom.
struct Task<'a> {
    what: &'static str,
    way: Way<'a>,
    /// Milliseconds: until the program runs, and until all is gone; hot, and after a pause.
    figures: [[Vec<f64>; 2]; 2],
}

enum Way<'a> {
    Bare { program: PathBuf, bundles: &'a Bundles },
    Ours { program: PathBuf, root: PathBuf, bundle: PathBuf, bundles: &'a Bundles },
}

/// Measures and prints.
pub(crate) fn run(options: &Options, dir: &Path) -> Result<(), String> {
    host()?;
    let bundles = Bundles::make(dir)?;
    // The files that tell of the network are mounted there.
    fs::create_dir(bundles.rootfs.join("etc")).map_err(|e| format!("etc: {e}"))?;
    let wires = concat!(include_str!("../wires.c"), include_str!("../floor.c"));
    let wires = bundle::compile(dir, "wires", wires)?;
    let interface = |key: &str, value: &str| json!({"networks": [{"type": "veth", "bridge": "bench0", "gateway": "10.201.0.1", key: value}]});
    let ours = |name: &str, network: Option<Value>| ours(options, &bundles, dir, name, network);
    let bare = |program: &Path| Way::Bare { program: program.to_owned(), bundles: &bundles };
    let mut tasks = [
        Task::new("without a network", bare(&bundles.floor)),
        Task::new("without a network", ours("none", None)?),
        Task::new("veth, bridge, address, gateway", bare(&wires)),
        Task::new(
            "veth, bridge, address, gateway",
            ours("static", Some(interface("address", "10.201.0.2/24")))?,
        ),
        Task::new("the same, address of a pool", ours("pooled", Some(interface("pool", "10.201.0.0/24")))?),
    ];
    for _ in 0..options.blocks {
        for task in &mut tasks {
            task.time(None)?;
            (0..options.runs).try_for_each(|_| task.time(Some(0)))?;
        }
    }
    for _ in 0..options.idle {
        for task in &mut tasks {
            std::thread::sleep(PAUSE);
            task.time(Some(1))?;
        }
    }
    print(&tasks);
    Ok(())
}

/// A network namespace with a bridge, and a `/run` without records of other networks.
fn host() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|e| format!("unshare the network namespace: {e}"))?;
    mount(Some("run"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
        .map_err(|e| format!("mount a tmpfs on /run: {e}"))?;
    let bridge = || {
        let mut network = Network::here()?;
        let index = network.ensure_bridge("bench0", &LinkSettings { up: true, ..Default::default() })?.0;
        let address = "10.201.0.1/24".parse().into_iter().collect::<Vec<_>>();
        network.configure(index, &address, AddressSettings::default(), &[])
    };
    bridge().map_err(|e| e.to_string())
}

fn ours<'a>(
    options: &Options,
    bundles: &'a Bundles,
    dir: &Path,
    name: &str,
    network: Option<Value>,
) -> Result<Way<'a>, String> {
    let mut config = bundle::config(&bundles.rootfs, &["/bin/true"]);
    if let Some(network) = network {
        config["annotations"] = json!({ cofferdam::NETWORK_ANNOTATION: network.to_string() });
    }
    let bundle = bundle::write_bundle(&dir.join(name), &config)?;
    let program = fs::canonicalize(&options.cofferdam).map_err(|e| {
        format!("{}: {e}; build it with `cargo build --release`", options.cofferdam.display())
    })?;
    Ok(Way::Ours { program, root: dir.join("state"), bundle, bundles })
}

impl<'a> Task<'a> {
    fn new(what: &'static str, way: Way<'a>) -> Self {
        Self { what, way, figures: Default::default() }
    }

    /// One life; the figures are kept as hot (0) or idle (1).
    fn time(&mut self, kept: Option<usize>) -> Result<(), String> {
        let begin = Instant::now();
        let started = match &self.way {
            Way::Bare { program, bundles } => bare_life(program, bundles, begin)?,
            Way::Ours { program, root, bundle, bundles } => {
                let id = fresh(&bundles.prefix);
                let call = |words: &[&str]| {
                    let mut command = Command::new(program);
                    finish(
                        {
                            command.arg("--root").arg(root).args(words);
                            command
                        },
                        &bundles.log,
                    )
                };
                let bundle = bundle.to_string_lossy();
                call(&["run", "--detach", "--bundle", &bundle, &id])?;
                let started = begin.elapsed();
                call(&["delete", "--force", &id])?;
                started
            }
        };
        let whole = begin.elapsed();
        if let Some([start, life]) = kept.and_then(|kind| self.figures.get_mut(kind)) {
            start.push(started.as_secs_f64() * 1000.0);
            life.push(whole.as_secs_f64() * 1000.0);
        }
        Ok(())
    }
}

/// The bare program says when the container's program runs.
fn bare_life(program: &Path, bundles: &Bundles, begin: Instant) -> Result<Duration, String> {
    let at = |e: std::io::Error| format!("{}: {e}", program.display());
    let mut command = Command::new(program);
    command.arg(&bundles.rootfs).args(["-", "/bin/true"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(at)?;
    let said = child.stdout.as_mut().map(|out| out.read_exact(&mut [0]));
    let started = begin.elapsed();
    let status = child.wait().map_err(at)?;
    match said {
        Some(Ok(())) if status.success() => Ok(started),
        _ => Err(format!("{}: {status}", program.display())),
    }
}

fn print(tasks: &[Task<'_>]) {
    println!(
        "/bin/true in a container, medians in ms; x is against the bare program; hot: one after the other\n"
    );
    println!("{:<46} {:>9} {:>9} {:>6}", "", "bare", "ours", "x");
    let mut bare = None;
    for task in tasks {
        match &task.way {
            Way::Bare { .. } => bare = Some(task),
            Way::Ours { .. } => {
                let Some(bare) = bare else { continue };
                for (part, name) in ["start", "whole life"].into_iter().enumerate() {
                    for (kind, how) in ["hot", "idle"].into_iter().enumerate() {
                        let of = |task: &Task<'_>| {
                            let figures = task.figures.get(kind).and_then(|parts| parts.get(part));
                            figures.and_then(|f| median(f)).unwrap_or(f64::NAN)
                        };
                        let (bare, ours) = (of(bare), of(task));
                        let label = format!("{}: {name}, {how}", task.what);
                        println!("{label:<46} {bare:>9.2} {ours:>9.2} {:>6.2}", ours / bare);
                    }
                }
            }
        }
    }
}
