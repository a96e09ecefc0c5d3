//! `cofferdam-bench network`: what a container's network costs, against a bare netlink program that does the
//! same steps (`wires.c` before `floor.c`), in one run.
//!
//! Called by `main`, inside the private world, to which it adds a network namespace with one bridge.

use std::fs;
use std::path::Path;
use std::process::Command;

use cofferdam::net::{AddressSettings, LinkSettings, Network};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};

use crate::bundle::{self, Bundles};
use crate::measure::{self, Timed, median};
use crate::options::Options;
use crate::tasks::{Job, Task, finish, fresh};

const PLAIN: &str = "without a network";
const STATIC: &str = "veth, bridge, address, gateway";
const POOL: &str = "the same, address of a pool";

/// Measures and prints.
pub(crate) fn run(options: &Options, dir: &Path) -> Result<(), String> {
    host()?;
    let bundles = Bundles::make(dir)?;
    // The files that tell of the network are mounted there.
    fs::create_dir(bundles.rootfs.join("etc")).map_err(|e| format!("etc: {e}"))?;
    let interface = |more: (&str, &str)| {
        let mut one = json!({"type": "veth", "bridge": "bench0", "gateway": "10.201.0.1"});
        one[more.0] = more.1.into();
        json!({"networks": [one]})
    };
    let fixed = ours(options, &bundles, dir, "static", Some(interface(("address", "10.201.0.2/24"))))?;
    let pooled = ours(options, &bundles, dir, "pooled", Some(interface(("pool", "10.201.0.0/24"))))?;
    let wires = concat!(include_str!("../wires.c"), include_str!("../floor.c"));
    let wires = bundle::compile(dir, "wires", wires)?;
    let tasks = [
        bare(PLAIN, &bundles.floor, &bundles),
        ours(options, &bundles, dir, "none", None)?(PLAIN),
        bare(STATIC, &wires, &bundles),
        fixed(STATIC),
        pooled(POOL),
    ];
    let timed = measure::all(options, &tasks)?;
    print(&timed);
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

fn bare(who: &'static str, program: &Path, bundles: &Bundles) -> Task {
    let (program, rootfs, log) = (program.to_owned(), bundles.rootfs.clone(), bundles.log.clone());
    Task::action(Job::Floor, who, move || {
        let mut command = Command::new(&program);
        command.arg(&rootfs).arg("/bin/true");
        finish(command, &log)
    })
}

/// A bundle with this network, and what runs it.
fn ours(
    options: &Options,
    bundles: &Bundles,
    dir: &Path,
    name: &str,
    network: Option<Value>,
) -> Result<impl Fn(&'static str) -> Task, String> {
    let mut config = bundle::config(&bundles.rootfs, &["/bin/true"]);
    if let Some(network) = network {
        config["annotations"] = json!({ cofferdam::NETWORK_ANNOTATION: network.to_string() });
    }
    let bundle = bundle::write_bundle(&dir.join(name), &config)?;
    let (root, prefix, log) = (dir.join("state"), bundles.prefix.clone(), bundles.log.clone());
    let program = fs::canonicalize(&options.cofferdam).map_err(|e| {
        format!("{}: {e}; build it with `cargo build --release`", options.cofferdam.display())
    })?;
    Ok(move |who| {
        let (program, root, bundle) = (program.clone(), root.clone(), bundle.clone());
        let (prefix, log) = (prefix.clone(), log.clone());
        Task::action(Job::Run, who, move || {
            let mut command = Command::new(&program);
            command.arg("--root").arg(&root).args(["run", "--bundle"]).arg(&bundle).arg(fresh(&prefix));
            finish(command, &log)
        })
    })
}

fn hot(timed: &Timed) -> &[f64] {
    &timed.hot
}

fn idle(timed: &Timed) -> &[f64] {
    &timed.idle
}

fn print(timed: &[Timed]) {
    let of = |job: Job, who: &str, figures: fn(&Timed) -> &[f64]| {
        let found = timed.iter().find(|t| t.job == job && t.who == who);
        found.and_then(|t| median(figures(t))).unwrap_or(f64::NAN)
    };
    println!("one container's life with /bin/true, medians in ms; x is against the bare program\n");
    println!(
        "{:<34} {:>10} {:>10} {:>6} {:>10} {:>10} {:>6}",
        "", "bare, hot", "ours", "x", "bare, idle", "ours", "x"
    );
    for (who, against) in [(PLAIN, PLAIN), (STATIC, STATIC), (POOL, STATIC)] {
        let row = [hot, idle].map(|figures| {
            let (bare, ours) = (of(Job::Floor, against, figures), of(Job::Run, who, figures));
            format!("{bare:>10.2} {ours:>10.2} {:>6.2}", ours / bare)
        });
        println!("{who:<34} {}", row.join(" "));
    }
}
