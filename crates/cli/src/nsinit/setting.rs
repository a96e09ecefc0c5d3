//! What the flags before the command and the environment say. Made once; commands read it.
//!
//! The variables `data_path`, `console` and `log` are those of nsinit v1.

use cofferdam::Store;
use cofferdam::template::Caller;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::context::Context;
use crate::failure::Failure;
use crate::log::{Level, Log};

/// Where containers are kept that have a name, for root.
const ROOT: &str = "/var/run/nsinit";

/// Flags that stand before the command.
#[derive(Debug, clap::Args)]
pub(super) struct Globals {
    /// Log debugging messages too
    #[arg(long)]
    debug: bool,
    /// Directory that keeps the state of containers with a name [default: /var/run/nsinit, or
    /// $XDG_RUNTIME_DIR/nsinit when not root]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Write log messages to FILE instead of standard error [default: what the variable log names]
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// Path of criu, for checkpoint and restore [default: what the variable COFFERDAM_CRIU names, or criu]
    #[arg(long, value_name = "FILE")]
    criu: Option<PathBuf>,
    /// Enter the container whose first process has this number
    #[arg(long, value_name = "PID")]
    nspid: Option<i32>,
    /// Take this terminal for standard input, output and error, and give the program one of its own
    /// [default: what the variable console names]
    #[arg(long, value_name = "FILE")]
    console: Option<PathBuf>,
}

/// Flags and environment, judged.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) log: Log,
    /// The core's store.
    pub(super) store: Store,
    /// `--root`.
    pub(super) root: Option<PathBuf>,
    /// `data_path`.
    pub(super) data_path: Option<PathBuf>,
    pub(super) criu: Option<PathBuf>,
    pub(super) nspid: Option<i32>,
    pub(super) console: Option<PathBuf>,
}

impl Setting {
    pub(super) fn new(global: Globals, context: &Context) -> Result<Self, Failure> {
        let file = global.log_file.or_else(|| variable("log"));
        let log = match (&file, global.debug) {
            (None, false) => context.log.clone(),
            (file, debug) => Log::open(file.as_deref(), "text", Level::new(None, debug)?)?,
        };
        Ok(Self {
            log,
            store: context.store.clone(),
            root: global.root,
            data_path: variable("data_path"),
            criu: global.criu.or_else(|| context.criu.clone()),
            nspid: global.nspid,
            console: global.console.or_else(|| variable("console")),
        })
    }

    /// Where containers with a name are.
    pub(super) fn root(&self) -> Result<PathBuf, Failure> {
        if let Some(root) = &self.root {
            return std::path::absolute(root)
                .map_err(|error| Failure::io(format_args!("finding {}", root.display()), &error));
        }
        if Caller::current().uid == 0 {
            return Ok(PathBuf::from(ROOT));
        }
        variable("XDG_RUNTIME_DIR").map(|dir| dir.join("nsinit")).ok_or_else(|| {
            Failure::new("there is no place for the state of containers (hint: name one with --root)")
        })
    }
}

/// A path in the environment.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from)
}
