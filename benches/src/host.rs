//! What was measured, and on what: the lines above the table. Called by `main`.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::contestant::Contestant;

/// The machine and the versions.
pub(crate) struct Host {
    kernel: String,
    cpus: usize,
    processor: String,
    cgroups: String,
    pub(crate) versions: Vec<(&'static str, String)>,
    /// How many others want a processor (proc_loadavg(5), the last minute).
    load: f64,
}

pub(crate) fn describe(contestants: &[Contestant]) -> Host {
    let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let release = line("/proc/sys/kernel/osrelease");
    let cpuinfo = line("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|l| l.strip_prefix("model name").map(|l| l.trim_start_matches(['\t', ' ', ':'])));
    let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let mounts = line("/proc/self/mounts");
    let v1 = mounts.lines().filter(|l| l.split(' ').nth(2) == Some("cgroup")).count();
    Host {
        // Without the builder's own suffix.
        kernel: release.split('-').next().unwrap_or_default().to_owned(),
        cpus: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        processor: model.unwrap_or(std::env::consts::ARCH).to_owned(),
        cgroups: if v2 { "v2".to_owned() } else { format!("v1 with {v1} hierarchies") },
        load: line("/proc/loadavg").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default(),
        versions: contestants.iter().map(|c| (c.name, c.version())).collect(),
    }
}

impl Host {
    pub(crate) fn json(&self) -> Value {
        let versions: serde_json::Map<_, _> =
            self.versions.iter().map(|(name, version)| ((*name).to_owned(), json!(version))).collect();
        json!({
            "kernel": self.kernel, "cpus": self.cpus, "processor": self.processor,
            "cgroups": self.cgroups, "load": self.load, "versions": versions,
        })
    }

    /// One line, for the chart.
    pub(crate) fn line(&self) -> String {
        format!("Linux {}, {} CPUs, cgroup {}", self.kernel, self.cpus, self.cgroups)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.line(), self.processor)?;
        for (name, version) in &self.versions {
            writeln!(f, "  {name}: {version}")?;
        }
        if self.load > 1.0 {
            writeln!(
                f,
                "  busy: the load is {}; the times below are those of a machine that does other work",
                self.load
            )?;
        }
        Ok(())
    }
}
