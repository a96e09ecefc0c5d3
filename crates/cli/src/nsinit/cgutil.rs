//! `cgutil`: libcontainer v1.2's tool for cgroups without containers.

use cofferdam_nsinit::namespaces::{find_cgroups, setup_cgroups};
use cofferdam_nsinit::stats::Measurement;
use cofferdam_nsinit::{Cgroup, Config};
use std::path::PathBuf;

use super::config::read_as;
use super::setting::Setting;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Make, measure, stop and remove cgroups without a container
///
/// As libcontainer v1.2's program of that name: a cgroup is known by its name and its parent.
#[derive(Debug, clap::Args)]
pub(super) struct Cgutil {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make cgroups with their limits and put a process into them
    Create {
        /// Name, parent and limits: what `cgroups` is in a container.json
        #[arg(short, long, value_name = "FILE", default_value = "cgroup.json")]
        config: PathBuf,
        /// Process to put into them
        #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
        pid: u32,
    },
    /// Kill the processes in cgroups and remove them
    Destroy(Which),
    /// Print what the processes in cgroups use, as JSON
    Stats(Which),
    /// Stop all processes in cgroups
    Pause(Which),
    /// Let the stopped processes in cgroups go on
    Resume(Which),
    /// Print the ids of the processes in cgroups
    Ps(Which),
}

/// Which cgroups.
#[derive(Debug, clap::Args)]
struct Which {
    /// Name of the cgroup
    #[arg(short, long, value_name = "NAME")]
    name: String,
    /// Path of the cgroup above it
    #[arg(short, long, value_name = "PATH", default_value = "")]
    parent: String,
}

impl Which {
    fn wanted(self) -> Cgroup {
        Cgroup { name: self.name, parent: self.parent, ..Cgroup::default() }
    }
}

impl Cgutil {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        match self.command {
            Command::Create { config, pid } => create(&config, pid, setting)?,
            Command::Destroy(which) => {
                let cgroup = find_cgroups(&which.wanted())?;
                // Who is stopped cannot end.
                cgroup.kill(9).and_then(|()| cgroup.thaw()).map_err(cofferdam::Error::from)?;
                cgroup.delete().map_err(cofferdam::Error::from)?;
            }
            Command::Stats(which) => {
                let usage = find_cgroups(&which.wanted())?.usage().map_err(cofferdam::Error::from)?;
                let stats = Measurement { usage, interfaces: None }.v1().cgroup_stats;
                output::text(&format!("{}\n", output::pretty(&stats, "\t")?))?;
            }
            Command::Pause(which) => {
                find_cgroups(&which.wanted())?.freeze().map_err(cofferdam::Error::from)?;
            }
            Command::Resume(which) => {
                find_cgroups(&which.wanted())?.thaw().map_err(cofferdam::Error::from)?;
            }
            Command::Ps(which) => {
                let pids = find_cgroups(&which.wanted())?.pids(true).map_err(cofferdam::Error::from)?;
                output::text(&pids.iter().map(|pid| format!("{pid}\n")).collect::<String>())?;
            }
        }
        Ok(0)
    }
}

fn create(file: &std::path::Path, pid: u32, setting: &Setting) -> Result<(), Failure> {
    let config = read_as(file, &setting.log, |bytes| {
        // The reader is that of a whole container.json.
        Config::read(&[&b"{\"cgroups\":"[..], bytes, b"}"].concat())
    })?;
    if config.cgroups.as_ref().is_none_or(|cgroups| cgroups.name.is_empty()) {
        return Err(Failure::new(format!("{}: /name: a cgroup must have a name", file.display())));
    }
    setup_cgroups(&config, pid)?;
    Ok(())
}
