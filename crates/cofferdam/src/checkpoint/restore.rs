//! Restoring a container: what CRIU is told, what a parent does while it makes the processes, what is undone when it
//! fails. As in create, things are owned in the order in which they come to be.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam_cgroup::{Cgroup, Making};
use cofferdam_criu::{CgroupRoot, Kind, Notice, Options};
use cofferdam_net::{Network, Running};
use cofferdam_sys::poll::{POLLIN, PollFd, poll};
use cofferdam_sys::{pidfd, wait};

use super::dump::{common, null};
use super::external::{self, Joined};
use super::failure::{Stop, explain};
use super::images::Images;
use super::lower::Life;
use super::options::RestoreOptions;
use super::process::{Criu, at_least};
use super::{CgroupMode, LABELS};
use crate::container::Container;
use crate::create::saved;
use crate::decide::{Decision, check_terminal, decide};
use crate::network::Wires;
use crate::opened::streams;
use crate::options::{CreateOptions, Parent};
use crate::process::Process;
use crate::state::{self, CONFIG, Saved};
use crate::store::{Claim, Store};
use crate::{Bundle, ContainerId, Error, ErrorKind, Result, handing, hooks, notify, pid};

/// CRIU's log of a restore.
const LOG: &str = "restore.log";
/// What every dump has.
const INVENTORY: &str = "inventory.img";
/// Where the root filesystem is mounted for CRIU, below the container's directory and in CRIU's mount namespace.
const ROOT: &str = "criu-root";
const SIGKILL: i32 = 9;
/// How long what is killed may take to end, in milliseconds.
const LAST_MOMENTS_MS: u64 = 10_000;

impl Container {
    /// Makes a container out of a bundle and the files of a checkpoint; its processes go on where they were. The
    /// runtime's hooks (prestart, createRuntime) run, those inside it do not. Of `options`, what shapes a new process
    /// is not used.
    ///
    /// # Errors
    /// As [`Container::create`]; why CRIU failed, with the causes in its log. Nothing is left behind.
    ///
    /// ```no_run
    /// use cofferdam::checkpoint::RestoreOptions;
    /// use cofferdam::{Bundle, Container, ContainerId, CreateOptions, Store};
    /// let (id, bundle) = (ContainerId::new("one")?, Bundle::open("/bundle")?);
    /// let images = RestoreOptions::new("/var/lib/images/one");
    /// let (container, process) =
    ///     Container::restore(&Store::default(), &id, &bundle, CreateOptions::default(), &images)?;
    /// process.wait()?;
    /// container.delete(true)?;
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn restore(
        store: &Store,
        id: &ContainerId,
        bundle: &Bundle,
        mut options: CreateOptions,
        restore: &RestoreOptions,
    ) -> Result<(Self, Process)> {
        let images = Images::open(&restore.criu)?;
        check_images(&images)?;
        let decision = decide(id, bundle, &options, Some(&store.dir(id)))?;
        let terminal = decision.init.process.terminal.is_some();
        check_terminal(terminal, options.console_socket.as_ref(), options.terminal)?;
        external::check(decision.overlay.is_some(), &bundle.spec)?;
        let claim = store.claim(id)?;
        let stdio = if terminal { null_streams()? } else { streams(std::mem::take(&mut options.stdio))? };
        let mut keeper = Keeper::begin(id, bundle, &options, &decision, &claim)?;
        let restored = keeper.restore(&images, restore, &stdio);
        if let Err(e) = restored {
            keeper.undo();
            let (hooks, state) = (&decision.init.hooks.poststop, keeper.saved.state("stopped"));
            return Err(e.with_also(hooks::run_all(hooks, "poststop", &state, &bundle.dir)));
        }
        keeper.keep();
        let process = keeper.process()?;
        let saved = keeper.saved.clone();
        drop(keeper);
        Ok((Self::from_saved(store.clone(), id.clone(), saved), process))
    }
}

