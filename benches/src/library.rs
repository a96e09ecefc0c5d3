//! Containers started by the library in this very process, and whether the size of its heap matters. Called by
//! `tasks` and `main`.

use std::time::Instant;

use cofferdam::{Bundle, Command, ContainerId, Stdio, Store};

use crate::bundle::Bundles;
use crate::contestant::{Contestant, OURS};
use crate::measure::median;
use crate::options::Options;
use crate::tasks::{Job, Task, fresh};

/// Heaps that are touched while containers are started, in megabytes.
const HEAPS: [usize; 2] = [10, 1024];

/// What one run took with each heap, in milliseconds: the medians.
pub(crate) struct Heaps {
    pub(crate) small: Option<f64>,
    pub(crate) large: Option<f64>,
}

/// /bin/true of the bundle that all others run, without another program.
pub(crate) fn task(contestant: &Contestant, bundles: &Bundles) -> Result<Task, String> {
    let bundle = Bundle::open(&bundles.plain).map_err(|e| e.to_string())?;
    let (store, prefix) = (Store::new(&contestant.root), bundles.prefix.clone());
    Ok(Task::action(Job::Library, OURS, move || {
        let mut command = Command::from(bundle.clone());
        let id = ContainerId::new(&fresh(&prefix)).map_err(|e| e.to_string())?;
        command.store(store.clone()).id(id).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().and_then(cofferdam::ExitStatus::ok).map_err(|e| e.to_string())
    }))
}

/// Times the library with a small and with a large heap, in turns, the first run of each turn not counted.
pub(crate) fn heaps(options: &Options, tasks: &[Task]) -> Result<Heaps, String> {
    let Some(task) = tasks.iter().find(|t| t.job == Job::Library && t.who == OURS) else {
        return Ok(Heaps { small: None, large: None });
    };
    let mut times = HEAPS.map(|_| Vec::new());
    for _ in 0..options.blocks {
        for (heap, times) in HEAPS.iter().zip(&mut times) {
            let touched = vec![1u8; heap << 20];
            task.run()?;
            for _ in 0..options.runs {
                let begin = Instant::now();
                task.run()?;
                times.push(begin.elapsed().as_secs_f64() * 1000.0);
            }
            // It must have been there until here.
            std::hint::black_box(&touched);
        }
    }
    let [small, large] = times.map(|t| median(&t));
    Ok(Heaps { small, large })
}
