//! `convert`: a container.json becomes a bundle for any OCI runtime.

use cofferdam_nsinit::{Config, ExecUser, Generation, Reading, convert, standard_environment};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::config::FILE;
use super::setting::Setting;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Write config.json, for any OCI runtime, from a container.json
///
/// What an OCI configuration cannot say is told on standard error, each with its place in container.json and with
/// what to do. Networks go into the annotation org.cofferdam.network, which `cofferdam run` obeys.
#[derive(Debug, clap::Args)]
pub(super) struct Convert {
    /// The container.json, of any generation [default: container.json in data_path or the current directory]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory to write config.json to
    #[arg(long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// Replace a config.json that is there
    #[arg(long)]
    force: bool,
    /// Program and arguments [default: those of container.json, or sh]
    #[arg(value_name = "PROGRAM", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Convert {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        let file = self.config.clone();
        let file = file.unwrap_or_else(|| setting.data_path.clone().unwrap_or_default().join(FILE));
        let during = |failure: Failure| failure.during(&file.display().to_string());
        let bytes = std::fs::read(&file)
            .map_err(|error| Failure::io(format_args!("reading {}", file.display()), &error))?;
        let Reading { mut config, warnings, .. } =
            Config::read(&bytes).map_err(|rejects| during(cofferdam::Error::rejected(rejects).into()))?;
        for warning in warnings {
            setting.log.warning(&format!("{}: {warning}", file.display()));
        }
        complete(&mut config, &file)?;
        let user =
            ExecUser::of(&config, 0, Path::new(&config.root_fs)).map_err(|error| during(error.into()))?;
        let args = self.args(&config, setting);
        let converted = convert(&config, &user, &args)
            .map_err(|rejects| during(cofferdam::Error::rejected(rejects).into()))?;
        self.write(&output::pretty(&converted.spec, "\t")?)?;
        for lost in converted.lost {
            setting.log.warning(&format!("has no counterpart: {lost}"));
        }
        Ok(0)
    }

    fn args(&self, config: &Config, setting: &Setting) -> Vec<String> {
        match (self.words.as_slice(), config.args.as_slice()) {
            ([], []) => {
                setting.log.warning("container.json names no program: process.args is sh");
                vec!["sh".to_owned()]
            }
            ([], args) => args.to_vec(),
            (words, _) => words.to_vec(),
        }
    }

    /// Whole or not at all; never over another one unasked.
    fn write(&self, text: &str) -> Result<(), Failure> {
        let path = self.bundle.join("config.json");
        let failed = |error: &std::io::Error| Failure::io(format_args!("writing {}", path.display()), error);
        let new = self.bundle.join(format!(".config.json.{}", std::process::id()));
        let written = std::fs::File::create_new(&new).and_then(|mut file| file.write_all(text.as_bytes()));
        let placed = written.and_then(|()| {
            if self.force { std::fs::rename(&new, &path) } else { std::fs::hard_link(&new, &path) }
        });
        if !self.force || placed.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        placed.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::new(format!("{} is there (hint: --force replaces it)", path.display()))
            }
            _ => failed(&error),
        })
    }
}

/// What nsinit took from elsewhere: the root file system that container.json lay in, and v2's variables.
fn complete(config: &mut Config, file: &Path) -> Result<(), Failure> {
    let directory = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let root = if config.root_fs.is_empty() { directory } else { Path::new(&config.root_fs) };
    let path = root.canonicalize();
    let path =
        path.map_err(|error| Failure::io(format_args!("finding the root {}", root.display()), &error))?;
    let text = path.to_str().ok_or_else(|| Failure::new(format!("{} is not UTF-8", path.display())))?;
    text.clone_into(&mut config.root_fs);
    if config.generation == Generation::V2 && config.environment.is_empty() {
        config.environment = standard_environment();
    }
    Ok(())
}
