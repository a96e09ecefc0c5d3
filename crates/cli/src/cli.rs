//! The whole command line: global flags, the list of commands, and what happens when a line is wrong.
//!
//! Called by `main`, and by the generators of man pages and completions, which read the definitions.

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::commands::{self, Command};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::far::Obey;
use crate::log::{Level, Log};
use crate::{go_flags, options, output};

const ABOUT: &str = "Linux container runtime (OCI) and sandbox";
const LONG_ABOUT: &str = "Linux container runtime (OCI) and sandbox

Runs containers described by OCI bundles (a directory with config.json and a root filesystem), under
the command line that container engines expect of runc; and runs single programs in a sandbox made on
the spot.";

/// What an engine reads of `--version`: the name, then one `key: value` a line.
const VERSION: &str = concat!("version ", env!("CARGO_PKG_VERSION"), "\nspec: ", "1.3.0");

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "cofferdam", version = VERSION, about = ABOUT, long_about = LONG_ABOUT)]
// As with Go's flags, the last one counts: podman gives --leave-running twice.
#[command(
    disable_version_flag = true,
    disable_help_subcommand = false,
    max_term_width = 100,
    args_override_self = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that stand before the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// Print the version and exit
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
    /// Log debugging messages too
    #[arg(long)]
    pub(crate) debug: bool,
    /// Write log messages to FILE, to syslog:NAME or to journald:ID instead of standard error (errors are printed
    /// there in any case)
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Format of log messages: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: String,
    /// The least that is logged: error, warning or debug [default: warning]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// Directory that keeps the state of containers; should be on a tmpfs [default: /run/cofferdam, or
    /// $XDG_RUNTIME_DIR/cofferdam when not root]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Let systemd make the cgroups; cgroupsPath is then SLICE:PREFIX:NAME
    #[arg(long)]
    pub(crate) systemd_cgroup: bool,
    /// Who makes the cgroups: cgroupfs, systemd, or disabled for none at all
    #[arg(long, value_name = "MANAGER", value_parser = ["cgroupfs", "systemd", "disabled"], hide_possible_values = true)]
    pub(crate) cgroup_manager: Option<String>,
    /// Go on without cgroups when there is no permission for them: true, false or auto
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) rootless: String,
    /// The program that does the work of checkpoint and restore [default: $COFFERDAM_CRIU, or criu in $PATH]
    #[arg(long, value_name = "FILE")]
    pub(crate) criu: Option<PathBuf>,
}

/// Parses, obeys and turns the outcome into an exit code. `far` obeys what this program may not hold.
pub(crate) fn main(words: Vec<OsString>, far: Obey) -> u8 {
    if let [only] = words.as_slice()
        && (only == "--version" || only == "-v")
    {
        return print(&format!("cofferdam {VERSION}\n"));
    }
    if let Some(cli) = usual(&words) {
        return obey(cli, far);
    }
    let mut definitions = Cli::command();
    let words = go_flags::normalise(words, &definitions);
    match parse(&mut definitions, words.clone()) {
        Ok(cli) => obey(cli, far),
        Err(error) => refuse(&error, &words),
    }
}

/// Parses a line that names a command and has nothing wrong, with the definition of that command only.
fn usual(words: &[OsString]) -> Option<Cli> {
    let mut root =
        Global::augment_args(clap::Command::new("cofferdam").version(VERSION).disable_version_flag(true))
            .args_override_self(true);
    let name = go_flags::command(words, &root)?;
    root = root.subcommand(commands::definition(name)?);
    let words = go_flags::normalise(words.to_vec(), &root);
    parse(&mut root, words).ok()
}

fn parse(definitions: &mut clap::Command, words: Vec<OsString>) -> Result<Cli, clap::Error> {
    let line = std::iter::once(OsString::from("cofferdam")).chain(words);
    definitions.try_get_matches_from_mut(line).and_then(|matches| Cli::from_arg_matches(&matches))
}

fn obey(cli: Cli, far: Obey) -> u8 {
    let global = &cli.global;
    let level = Level::new(global.log_level.as_deref(), global.debug);
    let log = match level.and_then(|level| Log::open(global.log.as_deref(), &global.log_format, level)) {
        Ok(log) => log,
        Err(failure) => return report(&Log::to_stderr(), &failure),
    };
    let outcome =
        Context::new(&cli.global, log.clone()).and_then(|context| cli.command.execute(&context, far));
    match outcome {
        Ok(code) => exit_code(code),
        Err(failure) => report(&log, &failure),
    }
}

