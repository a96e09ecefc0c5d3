//! Commands that are killed: at every system call (strace delivers SIGKILL there) and at moments in between.
//! Whatever stands then, `delete --force` removes all of it, and the id can be used again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cofferdam_tests::{Bundle, Skip, Test, cgroup, driver, wait_until};

use crate::left;

/// What is killed, and what must stand before.
#[derive(Clone, Copy, PartialEq)]
enum Victim {
    Create,
    Run,
    Start,
    Exec,
    Delete,
}

use Victim::{Create, Delete, Exec, Run, Start};

/// A network with a bridge that is made, and addresses of a pool.
const NETWORK: &str = r#"{"networks": [{"type": "veth", "bridge": "br0", "pool": "10.88.0.0/24", "ipv6_pool": "fd00:88::/64"}],
    "hosts": [{"address": "10.88.0.9", "names": ["db"]}]}"#;

/// One that is let out, published, and held to names: packet filters and a service beside it.
const OUTWARD: &str = r#"{"networks": [{"type": "veth", "bridge": "br0", "pool": "10.88.0.0/24"}], "masquerade": true,
    "publish": [{"host_port": 8080, "container_port": 80}],
    "dns": {"servers": ["192.0.2.53"]}, "egress": {"allow": [{"to": "*.example.com", "ports": [443]}]}}"#;

/// A bundle whose cgroup has a parent of its own, whose pid file has a directory of its own, and its commands.
struct Scene<'t> {
    t: &'t Test,
    bundle: Bundle<'t>,
    victim: Victim,
}

impl<'t> Scene<'t> {
    fn new(t: &'t Test, victim: Victim) -> Self {
        let mut bundle = t.bundle();
        if victim == Run {
            bundle.args(&["true"]);
        }
        let path = format!("/{0}/{0}", bundle.id);
        bundle.set("/linux/cgroupsPath", path);
        if cgroup::has("pids") {
            bundle.set("/linux/resources/pids/limit", 20);
        }
        bundle.write();
        fs::create_dir(t.dir.join("pids")).expect("directory of pid files");
        Self { t, bundle, victim }
    }

    /// The same with a network, in a network namespace of the test's with a `/run` of its own.
    fn networked(t: &'t Test, victim: Victim, network: &str) -> Result<Self, Skip> {
        t.need(!driver::is_systemd(), "systemd's bus is in /run, which the test has to itself")?;
        t.network_view();
        t.host("mount -t tmpfs tmpfs /run");
        let mut scene = Self::new(t, victim);
        scene.bundle.namespace("network").set("/annotations/org.cofferdam.network", network).write();
        Ok(scene)
    }

    fn prepare(&self) {
        let create = || self.quick(&self.bundle.command_line("create", &[]));
        match self.victim {
            Create | Run => {}
            Start => create(),
            Exec | Delete => {
                create();
                self.quick(&["start", &self.bundle.id]);
            }
        }
        if self.victim == Delete {
            self.quick(&["kill", &self.bundle.id, "KILL"]);
        }
    }

    fn line(&self) -> Vec<OsString> {
        let pid_file = self.t.dir.join("pids/pid");
        let pid_file = pid_file.to_str().expect("a path of ASCII");
        let id = self.bundle.id.as_str();
        let words = match self.victim {
            Create => self.bundle.command_line("create", &["--pid-file", pid_file]),
            Run => self.bundle.command_line("run", &["--pid-file", pid_file]),
            Start => vec!["start", id],
            Exec => vec!["exec", "--detach", "--pid-file", pid_file, id, "sleep", "600"],
            Delete => vec!["delete", id],
        };
        let mut line: Vec<OsString> = vec!["--root".into(), self.t.dir.join("state").into()];
        line.extend(words.into_iter().map(OsString::from));
        line
    }

    /// Must succeed. Containers inherit the output: it stays open after the command.
    #[track_caller]
    fn quick(&self, words: &[&str]) {
        let mut command = self.t.runtime_command(words);
        let status = self.output(&mut command).status().expect("the runtime starts");
        let said = fs::read_to_string(self.t.dir.join("said")).unwrap_or_default();
        assert!(status.success(), "{words:?}: {status}: {said}");
    }