/// Whether there is a checkpoint at all: CRIU would say so of one file among many.
fn check_images(images: &Images) -> Result<()> {
    if images.path().join(INVENTORY).is_file() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Configuration, "there is no whole checkpoint in")
        .with_object(images.path().display().to_string())
        .with_detail(format!("{INVENTORY} is missing"))
        .with_hint("it is the last that criu writes; the directory of a pre-dump alone cannot be restored"))
}

fn null_streams() -> Result<Vec<OwnedFd>> {
    (0..3).map(|_| null()).collect()
}

/// The parent's acts, and what it has made so far.
#[derive(Debug)]
struct Keeper<'a> {
    bundle: &'a Bundle,
    options: &'a CreateOptions,
    decision: &'a Decision,
    claim: &'a Claim,
    saved: Saved,
    /// CRIU's number.
    criu: i32,
    /// What the container will be, once there is one.
    own_pid_namespace: bool,
    making: Option<Making<'a>>,
    cgroup: Option<Cgroup>,
    wires: Option<Wires>,
    names: Option<Running>,
    terminal: Option<OwnedFd>,
    /// The first process, as soon as it is known.
    first: Option<(i32, OwnedFd)>,
}

impl<'a> Keeper<'a> {
    /// Writes down what is going to be made.
    fn begin(
        id: &ContainerId,
        bundle: &'a Bundle,
        options: &'a CreateOptions,
        decision: &'a Decision,
        claim: &'a Claim,
    ) -> Result<Self> {
        let mut saved = saved(id, bundle, decision);
        saved.restoring = true;
        let own_pid_namespace = std::mem::take(&mut saved.own_pid_namespace);
        let wires = decision.network.as_ref().map(|plan| Wires::intend(plan, claim.dir())).transpose()?;
        saved.network = wires.as_ref().map(Wires::saved);
        saved.write(claim.dir())?;
        let mut keeper = Self {
            bundle,
            options,
            decision,
            claim,
            saved,
            criu: 0,
            own_pid_namespace,
            making: None,
            cgroup: None,
            wires,
            names: None,
            terminal: None,
            first: None,
        };
        keeper.prepare()?;
        Ok(keeper)
    }

    fn prepare(&mut self) -> Result<()> {
        let dir = self.claim.dir();
        if let Some(wires) = &mut self.wires {
            wires.prepare(&self.bundle.spec, &self.saved.rootfs, dir)?;
            self.saved.network = Some(wires.saved());
        }
        if self.options.notify_socket.is_some() {
            notify::prepare(dir)?;
        }
        let (config, path) = (serde_json::to_vec(&self.bundle.spec).unwrap_or_default(), dir.join(CONFIG));
        state::write_file(&path, &config).map_err(|e| Error::io("writing the state", &path, &e))?;
        let root = dir.join(ROOT);
        fs::create_dir(&root).map_err(|e| Error::io("making the directory", &root, &e))
    }

    fn restore(&mut self, images: &Images, restore: &RestoreOptions, stdio: &[OwnedFd]) -> Result<()> {
        let joined = Joined::of(&self.decision.init)?;
        let root = self.claim.dir().join(ROOT);
        let life = Life {
            stdio: stdio.iter().map(AsRawFd::as_raw_fd).collect(),
            keep: joined.inherited.iter().map(|inherited| inherited.fd).collect(),
            directories: images.paths(),
            root: Some((&self.decision.init, &root)),
            ignored_signals: self.decision.facts.ignored_signals,
        };
        self.making = Some(Making::begin(&self.decision.cgroup)?);
        let criu = Criu::start(restore.criu.criu.as_deref(), &life)?;
        let version = criu.version()?;
        if restore.lsm_profile.is_some() || restore.lsm_mount_context.is_some() {
            at_least(version, LABELS, "another label than the one in the images")?;
        }
        // Whoever finds us killed ends it, and whatever it has made by then.
        self.criu = criu.pid();
        self.note(self.criu)?;
        self.settle(criu.pid())?;
        let asked = self.asked(&criu, images, restore, joined)?;
        let log = images.log(LOG);
        let said = criu.session(restore.criu.patience).run(Kind::Restore, &asked, &mut |n| self.heed(n));
        let pid = said.map_err(|stop| explain(stop, "restoring container", self.saved.id.as_str(), &log))?;
        criu.end();
        let _ = fs::remove_dir(&root);
        match &self.first {
            Some((first, _)) if *first == pid && !self.saved.restoring => {}
            _ => return Err(untold()),
        }
        handing::first(pid, self.options, &self.bundle.spec)
    }

