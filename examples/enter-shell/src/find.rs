//! Finds the process to enter: of an engine's container, of one of cofferdam's, or any. Called by `main`; opens
//! handles and changes nothing.

use std::path::Path;
use std::process::Command;

use cofferdam::{ContainerId, Store};
use cofferdam_nsenter::Target;

/// Of a container that podman or docker runs. Asked for its process, the handles opened, asked again: the number
/// has not changed hands in between.
pub(crate) fn of_engine(engine: &Path, name: &str) -> Result<Target, String> {
    let pid = inspect(engine, name)?;
    let target = of_pid(pid)?;
    target.recheck(|_| inspect(engine, name) == Ok(pid)).map_err(|e| format!("container {name}: {e}"))
}

fn inspect(engine: &Path, name: &str) -> Result<i32, String> {
    let shown = engine.display();
    let output = Command::new(engine)
        .args(["inspect", "--type", "container", "--format", "{{.State.Pid}}", "--", name])
        .output()
        .map_err(|e| format!("{shown}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{shown}: {}", String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    match String::from_utf8_lossy(&output.stdout).trim().parse() {
        Ok(0) => Err(format!("container {name} does not run")),
        other => other.map_err(|e| format!("{shown}: no process number: {e}")),
    }
}

/// Of a container of cofferdam's.
pub(crate) fn of_cofferdam(root: Option<&Path>, id: &str) -> Result<Target, String> {
    let store = root.map_or_else(Store::default, Store::new);
    let container = ContainerId::new(id).and_then(|id| store.load(&id));
    let container = container.map_err(|e| format!("container {id}: {e}"))?;
    Target::of(&container).map_err(|e| format!("container {id}: {e}"))
}

/// Any process.
pub(crate) fn of_pid(pid: i32) -> Result<Target, String> {
    Target::open(pid).map_err(|e| e.to_string())
}
