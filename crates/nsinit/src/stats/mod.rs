//! What a container uses, in libcontainer's two forms and as OpenMetrics.
//!
//! Called by programs that read statistics, and by the command `stats`. [`Measurement`] is taken once; the forms
//! are made of it, and are pure. What the host does not count is absent in all of them, where libcontainer wrote
//! zero; `docs/statistics.md` names the file that each field is from.

mod common;
mod openmetrics;
pub mod v1;
pub mod v2;

use std::collections::BTreeMap;
use std::path::PathBuf;

use cofferdam::{Container, Result};
use cofferdam_cgroup::usage::Usage;
use cofferdam_cgroup::{Cgroup, NetworkInterface, SavedCgroup};

pub use common::{BlkioStatEntry, BlkioStats, CpuStats, CpuUsage, ThrottlingData};
pub use openmetrics::{CONTENT_TYPE, openmetrics};

use crate::{State, StateV2};

/// What a container used up to a moment.
///
/// ```no_run
/// use cofferdam_nsinit::{State, stats::Measurement};
/// let measured = Measurement::of_state(&State::get("/var/lib/box".as_ref())?)?;
/// println!("{}", serde_json::to_string(&measured.v1()).unwrap());
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurement {
    /// What its cgroups say.
    pub usage: Usage,
    /// What went through its network interfaces, as it sees them; none for one that has no network of its own.
    pub interfaces: Option<Vec<NetworkInterface>>,
}

impl Measurement {
    /// Measures a container of the core's.
    ///
    /// # Errors
    /// [`cofferdam::ErrorKind::WrongState`] when it has ended; when its cgroup cannot be read.
    ///
    /// ```no_run
    /// # fn f(child: &cofferdam::Child) -> cofferdam::Result<()> {
    /// let measured = cofferdam_nsinit::stats::Measurement::of(child.container())?;
    /// println!("{:?} ns", measured.usage.cpu.total);
    /// # Ok(())
    /// # }
    /// ```
    pub fn of(container: &Container) -> Result<Self> {
        let usage = container.usage()?;
        // Last: it tells whether there was still a container.
        Ok(Self { usage, interfaces: container.network_counters()? })
    }

    /// Measures a container of a data directory. libcontainer's `GetStats`.
    ///
    /// # Errors
    /// As [`Measurement::of`].
    ///
    /// ```no_run
    /// # use cofferdam_nsinit::{State, stats::Measurement};
    /// let measured = Measurement::of_state(&State::get("/var/lib/box".as_ref())?)?;
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn of_state(state: &State) -> Result<Self> {
        measure(state.init_pid, state.started()?, &state.cgroup_paths)
    }

    /// Measures a container by the state that version 2 writes.
    ///
    /// # Errors
    /// As [`Measurement::of`].
    ///
    /// ```no_run
    /// # use cofferdam_nsinit::{StateV2, stats::Measurement};
    /// let measured = Measurement::of_state_v2(&StateV2::parse(&std::fs::read("state.json")?)?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_state_v2(state: &StateV2) -> Result<Self> {
        measure(state.init_process_pid, state.started()?, &state.cgroup_paths)
    }

    /// The form of v1.4's `nsinit stats`.
    ///
    /// ```
    /// let nothing = cofferdam_nsinit::stats::Measurement::default().v1();
    /// assert_eq!(serde_json::to_string(&nothing).unwrap(), "{}");
    /// ```
    #[must_use]
    pub fn v1(&self) -> v1::ContainerStats {
        self.into()
    }

    /// The form of version 2.
    ///
    /// ```
    /// let nothing = cofferdam_nsinit::stats::Measurement::default().v2();
    /// assert_eq!(serde_json::to_string(&nothing).unwrap(), "{}");
    /// ```
    #[must_use]
    pub fn v2(&self) -> v2::Stats {
        self.into()
    }
}

fn measure(pid: i32, started: u64, paths: &BTreeMap<String, PathBuf>) -> Result<Measurement> {
    let usage = Cgroup::load(SavedCgroup::from_paths(paths)).usage()?;
    Ok(Measurement { usage, interfaces: cofferdam::network_counters(pid, started)? })
}

/// A group of numbers, unless none of them is there.
fn present<T: Default + PartialEq>(group: T) -> Option<T> {
    (group != T::default()).then_some(group)
}