    fn note(&mut self, pid: i32) -> Result<()> {
        self.saved.pid = pid;
        self.saved.start_time = pid::stat(pid).map_or(0, |s| s.start_time);
        self.saved.write(self.claim.dir())
    }

    /// CRIU goes where what it restores is to be: children start where their parent is.
    fn settle(&mut self, criu: i32) -> Result<()> {
        let Some(mut making) = self.making.take() else { return Ok(()) };
        making.ask(criu.unsigned_abs())?;
        let cgroup = self.cgroup.insert(making.finish()?);
        cgroup.apply_limits()?;
        cgroup.join(criu.unsigned_abs())?;
        self.saved.cgroup = cgroup.saved();
        crate::rdt::apply(self.decision.init.rdt.as_ref(), criu)?;
        self.saved.write(self.claim.dir())
    }

    fn asked(
        &self,
        criu: &Criu,
        images: &Images,
        restore: &RestoreOptions,
        joined: Joined,
    ) -> Result<Options> {
        let directories: Vec<i32> = criu.directories.iter().map(AsRawFd::as_raw_fd).collect();
        let mut inherit_fd = joined.inherited;
        inherit_fd.extend(external::inherited(&images.descriptors()?));
        let mut ext_mnt = external::restored(&self.decision.init);
        ext_mnt.dedup();
        let mut asked = Options {
            root: Some(self.claim.dir().join(ROOT).display().to_string()),
            evasive_devices: Some(true),
            rst_sibling: Some(self.options.parent == Parent::Caller),
            cg_root: cgroup_roots(criu.pid())?,
            inherit_fd,
            join_ns: joined.joined,
            ext_mnt,
            lsm_profile: restore.lsm_profile.clone(),
            lsm_mount_context: restore.lsm_mount_context.clone(),
            ..common(&restore.criu, &directories, LOG, &self.bundle.spec)
        };
        if self.saved.cgroup.dirs.is_empty() && restore.criu.cgroups == CgroupMode::Default {
            asked.manage_cgroups_mode = Some(CgroupMode::Ignore.number());
        }
        Ok(asked)
    }

    fn heed(&mut self, notice: Notice) -> std::result::Result<(), Stop> {
        match (notice.script.as_str(), notice.pid, notice.fd) {
            ("setup-namespaces", Some(pid), _) => self.namespaces(pid)?,
            ("post-restore", Some(pid), _) => self.born(pid)?,
            ("orphan-pts-master", _, Some(master)) => {
                let options = self.options;
                let kept = handing::terminal(master, options.console_socket.as_ref(), options.terminal)?;
                // Of several, the first is the container's own.
                self.terminal = self.terminal.take().or(kept);
            }
            _ => {}
        }
        Ok(())
    }

    /// Its namespaces are there, and nothing of it runs yet: as at create, this is where the network is made.
    fn namespaces(&mut self, pid: i32) -> Result<()> {
        self.keep_first(pid)?;
        let (plan, dir) = (&self.decision.init, self.claim.dir());
        crate::network::move_missing_devices(&plan.net_devices, pid)?;
        if plan.loopback {
            let path = format!("/proc/{pid}/ns/net");
            let namespace = fs::File::open(&path).map_err(|e| Error::io("opening namespace", &path, &e))?;
            Network::at(&namespace)?.set_up("lo")?;
        }
        if let Some(wires) = &mut self.wires {
            wires.make(pid, dir, &self.options.name_service)?;
            if wires.has_more_to_note() {
                self.saved.network = Some(wires.saved());
                self.saved.write(dir)?;
            }
            self.names = wires.serve()?;
        }
        let state = Saved { pid, ..self.saved.clone() }.state("creating");
        hooks::run(&plan.hooks.prestart, "prestart", &state, &self.bundle.dir)?;
        hooks::run(&plan.hooks.create_runtime, "createRuntime", &state, &self.bundle.dir)
    }