/// The whole command line.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

/// What a program does that was started to find out names for a container, if that is what it was started for.
pub(crate) fn service(words: &[OsString]) -> Option<u8> {
    match words {
        [only] if only == options::NAME_SERVICE => Some(cofferdam::name_service().map_or(1, |()| 0)),
        _ => None,
    }
}

/// The exit code of a program that another one was to be executed instead of.
pub(crate) fn instead(failure: &Failure) -> u8 {
    report(&Log::to_stderr(), failure)
}

fn print(text: &str) -> u8 {
    match output::text(text) {
        Ok(()) => 0,
        Err(failure) => report(&Log::to_stderr(), &failure),
    }
}

/// Exit codes are a byte; what the kernel says fits, and anything else is a plain failure.
fn exit_code(code: i32) -> u8 {
    u8::try_from(code).unwrap_or(1)
}

fn report(log: &Log, failure: &Failure) -> u8 {
    failure.warnings().iter().for_each(|warning| log.warning(warning));
    log.error(failure.message());
    exit_code(failure.code())
}

fn refuse(error: &clap::Error, words: &[OsString]) -> u8 {
    let log = log_of(words).unwrap_or_else(Log::to_stderr);
    match said(error, &log) {
        Ok(code) => exit_code(code),
        Err(failure) => report(&Log::to_stderr(), &failure),
    }
}

/// Says what a parser has to say. Help and version are no errors; an unknown command has an exit code of its own.
pub(crate) fn said(error: &clap::Error, log: &Log) -> Outcome {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => output::text(&text).map(|()| 0),
        kind => {
            log.usage(text.strip_prefix("error: ").unwrap_or(&text));
            Ok(if kind == ErrorKind::InvalidSubcommand { 3 } else { 1 })
        }
    }
}

/// The log that a line asks for which could not be parsed: the engine looks for the reason there.
fn log_of(words: &[OsString]) -> Option<Log> {
    let value = |flag: &[u8]| {
        let globals = words.iter().take_while(|word| word.as_bytes().starts_with(b"-"));
        globals.filter_map(|word| word.as_bytes().strip_prefix(flag)).last()
    };
    let file = Path::new(OsStr::from_bytes(value(b"--log=")?));
    let format = value(b"--log-format=").and_then(|bytes| std::str::from_utf8(bytes).ok());
    Log::open(Some(file), format.unwrap_or("text"), Level::Warning).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_is_defined_the_same_alone_and_among_others() {
        for among in Cli::command().get_subcommands() {
            let alone = commands::definition(among.get_name()).unwrap();
            let flags = |command: &clap::Command| {
                command.get_arguments().map(|arg| format!("{arg:?}")).collect::<Vec<_>>()
            };
            assert_eq!(flags(&alone), flags(among), "{}", among.get_name());
        }
    }

    #[test]
    fn help_version_and_mistakes_need_every_definition() {
        for line in ["--version", "-v", "help", "run --help", "run", "frob", "", "run -x c"] {
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            assert!(usual(&words).is_none(), "{line}");
        }
        assert!(usual(&["-root".into(), "/x".into(), "run".into(), "c".into()]).is_some());
    }

    #[test]
    fn of_a_flag_that_is_given_twice_the_last_counts() {
        let words: Vec<OsString> =
            ["--root", "/a", "--root=/b", "delete", "--force", "--force", "c"].map(Into::into).into();
        assert_eq!(usual(&words).unwrap().global.root, Some("/b".into()));
        let words: Vec<OsString> =
            ["exec", "--env", "A=1", "--env", "B=2", "--detach", "-d", "c", "sh"].map(Into::into).into();
        assert!(format!("{:?}", usual(&words).unwrap()).contains(r#"["A=1", "B=2"]"#));
    }

    #[test]
    fn the_version_names_the_specification() {
        assert!(VERSION.ends_with(cofferdam::oci::SPEC_VERSION));
    }

    #[test]
    fn a_line_that_cannot_be_parsed_still_names_its_log() {
        let dir = std::env::temp_dir().join(format!("cofferdam-cli-log-{}", std::process::id()));
        let words = ["--debug".into(), "--log-format=json".into(), format!("--log={}", dir.display()).into()];
        assert!(log_of(&words).is_some());
        std::fs::remove_file(&dir).unwrap();
        assert!(log_of(&["run".into(), "--log=/x".into()]).is_none());
    }
}