    fn output<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let file = || fs::File::create(self.t.dir.join("said")).expect("file for output");
        command.stdin(Stdio::null()).stdout(file()).stderr(file())
    }

    /// After the victim has been killed: nothing may resist `delete --force`.
    fn clean(&self, after: &str) {
        let Bundle { id, .. } = &self.bundle;
        self.quick(&["delete", "--force", id]);
        left::nothing(self.t, std::slice::from_ref(id), after);
        let beside: Vec<_> = fs::read_dir(self.t.dir.join("pids")).expect("pids").flatten().collect();
        assert!(beside.iter().all(|e| e.file_name() == "pid"), "after {after}: {beside:?}");
        beside.iter().for_each(|e| fs::remove_file(e.path()).expect("pid file"));
    }

    /// Whether it was killed when it came to the `nth` system call of this name.
    fn kill_at_call(&self, n: usize, name: &str, nth: usize) -> bool {
        self.prepare();
        let killed = self.killed(name, nth);
        self.again(n);
        self.clean(&format!("a kill at {name} {nth}"));
        killed
    }

    fn killed(&self, name: &str, nth: usize) -> bool {
        let mut command = self.t.command(Path::new("/usr/bin/strace"));
        let inject = format!("inject={name}:signal=KILL:when={nth}");
        command.args(["-qqq", "-o", "/dev/null", "-e", &format!("trace={name}"), "-e", &inject]);
        let command = command.arg(&self.t.runtime.path).args(self.line());
        let status = self.output(command).status().expect("strace starts");
        // A view's commands are started by nsenter, which becomes the command.
        status.signal() == Some(9)
    }

    /// Every other time the next `create` of that id comes before `delete`: it succeeds, or says that there is one.
    fn again(&self, n: usize) {
        if self.victim == Start && n.is_multiple_of(2) {
            return self.start_again(n);
        }
        if self.victim != Create || n.is_multiple_of(2) {
            return;
        }
        let mut command = self.t.runtime_command(&self.bundle.command_line("create", &[]));
        let status = self.output(&mut command).status().expect("the runtime starts");
        let said = fs::read_to_string(self.t.dir.join("said")).unwrap_or_default();
        assert!(status.success() || said.contains("already exists"), "create after a kill at {n}: {said}");
    }

    /// The program runs, or it is still there to be started; the state says which.
    fn start_again(&self, n: usize) {
        wait_until(&format!("a start after a kill at {n}"), || {
            let state = self.t.runtime(&["state", &self.bundle.id]);
            if state.ok().contains("\"running\"") {
                return true;
            }
            self.t.runtime(&["start", &self.bundle.id]).code == 0
        });
    }

    fn kill_after(&self, delay: Duration) -> bool {
        self.prepare();
        let mut command = Command::new(&self.t.runtime.path);
        let mut child = self.output(command.args(self.line())).spawn().expect("the runtime starts");
        let end = Instant::now() + delay;
        std::thread::sleep(delay.saturating_sub(Duration::from_micros(200)));
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        child.kill().expect("a signal");
        let killed = child.wait().expect("wait").signal() == Some(9);
        self.clean(&format!("a kill after {delay:?}"));
        killed
    }
}

/// The system calls of a whole run, each with how often it was made before, from the first on that can leave
/// something: strace counts every kind of call by itself.
fn calls(scene: &Scene<'_>) -> Vec<(String, usize)> {
    calls_of(scene, |s| s.clean("a traced run"))
}

fn calls_of(scene: &Scene<'_>, after: fn(&Scene<'_>)) -> Vec<(String, usize)> {
    let trace = scene.t.dir.join("trace");
    scene.prepare();
    let mut command = scene.t.command(Path::new("/usr/bin/strace"));
    command.arg("-o").arg(&trace).arg(&scene.t.runtime.path).args(scene.line());
    scene.output(&mut command).status().expect("strace starts");
    after(scene);
    let text = fs::read_to_string(&trace).expect("trace");
    let own = scene.t.dir.to_str().expect("a path of ASCII");
    let lines = text.lines().filter(|l| l.starts_with(|c: char| c.is_ascii_lowercase()));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let numbered = lines.filter_map(|l| {
        let (name, rest) = l.split_once('(')?;
        let count = counts.entry(name).or_default();
        *count += 1;
        Some((name, *count, rest.contains(own)))
    });
    let numbered: Vec<_> = numbered.collect();
    let first = numbered.iter().position(|(name, _, own)| *own && *name != "execve").unwrap_or_default();
    let last = |name: &str| name == "exit_group";
    numbered.iter().skip(first).filter(|c| !last(c.0)).map(|c| (c.0.to_owned(), c.1)).collect()
}

fn every_call(t: &Test, victim: Victim) -> Result<(), Skip> {
    every_call_of(&Scene::new(t, victim))
}