    /// All of it is there: from here on it is a container, whoever is killed.
    fn born(&mut self, pid: i32) -> Result<()> {
        self.keep_first(pid)?;
        self.saved.restoring = false;
        self.saved.own_pid_namespace = self.own_pid_namespace;
        self.note(pid)
    }

    /// A number that CRIU tells is believed of its own child or ours only: whoever it is will be ended if this fails.
    fn keep_first(&mut self, pid: i32) -> Result<()> {
        if self.first.as_ref().is_some_and(|(first, _)| *first == pid) {
            return Ok(());
        }
        let failed =
            || Error::new(ErrorKind::System, "opening the restored process").with_object(pid.to_string());
        let process = pidfd::open(pid).map_err(|e| failed().with_errno(e.0))?;
        let parents = [self.criu, std::process::id().cast_signed()];
        let own = self.first.is_none() && pid::stat(pid).is_some_and(|stat| parents.contains(&stat.parent));
        if !own {
            return Err(failed().with_detail("it is not what criu restored"));
        }
        self.first = Some((pid, process.into()));
        Ok(())
    }

    /// CRIU has undone what it could; what stays is ended and reaped, so that the rest can be removed.
    fn undo(&mut self) {
        if let Some(cgroup) = &self.cgroup {
            let _ = cgroup.kill(SIGKILL);
        }
        if let Some((_, process)) = &self.first {
            let _ = pidfd::send_signal(process.as_raw_fd(), SIGKILL);
            let mut fds = [PollFd { fd: process.as_raw_fd(), events: POLLIN, revents: 0 }];
            let _ = poll(&mut fds, Some(LAST_MOMENTS_MS));
            let _ = wait::wait_pidfd(process.as_raw_fd(), true, false);
        }
    }

    fn keep(&mut self) {
        if let Some(cgroup) = &self.cgroup {
            cgroup.keep();
        }
        self.wires.iter_mut().for_each(Wires::keep);
        self.claim.keep();
    }

    fn process(&mut self) -> Result<Process> {
        let (pid, pidfd) = self.first.take().ok_or_else(untold)?;
        let mut process = Process::new(pid, pidfd, self.terminal.take());
        process.names = self.names.take();
        Ok(process)
    }
}

fn untold() -> Error {
    Error::new(ErrorKind::System, "criu has not told of what it restored")
}

/// The directory of each hierarchy that CRIU is in now: it becomes the images' topmost one.
fn cgroup_roots(criu: i32) -> Result<Vec<CgroupRoot>> {
    let path = format!("/proc/{criu}/cgroup");
    let text = fs::read_to_string(&path).map_err(|e| Error::io("reading cgroups", &path, &e))?;
    Ok(parse_cgroups(&text))
}

fn parse_cgroups(text: &str) -> Vec<CgroupRoot> {
    let line = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        Some((controllers.to_owned(), path.to_owned()))
    };
    let each = |(controllers, path): (String, String)| {
        let names: Vec<String> = controllers.split(',').map(str::to_owned).collect();
        names.into_iter().map(move |ctrl| CgroupRoot { ctrl: Some(ctrl), path: path.clone() })
    };
    text.lines().filter_map(line).flat_map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_controller_has_its_root() {
        let roots = parse_cgroups("5:cpu,cpuacct:/box:1\n1:name=systemd:/box\n0::/box\nrubbish\n");
        let told: Vec<String> =
            roots.into_iter().map(|r| format!("{}={}", r.ctrl.unwrap(), r.path)).collect();
        assert_eq!(told, ["cpu=/box:1", "cpuacct=/box:1", "name=systemd=/box", "=/box"]);
    }
}
