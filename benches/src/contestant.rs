//! Who takes part, and how each is called. Called by `main`, used by `tasks` and `extras`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bundle::Bundles;
use crate::options::Options;

/// The name of our own binary in every table.
pub(crate) const OURS: &str = "cofferdam";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The least kernel work for the bundle.
    Floor,
    /// An OCI runtime.
    Runtime,
    /// A sandbox of the host's own files.
    Bubblewrap,
}

#[derive(Clone)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) program: PathBuf,
    /// Where a runtime keeps its state.
    pub(crate) root: PathBuf,
}

/// The floor, and whatever of the others is installed.
pub(crate) fn find(options: &Options, dir: &Path, bundles: &Bundles) -> Result<Vec<Contestant>, String> {
    let mut found = vec![(("floor", Kind::Floor), Some(bundles.floor.clone()))];
    let ours = fs::canonicalize(&options.cofferdam).ok();
    if ours.is_none() {
        println!("{} is not there: build it with `cargo build --release`", options.cofferdam.display());
    }
    found.push(((OURS, Kind::Runtime), ours));
    found.push((("crun", Kind::Runtime), in_path("crun")));
    found.push((("runc", Kind::Runtime), in_path("runc")));
    found.push((("bubblewrap", Kind::Bubblewrap), in_path("bwrap")));
    let mut contestants = Vec::new();
    for ((name, kind), program) in found {
        let Some(program) = program else {
            println!("{name} is not installed: left out");
            continue;
        };
        let root = dir.join(format!("state-{name}"));
        fs::create_dir(&root).map_err(|e| format!("{}: {e}", root.display()))?;
        contestants.push(Contestant { name, kind, program, root });
    }
    Ok(contestants)
}

fn in_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|program| program.is_file())
}

impl Contestant {
    /// `PROGRAM --root DIR COMMAND …` of an OCI runtime.
    pub(crate) fn oci(&self, command: &str) -> Command {
        let mut called = Command::new(&self.program);
        called.arg("--root").arg(&self.root).arg(command);
        called
    }

    pub(crate) fn version(&self) -> String {
        if self.kind == Kind::Floor {
            return "benches/floor.c".to_owned();
        }
        let output = Command::new(&self.program).arg("--version").output();
        let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        text.lines().next().unwrap_or("unknown").to_owned()
    }
}
