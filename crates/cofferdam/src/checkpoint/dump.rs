//! Dumping a container: what CRIU is told, what we do meanwhile, what is put right when it fails.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use cofferdam_criu::{Features, Kind, Notice, Options, PageServer};
use cofferdam_sys::clone3::CLONE_NEWNET;

use super::failure::{Stop, explain};
use super::images::Images;
use super::lower::Life;
use super::options::{CheckpointOptions, CriuOptions};
use super::process::Criu;
use super::{CgroupMode, external};
use crate::container::{Container, Status};
use crate::decide::{Decision, decide};
use crate::{Bundle, CreateOptions, Error, Result, notify, store};

/// CRIU's log of a dump.
const LOG: &str = "dump.log";
/// Everything but debugging.
pub(super) const LOG_LEVEL: i32 = 4;
/// Options of CRIU's own for containers, unless the configuration names another file or none.
const CONFIG_FILE: &str = "/etc/criu/runc.conf";
const CONFIG_ANNOTATION: &str = "org.criu.config";

impl Container {
    /// Writes its processes into files, from which [`Container::restore`] makes a container again. Unless it is to run
    /// on, they have ended then: the container has stopped, and is to be deleted. CRIU (criu(8), 3.15 or newer) does
    /// the work, as root.
    ///
    /// # Errors
    /// [`crate::ErrorKind::WrongState`] unless it runs or is paused; [`crate::ErrorKind::Host`] without a CRIU that can; why CRIU failed, with
    /// the causes in its log. The container then runs on.
    ///
    /// ```no_run
    /// # fn f(container: cofferdam::Container) -> cofferdam::Result<()> {
    /// use cofferdam::checkpoint::CheckpointOptions;
    /// container.checkpoint(&CheckpointOptions::new("/var/lib/images/one"))?;
    /// container.delete(false)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn checkpoint(&self, options: &CheckpointOptions) -> Result<()> {
        // Pages may be fetched for as long as it pleases whoever restores: nobody is kept from deleting it meanwhile.
        let _lock = (!options.criu.lazy_pages).then(|| store::lock(&self.dir(), &self.id)).transpose()?;
        let status = self.status()?;
        let pid = match (status, self.pid()) {
            (Status::Running | Status::Paused, Some(pid)) => pid,
            _ => {
                let what = format!("container cannot be checkpointed in {} state", status.as_str());
                return Err(self.wrong_state(&what));
            }
        };
        let decision = self.decided()?;
        external::check(decision.overlay.is_some(), &self.spec()?)?;
        let images = Images::make(&options.criu)?;
        options.parent.iter().try_for_each(|parent| images.check_parent(parent))?;
        let dumped = self.dump(pid, options, &decision, &images);
        if status == Status::Running && self.cgroup().is_frozen().unwrap_or(false) {
            // It was CRIU that stopped it, and it was ended before it could take that back.
            let _ = self.cgroup().thaw();
        }
        dumped
    }

    fn dump(
        &self,
        pid: i32,
        options: &CheckpointOptions,
        decision: &Decision,
        images: &Images,
    ) -> Result<()> {
        let null = null()?;
        let life = Life {
            stdio: vec![null.as_raw_fd(); 3],
            ignored_signals: decision.facts.ignored_signals,
            ..Life::default()
        };
        let criu = Criu::start(options.criu.criu.as_deref(), &life)?;
        criu.version()?;
        if options.pre_dump || options.criu.lazy_pages {
            criu.need(Features {
                mem_track: options.pre_dump.then_some(true),
                lazy_pages: options.criu.lazy_pages.then_some(true),
            })?;
        }
        let asked = self.asked(pid, options, decision, images)?;
        let kind = if options.pre_dump { Kind::PreDump } else { Kind::Dump };
        let log = images.log(LOG);
        let said =
            criu.session(options.criu.patience).run(kind, &asked, &mut |notice| heed(&notice, options));
        let said = said.map_err(|stop| explain(stop, "checkpointing container", self.id.as_str(), &log));
        criu.end();
        said.map(drop)
    }

    /// What it was made from, decided again.
    fn decided(&self) -> Result<Decision> {
        let bundle = Bundle::from_spec(&self.saved.bundle, self.spec()?);
        let state = self.dir();
        let options = CreateOptions {
            systemd_cgroup: self.saved.cgroup.unit.is_some(),
            no_cgroups: self.saved.cgroup.dirs.is_empty(),
            notify_socket: Some(notify::directory(&state)).filter(|dir| dir.exists()),
            ..CreateOptions::default()
        };
        decide(&self.id, &bundle, &options, Some(&state))
    }

    fn asked(
        &self,
        pid: i32,
        options: &CheckpointOptions,
        decision: &Decision,
        images: &Images,
    ) -> Result<Options> {
        let plan = &decision.init;
        let parent = options.parent.as_ref().map(|parent| parent.display().to_string());
        let mut asked = Options {
            pid: Some(pid),
            root: Some(self.saved.rootfs.display().to_string()),
            leave_running: Some(options.leave_running),
            tcp_skip_in_flight: Some(options.tcp_skip_in_flight),
            link_remap: Some(options.link_remap),
            track_mem: parent.is_some().then_some(true),
            parent_img: parent,
            external: external::left_alone(plan, pid)?,
            freeze_cgroup: self.cgroup().freezer().map(|path| path.display().to_string()),
            ps: options.page_server.as_ref().map(|(address, port)| PageServer {
                address: Some(address.clone()),
                port: Some((*port).into()),
            }),
            ..common(&options.criu, &images.fds(), LOG, &self.spec()?)
        };
        if self.saved.cgroup.dirs.is_empty() && options.criu.cgroups == CgroupMode::Default {
            asked.manage_cgroups_mode = Some(CgroupMode::Ignore.number());
        }
        if !options.pre_dump {
            asked.ext_mnt = external::dumped(plan, pid)?;
            let (names, outside) = external::streams(pid)?;
            asked.external.extend(outside);
            images.write_descriptors(&names)?;
        }
        Ok(asked)
    }
}

