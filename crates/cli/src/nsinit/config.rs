//! Where a configuration comes from, and the command that shows it.
//!
//! A file says everything; without one, nsinit's template and the flags do.

use cofferdam::oci::Reject;
use cofferdam_nsinit::{Config as Configuration, Generation, Reading};
use std::path::{Path, PathBuf};

use super::create_flags::CreateFlags;
use super::place::{Place, Which};
use super::setting::Setting;
use crate::failure::{Failure, Outcome};
use crate::log::Log;
use crate::output;

/// The configuration's name in a data directory.
pub(super) const FILE: &str = "container.json";

/// What a container is to be like.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Source {
    /// Take this configuration instead of container.json in the data directory
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) create: CreateFlags,
}

impl Source {
    /// The configuration of a place.
    pub(super) fn configuration(
        &self,
        place: &Place,
        which: &Which,
        log: &Log,
    ) -> Result<Configuration, Failure> {
        match self.config.clone().or_else(|| place.config()) {
            Some(file) => self.beside(&file, log),
            None => self.instead(which),
        }
    }

    fn beside(&self, file: &Path, log: &Log) -> Result<Configuration, Failure> {
        let mut config = read(file, log)?;
        if self.create.any_instead() {
            return Err(Failure::new(format!(
                "{} says how the container is made, and flags say it too (hint: change the file, or leave it out: \
                 --id names a container that is made by flags alone)",
                file.display()
            )));
        }
        if let Some(profile) = self.create.security {
            profile.apply(&mut config);
        }
        Ok(config)
    }

    fn instead(&self, which: &Which) -> Result<Configuration, Failure> {
        let here = match &self.create.rootfs {
            // It only lends the cgroup its name.
            Some(_) => std::env::current_dir().unwrap_or_default(),
            None => PathBuf::from(here()?),
        };
        let config = self.create.template().config(&here).map_err(cofferdam::Error::rejected)?;
        Ok(named(config, which))
    }
}

/// Containers of different names do not share a cgroup.
fn named(mut config: Configuration, which: &Which) -> Configuration {
    if let (Some(id), Some(cgroups)) = (&which.id, &mut config.cgroups) {
        cgroups.name.clone_from(id);
    }
    config
}

/// The current directory, which is the root file system where nothing else is said.
pub(super) fn here() -> Result<String, Failure> {
    let here =
        std::env::current_dir().map_err(|error| Failure::io("finding the current directory", &error))?;
    let here = here.to_str().filter(|here| *here != "/");
    here.map(str::to_owned).ok_or_else(|| {
        Failure::new(
            "no root file system is named, and the current directory can be none (hint: give --rootfs or a configuration)",
        )
    })
}

/// Reads a container.json; what means nothing in it is told.
pub(super) fn read(path: &Path, log: &Log) -> Result<Configuration, Failure> {
    read_as(path, log, Configuration::read)
}

/// The same of a file that is part of one.
pub(super) fn read_as(
    path: &Path,
    log: &Log,
    reader: impl FnOnce(&[u8]) -> Result<Reading, Vec<Reject>>,
) -> Result<Configuration, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::io(format_args!("reading {}", path.display()), &error))?;
    let read = reader(&bytes).map_err(|rejects| {
        Failure::from(cofferdam::Error::rejected(rejects)).during(&path.display().to_string())
    })?;
    for warning in &read.warnings {
        log.warning(&format!("{}: {warning}", path.display()));
    }
    Ok(read.config)
}

/// Print a container's configuration
///
/// That of container.json or --config, or, where there is none, the one that the flags give, in the form of
/// nsinit v2.
#[derive(Debug, clap::Args)]
pub(super) struct Config {
    /// Write it to FILE instead of standard output
    #[arg(short, long, value_name = "FILE", default_value = "stdout")]
    file: PathBuf,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    source: Source,
}

impl Config {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        let place = Place::to_start(setting, &self.which, self.source.config.is_some())?;
        let config = self.source.configuration(&place, &self.which, &setting.log)?;
        let text = match config.generation {
            Generation::V2 => output::pretty(&config.to_v2(), "\t")?,
            _ => output::pretty(&config, "\t")?,
        };
        if self.file.as_os_str() == "stdout" {
            output::text(&format!("{text}\n"))?;
        } else {
            std::fs::write(&self.file, text + "\n")
                .map_err(|error| Failure::io(format_args!("writing {}", self.file.display()), &error))?;
        }
        Ok(0)
    }
}
