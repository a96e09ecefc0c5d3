//! Which runtimes a run of the suite is about, from the environment. Called by `check`.
//!
//! `RUNTIME_UNDER_TEST` is `runc`, `crun`, `cofferdam`, `all` (the three in turn) or the path of a binary;
//! without it, cofferdam. The cofferdam binary is `COFFERDAM_BIN`, else `target/release/cofferdam` of the
//! workspace.

use std::path::{Path, PathBuf};

/// A runtime: its name, which the table of expected failures goes by, and its binary.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// `runc`, `crun`, `cofferdam`, or the file name of another one.
    pub name: String,
    /// Where the binary is.
    pub path: PathBuf,
}

impl Runtime {
    /// Whether Debian's crun needs a cgroup tree without the hierarchy of version 2: it refuses hybrid hosts
    /// whose second tree still has a controller.
    pub fn needs_legacy_tree(&self) -> bool {
        self.name == "crun" && Path::new("/sys/fs/cgroup/unified/cgroup.controllers").exists()
    }
}

/// The runtimes under test.
pub fn under_test() -> Vec<Runtime> {
    match std::env::var("RUNTIME_UNDER_TEST").as_deref() {
        Err(_) | Ok("" | "cofferdam") => vec![cofferdam()],
        Ok("all") => vec![installed("runc"), installed("crun"), cofferdam()],
        Ok(path) if path.contains('/') => {
            let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
            vec![Runtime { name, path: PathBuf::from(path) }]
        }
        Ok(name) => vec![installed(name)],
    }
}

fn cofferdam() -> Runtime {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/cofferdam");
    let path = std::env::var_os("COFFERDAM_BIN").map_or(beside, PathBuf::from);
    assert!(
        path.exists(),
        "no runtime at {}: build it (cargo build --release -p cofferdam-cli), or set COFFERDAM_BIN or RUNTIME_UNDER_TEST",
        path.display()
    );
    Runtime { name: "cofferdam".into(), path: path.canonicalize().expect("path of the binary") }
}

fn installed(name: &str) -> Runtime {
    let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];
    let path = places.iter().map(|d| Path::new(d).join(name)).find(|p| p.exists());
    Runtime { name: name.into(), path: path.unwrap_or_else(|| panic!("{name} is not installed")) }
}