/// What dumps and restores are both told: of directories of this process, that of the images first.
pub(super) fn common(
    options: &CriuOptions,
    directories: &[i32],
    log: &str,
    spec: &cofferdam_oci::Spec,
) -> Options {
    let annotation = spec.annotations.get(CONFIG_ANNOTATION).map_or(CONFIG_FILE, String::as_str);
    Options {
        images_dir_fd: directories.first().copied().unwrap_or(-1),
        work_dir_fd: directories.get(1).copied(),
        log_level: Some(LOG_LEVEL),
        log_file: Some(log.to_owned()),
        notify_scripts: Some(true),
        manage_cgroups: Some(true),
        manage_cgroups_mode: Some(options.cgroups.number()),
        ext_unix_sk: Some(options.ext_unix_sk),
        tcp_established: Some(options.tcp_established),
        shell_job: Some(options.shell_job),
        file_locks: Some(options.file_locks),
        auto_dedup: Some(options.auto_dedup),
        lazy_pages: Some(options.lazy_pages),
        orphan_pts_master: Some(true),
        empty_ns: (!options.network).then(|| u32::try_from(CLONE_NEWNET).unwrap_or_default()),
        config_file: Some(annotation.to_owned()).filter(|file| !file.is_empty()),
        ..Options::default()
    }
}

fn heed(notice: &Notice, options: &CheckpointOptions) -> std::result::Result<(), Stop> {
    if let ("status-ready", Some(status)) = (notice.script.as_str(), &options.status) {
        let told = status.as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).write_all(&[0]));
        told.map_err(|e| Error::io("telling that memory can be fetched", "", &e))?;
    }
    Ok(())
}

/// For whom nobody is to hear.
pub(super) fn null() -> Result<OwnedFd> {
    let file = File::options().read(true).write(true).open("/dev/null");
    Ok(file.map_err(|e| Error::io("opening", "/dev/null", &e))?.into())
}
