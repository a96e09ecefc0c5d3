//! Flags that `checkpoint` and `restore` share, runc's, and what becomes of them.

use std::path::{Path, PathBuf};

use cofferdam::checkpoint::{CgroupMode, CriuOptions};

use crate::context::Context;
use crate::failure::Failure;

/// What every command that has CRIU work can tell it.
#[derive(Debug, clap::Args)]
pub(crate) struct CommonFlags {
    /// Directory of CRIU's log and other files [default: that of the images]
    #[arg(long, value_name = "DIR")]
    work_path: Option<PathBuf>,
    /// Allow open TCP connections
    #[arg(long)]
    tcp_established: bool,
    /// Allow Unix sockets whose other end is outside
    #[arg(long)]
    ext_unix_sk: bool,
    /// Allow a session and a terminal that are the caller's
    #[arg(long)]
    shell_job: bool,
}

impl CommonFlags {
    /// The library's options, with the program that is named and the directory of the images.
    pub(crate) fn options(self, criu: Option<&Path>, images: PathBuf) -> CriuOptions {
        CriuOptions {
            work: self.work_path,
            criu: criu.map(Path::to_path_buf),
            tcp_established: self.tcp_established,
            ext_unix_sk: self.ext_unix_sk,
            shell_job: self.shell_job,
            ..CriuOptions::new(images)
        }
    }
}

/// How CRIU dumps and restores.
#[derive(Debug, clap::Args)]
pub(super) struct CriuFlags {
    /// Directory of the image files [default: ./checkpoint]
    #[arg(long, value_name = "DIR")]
    image_path: Option<PathBuf>,
    #[command(flatten)]
    common: CommonFlags,
    /// Dump and restore file locks
    #[arg(long)]
    file_locks: bool,
    /// Bring memory when it is touched
    #[arg(long)]
    lazy_pages: bool,
    /// What CRIU does with cgroups: soft, full, strict or ignore [default: soft]
    #[arg(long, value_name = "MODE", default_value = "", hide_default_value = true)]
    manage_cgroups_mode: CgroupMode,
    /// Namespace that is restored empty; the network's always is
    #[arg(long, value_name = "NAMESPACE")]
    empty_ns: Vec<String>,
    /// Free memory in the images of a parent that is in later ones
    #[arg(long)]
    auto_dedup: bool,
}

impl CriuFlags {
    /// The library's options. `make` says whether the images are to be written.
    pub(super) fn options(self, context: &Context, make: bool) -> Result<CriuOptions, Failure> {
        if let Some(other) = self.empty_ns.iter().find(|name| *name != "network") {
            return Err(Failure::new(format!("namespace {other:?} is not supported")));
        }
        if !rustix::process::geteuid().is_root() {
            context.log.warning("criu needs to be root to dump and restore containers");
        }
        let images = self.image_path.unwrap_or_else(|| "checkpoint".into());
        if make {
            std::fs::create_dir_all(&images)
                .map_err(|error| Failure::io(format_args!("making {}", images.display()), &error))?;
        }
        Ok(CriuOptions {
            file_locks: self.file_locks,
            lazy_pages: self.lazy_pages,
            cgroups: self.manage_cgroups_mode,
            auto_dedup: self.auto_dedup,
            ..self.common.options(context.criu.as_deref(), images)
        })
    }
}
