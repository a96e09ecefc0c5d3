//! `learn`: what a workload calls, and the smallest profile that allows it.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use cofferdam::{Bundle, Store};
use cofferdam_seccomp::Arch;

use crate::failure::{Failure, Outcome};
use crate::learn;

/// Run a command, a bundle's container or another like one that runs, and write the smallest seccomp profile that allows what it called
#[derive(Debug, clap::Args)]
pub(crate) struct Learn {
    /// Where the profile is written
    #[arg(short, long, value_name = "FILE", default_value = "seccomp.json")]
    output: PathBuf,
    /// Run the container of this bundle, without its own profile, instead of a command of the host's
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    bundle: Option<PathBuf>,
    /// Run another container like this one of cofferdam's, from a copy of its configuration
    #[arg(long, value_name = "ID", conflicts_with_all = ["command", "bundle"])]
    container: Option<String>,
    /// Where cofferdam keeps the states of its containers
    #[arg(long, value_name = "DIR", requires = "container")]
    root: Option<PathBuf>,
    /// Allow what this runtime itself calls under the filter: cofferdam, runc, crun or none
    #[arg(long = "for", value_name = "RUNTIME", default_value = "cofferdam", value_delimiter = ',')]
    #[arg(value_parser = ["cofferdam", "runc", "crun", "none"], hide_possible_values = true)]
    runtimes: Vec<String>,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", last = true, required_unless_present_any = ["bundle", "container"])]
    command: Vec<OsString>,
}

impl Learn {
    /// The profile goes to the file, the counts to standard error: standard output is the command's.
    /// The exit code is the command's.
    pub(crate) fn execute(self) -> Outcome {
        let native = Arch::native()
            .ok_or_else(|| Failure::new("there is no table of system calls for this architecture"))?;
        let (counts, code) = match self.container_to_run()? {
            Some(bundle) => {
                let (counts, status) = learn::bundle(bundle, native)?;
                (counts, status.code())
            }
            None => {
                let (counts, status) = learn::command(&self.command)?;
                (counts, status.code())
            }
        };
        let profile = learn::profile(&counts, native, &self.runtimes);
        let mut text = serde_json::to_string_pretty(&profile).map_err(|e| Failure::new(e.to_string()))?;
        text.push('\n');
        std::fs::write(&self.output, text)
            .map_err(|e| Failure::io(format_args!("writing {}", self.output.display()), &e))?;
        let _ = std::io::stderr().write_all(learn::report(&counts, &profile, native).as_bytes());
        Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }

    fn container_to_run(&self) -> Result<Option<Bundle>, Failure> {
        match (&self.bundle, &self.container) {
            (Some(dir), _) => Ok(Some(Bundle::open(dir)?)),
            (None, Some(id)) => {
                let store = self.root.as_ref().map_or_else(Store::default, Store::new);
                learn::another(&store, id).map(Some)
            }
            (None, None) => Ok(None),
        }
    }
}

/// Not for people: what `learn` starts.
#[derive(Debug, clap::Args)]
pub(crate) struct UnderWatch {
    /// The command and its arguments
    #[arg(last = true)]
    command: Vec<OsString>,
}

impl UnderWatch {
    pub(crate) fn execute(self) -> Outcome {
        learn::under_watch(&self.command)
    }
}
