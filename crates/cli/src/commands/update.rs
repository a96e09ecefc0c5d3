//! `update`: change the limits of a container.

use cofferdam::oci::{self, BlockIo, Cpu, IntelRdt, Memory, Pids, Resources};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::units::bytes_or_unlimited;

/// Change the limits of a container
///
/// What is not given stays as it is. Sizes are in bytes and may have a unit (k, m, g); -1 is unlimited.
#[derive(Debug, clap::Args)]
pub(crate) struct Update {
    /// Read the limits from FILE, or from standard input when it is -, as JSON like linux.resources of
    /// config.json; the other flags are then ignored
    #[arg(short, long, value_name = "FILE")]
    resources: Option<PathBuf>,
    /// Weight of block I/O, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,
    /// Length of a CPU period in microseconds; 0 is the system's default
    #[arg(long, value_name = "USECS")]
    cpu_period: Option<u64>,
    /// CPU time in each period in microseconds
    #[arg(long, value_name = "USECS")]
    cpu_quota: Option<i64>,
    /// CPU time that may be saved up in microseconds
    #[arg(long, value_name = "USECS")]
    cpu_burst: Option<u64>,
    /// CPU weight against other containers, 2 to 262144
    #[arg(long, value_name = "SHARES")]
    cpu_share: Option<u64>,
    /// Length of a real-time period in microseconds; 0 is the system's default
    #[arg(long, value_name = "USECS")]
    cpu_rt_period: Option<u64>,
    /// Real-time CPU time in each period in microseconds
    #[arg(long, value_name = "USECS")]
    cpu_rt_runtime: Option<i64>,
    /// CPUs to use, such as 0-3,7
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes to use, such as 0,1
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// 1 to run only where the CPU would be idle, 0 not to
    #[arg(long, value_name = "0|1")]
    cpu_idle: Option<i64>,
    /// Ignored; kernels no longer limit it
    #[arg(long, value_name = "BYTES", hide = true)]
    kernel_memory: Option<String>,
    /// Ignored; kernels no longer limit it
    #[arg(long, value_name = "BYTES", hide = true)]
    kernel_memory_tcp: Option<String>,
    /// Memory
    #[arg(long, value_name = "BYTES", value_parser = bytes_or_unlimited)]
    memory: Option<i64>,
    /// Memory that is kept under pressure
    #[arg(long, value_name = "BYTES", value_parser = bytes_or_unlimited)]
    memory_reservation: Option<i64>,
    /// Memory and swap together
    #[arg(long, value_name = "BYTES", value_parser = bytes_or_unlimited)]
    memory_swap: Option<i64>,
    /// Number of processes
    #[arg(long, value_name = "N")]
    pids_limit: Option<i64>,
    /// L3 cache schema (Intel RDT)
    #[arg(long, value_name = "SCHEMA")]
    l3_cache_schema: Option<String>,
    /// Memory bandwidth schema (Intel RDT)
    #[arg(long, value_name = "SCHEMA")]
    mem_bw_schema: Option<String>,
    /// Name of the container
    container_id: String,
}

impl Update {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let container = context.container(&self.container_id)?;
        if self.l3_cache_schema.is_some() || self.mem_bw_schema.is_some() {
            container.update_rdt(&IntelRdt {
                l3_cache_schema: self.l3_cache_schema.clone(),
                mem_bw_schema: self.mem_bw_schema.clone(),
                ..IntelRdt::default()
            })?;
        }
        if self.kernel_memory.is_some() || self.kernel_memory_tcp.is_some() {
            context.log.warning("kernel memory limits are ignored: kernels no longer have them");
        }
        let resources = match &self.resources {
            Some(file) => read(file)?,
            None => self.resources(),
        };
        container.update(&resources)?;
        Ok(0)
    }

    fn resources(&self) -> Resources {
        let memory = Memory {
            limit: self.memory,
            reservation: self.memory_reservation,
            swap: self.memory_swap,
            ..Memory::default()
        };
        let cpu = Cpu {
            shares: self.cpu_share,
            quota: self.cpu_quota,
            burst: self.cpu_burst,
            period: self.cpu_period,
            realtime_runtime: self.cpu_rt_runtime,
            realtime_period: self.cpu_rt_period,
            cpus: self.cpuset_cpus.clone(),
            mems: self.cpuset_mems.clone(),
            idle: self.cpu_idle,
        };
        // A weight of 0 leaves the weight alone, as engines that fill in every flag expect.
        let weight = self.blkio_weight.filter(|&weight| weight != 0);
        Resources {
            memory: some(memory),
            cpu: some(cpu),
            pids: self.pids_limit.map(|limit| Pids { limit: Some(limit) }),
            block_io: weight.map(|weight| BlockIo { weight: Some(weight), ..BlockIo::default() }),
            ..Resources::default()
        }
    }
}

/// `None` when nothing in it is set.
fn some<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

fn read(file: &Path) -> Result<Resources, Failure> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin()
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::io("reading standard input", &error))?;
    } else {
        bytes = std::fs::read(file)
            .map_err(|error| Failure::io(format_args!("reading {}", file.display()), &error))?;
    }
    oci::parse(&bytes).map_err(|error| Failure::new(format!("{}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        update: Update,
    }

    fn resources(words: &[&str]) -> Resources {
        let line: Line = clap::Parser::parse_from([&["x"], words, &["c"]].concat());
        line.update.resources()
    }

    #[test]
    fn what_is_not_given_is_not_set() {
        assert_eq!(resources(&[]), Resources::default());
        assert_eq!(resources(&["--blkio-weight=0"]), Resources::default());
    }

    #[test]
    fn sizes_have_units_and_no_limit_is_minus_one() {
        let memory = resources(&["--memory=32m", "--memory-swap=-1"]).memory.unwrap();
        assert_eq!((memory.limit, memory.swap), (Some(32 << 20), Some(-1)));
        assert_eq!(resources(&["--pids-limit=-1"]).pids.unwrap().limit, Some(-1));
    }
}
