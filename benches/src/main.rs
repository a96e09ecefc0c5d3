//! `cofferdam-bench`: what a start costs, against the floor, runc, crun and bubblewrap, in one run.
//!
//! Called by people, as root: `cargo run --release -p cofferdam-bench`. It measures whole commands,
//! as a caller sees them, and may not look inside a runtime. Everything happens in a mount namespace
//! of its own and in one directory and one set of cgroups that are removed at the end.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a program whose result is a printed table

mod bundle;
mod chart;
mod contestant;
mod extras;
mod host;
mod library;
mod measure;
mod network;
mod notify;
mod nsenter;
mod options;
mod profile;
mod report;
mod shim;
mod storm;
mod tasks;
mod warm;
mod world;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    // First: a helper of the second benchmark does not come back from here.
    let modules = nsenter::modules().into_iter().chain([notify::module()]);
    cofferdam_nsenter::init(modules);
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words == ["nsenter"] {
        return match nsenter::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("{why}");
                ExitCode::FAILURE
            }
        };
    }
    if let Some((first, rest)) = words.split_first()
        && first == "notify"
    {
        return match notify::run(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("{why}");
                ExitCode::FAILURE
            }
        };
    }
    let done = Options::parse(&words).and_then(|options| match options.inside.clone() {
        None => world::run_inside(&words),
        Some(dir) => bench(&options, &dir).map(|()| ExitCode::SUCCESS),
    });
    done.unwrap_or_else(|why| {
        eprintln!("{why}");
        ExitCode::FAILURE
    })
}

/// The benchmark itself, inside its own world.
fn bench(options: &Options, dir: &std::path::Path) -> Result<(), String> {
    world::enter(dir)?;
    if options.network {
        return network::run(options, dir);
    }
    if options.storm {
        return storm::run(options, dir);
    }
    if options.shim {
        return shim::run(options, dir);
    }
    let bundles = bundle::Bundles::make(dir)?;
    let contestants = contestant::find(options, dir, &bundles)?;
    let host = host::describe(&contestants);
    println!("{host}");
    let tasks = tasks::all(options, &contestants, &bundles)?;
    let timed = measure::all(options, &tasks)?;
    let extras = extras::measure(options, &contestants, &tasks, &bundles)?;
    let heaps = library::heaps(options, &tasks)?;
    let warm = warm::measure(options, &contestants, &bundles)?;
    tasks::end(options, &contestants, &bundles)?;
    let report = report::Report::new(host, &timed, &extras, &heaps, &warm);
    println!("{report}");
    report.write_json(options.json.as_deref())?;
    options.svg.as_deref().map_or(Ok(()), |path| chart::write(path, &report))
}
