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
    let floor = member(dir, "floor", Kind::Floor, Some(bundles.floor.clone()))?;
    let bubblewrap = member(dir, "bubblewrap", Kind::Bubblewrap, in_path("bwrap"))?;
    Ok(floor.into_iter().chain(runtimes(options, dir)?).chain(bubblewrap).collect())
}

/// The OCI runtimes.
pub(crate) fn runtimes(options: &Options, dir: &Path) -> Result<Vec<Contestant>, String> {
    let ours = fs::canonicalize(&options.cofferdam).ok();
    if ours.is_none() {
        println!("{} is not there: build it with `cargo build --release`", options.cofferdam.display());
    }
    let all = [(OURS, ours), ("crun", in_path("crun")), ("runc", in_path("runc"))];
    let found = all.into_iter().map(|(name, program)| member(dir, name, Kind::Runtime, program));
    Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn member(
    dir: &Path,
    name: &'static str,
    kind: Kind,
    program: Option<PathBuf>,
) -> Result<Option<Contestant>, String> {
    let Some(program) = program else {
        println!("{name} is not installed: left out");
        return Ok(None);
    };
    let root = dir.join(format!("state-{name}"));
    fs::create_dir(&root).map_err(|e| format!("{}: {e}", root.display()))?;
    Ok(Some(Contestant { name, kind, program, root }))
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