fn every_call_of(scene: &Scene<'_>) -> Result<(), Skip> {
    scene.t.need(Path::new("/usr/bin/strace").exists(), "strace is not installed")?;
    let calls = calls(scene);
    assert!(calls.len() > 20, "{calls:?}");
    let step = std::env::var("ROBUST_KILL_STEP").ok().and_then(|s| s.parse().ok()).unwrap_or(2);
    let killed =
        calls.iter().enumerate().step_by(step).filter(|(n, (name, nth))| scene.kill_at_call(*n, name, *nth));
    // Loops that wait make a few more or fewer calls each time; and systemd may be rid of a unit before delete asks.
    let (killed, tenths) = (killed.count(), if driver::is_systemd() { 3 } else { 8 });
    assert!(killed * step * 10 > calls.len() * tenths, "{killed} of {} calls were met", calls.len());
    Ok(())
}

fn every_moment(t: &Test, victim: Victim) {
    let scene = Scene::new(t, victim);
    let (mut delay, mut killed, mut survived) = (Duration::ZERO, 0, 0);
    // A few in a row, not one: on a busy host one may be fast by chance.
    while survived < 6 && delay < Duration::from_millis(500) {
        if scene.kill_after(delay) {
            (killed, survived) = (killed + 1, 0);
        } else {
            survived += 1;
        }
        delay += Duration::from_micros(match delay.as_millis() {
            0..2 => 100,
            2..20 => 500,
            _ => 3000,
        });
    }
    assert!(killed > 2, "killed {killed} times only");
}

/// A container in a cgroup in which another one is: it is refused, and killed in the middle it is removed alone.
fn beside(t: &Test) -> Result<(), Skip> {
    t.need(Path::new("/usr/bin/strace").exists(), "strace is not installed")?;
    let mut other = t.bundle();
    let scene = Scene::new(t, Create);
    other.set("/linux/cgroupsPath", scene.bundle.config["linux"]["cgroupsPath"].clone()).write();
    let c = other.start();
    let pid = c.pid();
    for (n, (name, nth)) in calls_of(&scene, |_| {}).iter().enumerate().step_by(4) {
        scene.killed(name, *nth);
        scene.quick(&["delete", "--force", &scene.bundle.id]);
        assert_eq!(c.pid(), pid, "a kill at call {n}");
        assert_eq!(c.status(), "running", "a kill at call {n}");
    }
    c.verb("delete", &["--force"]).ok();
    scene.clean("all");
    Ok(())
}

cofferdam_tests::own! {
    fn create_killed_at_any_system_call_leaves_nothing_behind(t) { every_call(t, Create)?; }
    fn run_killed_at_any_system_call_leaves_nothing_behind(t) { every_call(t, Run)?; }
    fn start_killed_at_any_system_call_leaves_nothing_behind(t) { every_call(t, Start)?; }
    fn exec_killed_at_any_system_call_leaves_nothing_behind(t) { every_call(t, Exec)?; }
    fn delete_killed_at_any_system_call_leaves_nothing_behind(t) { every_call(t, Delete)?; }
    fn create_with_a_network_killed_at_any_system_call_leaves_nothing_behind(t) {
        every_call_of(&Scene::networked(t, Create, NETWORK)?)?;
    }
    fn delete_with_a_network_killed_at_any_system_call_leaves_nothing_behind(t) {
        every_call_of(&Scene::networked(t, Delete, NETWORK)?)?;
    }
    fn create_with_an_allow_list_killed_at_any_system_call_leaves_nothing_behind(t) {
        every_call_of(&Scene::networked(t, Create, OUTWARD)?)?;
    }
    fn delete_with_an_allow_list_killed_at_any_system_call_leaves_nothing_behind(t) {
        every_call_of(&Scene::networked(t, Delete, OUTWARD)?)?;
    }
    fn a_killed_create_never_takes_anothers_cgroup_along(t) { beside(t)?; }
    fn create_killed_at_any_moment_leaves_nothing_behind(t) { every_moment(t, Create); }
    fn run_killed_at_any_moment_leaves_nothing_behind(t) { every_moment(t, Run); }
    fn start_killed_at_any_moment_leaves_nothing_behind(t) { every_moment(t, Start); }
    fn exec_killed_at_any_moment_leaves_nothing_behind(t) { every_moment(t, Exec); }
    fn delete_killed_at_any_moment_leaves_nothing_behind(t) { every_moment(t, Delete); }
}
