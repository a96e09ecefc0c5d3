//! Watching the container of a bundle: every call of its processes, from the program's start on.
//!
//! Called by the command `learn`. The bundle's own profile is set aside, and one that notifies of everything takes
//! its place; the listener comes as to any agent. write(2) cannot be among what is notified of: it is how the
//! listener leaves the container.

use std::collections::BTreeSet;
use std::path::Path;

use cofferdam::{Bundle, Command, ContainerId, ExitStatus, Store};
use cofferdam_notify::runtime::Server;
use cofferdam_notify::{Answer, Listener};
use cofferdam_oci::{Hooks, Seccomp, SeccompRule, Spec};
use cofferdam_seccomp::Arch;

use super::Counts;
use super::watch::NOTHING_IS_DECIDED;
use crate::failure::Failure;

/// Calls that a filter for a container cannot notify of.
const UNSEEN: [&str; 1] = ["write"];
/// ABIs whose calls a kernel of x86-64 also takes; elsewhere the native one is watched.
const ALSO: [Arch; 2] = [Arch::X86, Arch::X32];

/// Runs the bundle's container with its standard streams here, and counts until its processes have ended.
pub(crate) fn bundle(mut bundle: Bundle, native: Arch) -> Result<(Counts, ExitStatus), Failure> {
    let path = std::env::temp_dir().join(format!("cofferdam-learn-{}.sock", std::process::id()));
    let failed = |e: cofferdam_notify::Error| Failure::new(format!("{}: {e}", path.display()));
    let server = Server::bind(&path).map_err(failed)?;
    watched(&mut bundle.spec, &path, native);
    let mut command = Command::from(bundle);
    std::thread::scope(|scope| {
        let counter = scope.spawn(|| match server.next().map_err(failed)? {
            Some(container) => count(&container.listener),
            None => Ok(Counts::default()),
        });
        let status = command.kill_on_drop(true).status();
        // When no container came about, nobody is to wait for one.
        server.stop();
        let counted = counter.join().map_err(|_| Failure::new("counting failed"))?;
        let status = status?;
        let mut counts = counted?;
        counts.unseen = UNSEEN.to_vec();
        Ok((counts, status))
    })
}

/// A container as one that there is, which it does not disturb: a filter is put on a process by itself only, so
/// what runs already cannot be watched. It gets a cgroup of its own, and leaves alone what there is one of: devices,
/// cache, and the files below its root, over which a layer in memory lies. The hooks know the other one only.
pub(crate) fn another(store: &Store, id: &str) -> Result<Bundle, Failure> {
    const LAYER: &str = "io.cofferdam.rootfs.overlay";
    let container = store.load(&ContainerId::new(id)?)?;
    let mut spec = container.spec()?;
    spec.hooks = Hooks::default();
    spec.annotations.entry(LAYER.to_owned()).or_default();
    if let Some(process) = &mut spec.process {
        process.terminal = false;
    }
    if let Some(linux) = &mut spec.linux {
        linux.cgroups_path = None;
        linux.net_devices.clear();
        linux.intel_rdt = None;
    }
    Ok(Bundle::from_spec(container.bundle(), spec))
}

/// Puts a profile that notifies of everything in the place of the container's own.
fn watched(spec: &mut Spec, socket: &Path, native: Arch) {
    let archs: Vec<Arch> =
        if native == Arch::X86_64 { std::iter::once(native).chain(ALSO).collect() } else { vec![native] };
    let names: BTreeSet<&str> = archs.iter().flat_map(|arch| arch.calls().map(|(_, name)| name)).collect();
    let rule = SeccompRule {
        names: names.iter().filter(|name| !UNSEEN.contains(name)).map(ToString::to_string).collect(),
        action: "SCMP_ACT_NOTIFY".to_owned(),
        ..SeccompRule::default()
    };
    let profile = Seccomp {
        default_action: "SCMP_ACT_ALLOW".to_owned(),
        architectures: archs.iter().map(|arch| arch.name().to_owned()).collect(),
        flags: Some(vec!["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV".to_owned()]),
        listener_path: Some(socket.display().to_string()),
        syscalls: vec![rule],
        ..Seccomp::default()
    };
    spec.linux.get_or_insert_default().seccomp = Some(profile);
}

/// What the runtime still does before it executes the program is its own.
fn count(listener: &Listener) -> Result<Counts, Failure> {
    let (mut counts, mut began) = (Counts::default(), false);
    while let Some(request) = listener.next().map_err(|e| Failure::new(e.to_string()))? {
        began |= matches!(request.name(), Some("execve" | "execveat"));
        if began {
            counts.add(request.arch(), request.number(), request.args());
        }
        let _ = request.answer(Answer::proceed(NOTHING_IS_DECIDED));
    }
    Ok(counts)
}
