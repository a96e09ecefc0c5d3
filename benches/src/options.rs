//! The command line of the benchmark. Called by `main`.

use std::path::PathBuf;

const USAGE: &str =
    "usage: cofferdam-bench [--quick] [--library] [--seed N] [--cofferdam PATH] [--json FILE] [--svg FILE]
       cofferdam-bench network [--quick] [--seed N] [--cofferdam PATH]
       cofferdam-bench storm [--quick] [--seed N] [--cofferdam PATH] [--count N] [--systemd]
       cofferdam-bench shim [--quick] [--cofferdam PATH]
       cofferdam-bench nsenter

  --quick           fewer runs: a first impression in about half a minute
  --library         only what a program sees that embeds the library, or starts the others
  --seed N          order of the blocks (1)
  --cofferdam PATH  the binary to measure (the one beside this program)
  --json FILE       write every figure as JSON
  --svg FILE        draw the medians
  network           a container's network, against a bare netlink program
  storm             containers made and removed at once, by each runtime in turn
  --count N         how many at once (100)
  --systemd         their cgroups by systemd, where it is the first process
  shim              containerd's shims: start latency, and memory while idle; ours is found beside the command
  nsenter           calls a second into another process's namespaces, in the ways there are";

/// What the caller asked for.
pub(crate) struct Options {
    /// Blocks of each command, and runs in a block that count.
    pub(crate) blocks: usize,
    pub(crate) runs: usize,
    /// Single runs of each command, each after a pause.
    pub(crate) idle: usize,
    /// Rounds of 200 runs, 8 at a time.
    pub(crate) rounds: usize,
    pub(crate) seed: u64,
    pub(crate) cofferdam: PathBuf,
    /// The other benchmark, of networks.
    pub(crate) network: bool,
    /// The other benchmark, of many containers at once: how many, and whether systemd makes their cgroups.
    pub(crate) storm: bool,
    pub(crate) count: usize,
    pub(crate) systemd: bool,
    /// The one of containerd's shims.
    pub(crate) shim: bool,
    /// The library only.
    pub(crate) library: bool,
    pub(crate) json: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
    /// Set for the second process, the one in the private world: its directory.
    pub(crate) inside: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(words: &[String]) -> Result<Options, String> {
        let mut options = Options {
            blocks: 12,
            runs: 10,
            idle: 60,
            rounds: 3,
            seed: 1,
            cofferdam: beside_this_program()?,
            network: false,
            storm: false,
            count: 100,
            systemd: false,
            shim: false,
            library: false,
            json: None,
            svg: None,
            inside: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--quick" => {
                    (options.blocks, options.runs, options.idle, options.rounds) = (4, 6, 12, 1);
                }
                "--seed" => {
                    options.seed = value()?.parse().map_err(|_| format!("--seed takes a number\n{USAGE}"))?
                }
                "--cofferdam" => options.cofferdam = value()?.into(),
                "network" => options.network = true,
                "storm" => options.storm = true,
                "--systemd" => options.systemd = true,
                "--count" => {
                    options.count =
                        value()?.parse().map_err(|_| format!("--count takes a number\n{USAGE}"))?
                }
                "shim" => options.shim = true,
                "--library" => options.library = true,
                "--json" => options.json = Some(value()?.into()),
                "--svg" => options.svg = Some(value()?.into()),
                "--inside" => options.inside = Some(value()?.into()),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }
}

/// Where `cargo build --release` puts the command: the benchmark is built into the same directory.
fn beside_this_program() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|e| format!("where this program is: {e}"))?;
    Ok(this.with_file_name("cofferdam"))
}
