//! `spec`: write a starter config.json.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
use crate::output;

/// Write a starter config.json
///
/// The configuration runs `sh` in a terminal, in the root filesystem `rootfs` beside it. Change it to
/// your needs.
#[derive(Debug, clap::Args)]
pub(crate) struct Spec {
    /// Directory to write it to [default: the current directory]
    #[arg(short, long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Make it one for an ordinary user: root in the container is you outside
    #[arg(long)]
    rootless: bool,
}

impl Spec {
    pub(crate) fn execute(self) -> Outcome {
        let path = self.bundle.unwrap_or_default().join("config.json");
        let spec = cofferdam::template::spec(self.rootless);
        let text = output::pretty(&spec, "\t")?;
        let mut file = File::create_new(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::new(format!("File {} exists. Remove it first", path.display()))
            }
            _ => Failure::io(format_args!("creating {}", path.display()), &error),
        })?;
        file.write_all(text.as_bytes())
            .map_err(|error| Failure::io(format_args!("writing {}", path.display()), &error))?;
        Ok(0)
    }
}
