//! What can be done in a running container by name: `exec`, `mknod` and `ip`; and the names `nsenter-exec` and
//! so on, under which nsinit started itself to do it.
//!
//! `mknod` and `ip` need no program in the container, nor one of the host's: they are built-in operations of
//! `cofferdam_nsenter`.

use cofferdam_nsenter::{Inside, Interface, Set, Target};
use cofferdam_nsinit::{Config, State};
use std::path::{Path, PathBuf};

use super::attend::enter;
use super::place::of_process;
use super::setting::Setting;
use crate::failure::{Failure, Outcome};
use crate::{output, table};

const S_IFCHR: u32 = 0o020_000;
const S_IFBLK: u32 = 0o060_000;
const S_IFIFO: u32 = 0o010_000;
/// Everybody may use it who may use a device of that number.
const MODE: u32 = 0o666;

/// A function by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Exec,
    Mknod,
    Ip,
}

/// All of them, in the words of nsinit.
const ALL: [(&str, Function, &str); 3] = [
    ("exec", Function::Exec, "execute a process inside an existing container"),
    ("ip", Function::Ip, "display the container's network interfaces"),
    ("mknod", Function::Mknod, "mknod a device inside an existing container: PATH TYPE MAJOR MINOR"),
];

impl Function {
    pub(super) fn of(name: &str) -> Option<Self> {
        ALL.into_iter().find(|(known, ..)| *known == name).map(|(_, function, _)| function)
    }

    /// For the command line.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        Self::of(name).ok_or_else(|| format!("there is no function {name:?}; --list shows them"))
    }
}

/// Prints the functions.
pub(super) fn list() -> Outcome {
    let heading = ["NAME".to_owned(), "USAGE".to_owned()];
    let rows = ALL.map(|(name, _, usage)| [name.to_owned(), usage.to_owned()]);
    let all: Vec<_> = std::iter::once(heading).chain(rows).collect();
    output::text(&table::render(&all))?;
    Ok(0)
}

/// The container's first process, and not another one of its number.
pub(super) fn target(state: &State) -> Result<Target, Failure> {
    Target::open(state.init_pid).and_then(|target| target.recheck(|_| state.is_alive())).map_err(failed)
}

fn failed(error: cofferdam_nsenter::Error) -> Failure {
    Failure::new(error.to_string())
}

/// Makes a device node, as the host's root: the container's may not where it has a user namespace.
pub(super) fn mknod(target: &Target, words: &[String]) -> Outcome {
    let [path, kind, major, minor] = words else {
        return Err(Failure::new(format!(
            "mknod takes 4 arguments, PATH TYPE MAJOR MINOR, and not {}",
            words.len()
        )));
    };
    let mode = MODE
        | match kind.chars().next() {
            Some('c' | 'u') => S_IFCHR,
            Some('b') => S_IFBLK,
            Some('p') => S_IFIFO,
            _ => {
                return Err(Failure::new(format!("mknod: {kind:?} is no type of node (hint: c, u, b or p)")));
            }
        };
    let device = (number("major", major)?, number("minor", minor)?);
    // Like the function of old, from the root and not from the process's directory.
    let path = Path::new("/").join(path);
    target.enter().without(Set::USER).mknod(path, mode, device).map_err(failed)?;
    Ok(0)
}

fn number(what: &str, text: &str) -> Result<u32, Failure> {
    text.parse().map_err(|_| Failure::new(format!("mknod: {text:?} is no {what} number")))
}

/// Prints the network interfaces.
pub(super) fn ip(target: &Target, words: &[String]) -> Outcome {
    if let Some(word) = words.first() {
        return Err(Failure::new(format!("ip takes no arguments, and not {word:?}")));
    }
    let interfaces = target.enter().only(Set::NET).interfaces().map_err(failed)?;
    let heading = ["NAME", "MTU", "MAC", "FLAG", "ADDRS"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading).chain(interfaces.iter().map(row)).collect();
    output::text(&table::render(&rows))?;
    Ok(0)
}

fn row(interface: &Interface) -> [String; 5] {
    let addresses: Vec<_> = interface.addresses.iter().map(|(ip, bits)| format!("{ip}/{bits}")).collect();
    [
        interface.name.clone(),
        interface.mtu.to_string(),
        interface.mac.map_or_else(String::new, |mac| mac.to_string()),
        flags(interface.flags),
        addresses.join(","),
    ]
}

/// `up|broadcast|multicast`, see netdevice(7).
fn flags(bits: u32) -> String {
    const NAMES: [(u32, &str); 5] =
        [(0x1, "up"), (0x2, "broadcast"), (0x8, "loopback"), (0x10, "pointtopoint"), (0x1000, "multicast")];
    let set: Vec<_> = NAMES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "0".to_owned() } else { set.join("|") }
}

/// Do something inside of the container whose first process has a number
///
/// What the names nsenter-exec, nsenter-mknod and nsenter-ip stand for.
#[derive(Debug, clap::Args)]
pub(super) struct Nsenter {
    /// Function to run
    #[arg(long, value_name = "NAME", value_parser = Function::parse)]
    func: Function,
    /// The process
    #[arg(long, value_name = "PID", required = true)]
    nspid: i32,
    /// Take this terminal for standard input, output and error, and give the program one of its own
    #[arg(long, value_name = "FILE")]
    console: Option<PathBuf>,
    /// Program and arguments, or the function's
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Nsenter {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        match self.func {
            Function::Exec => {
                let console = self.console.as_deref().or(setting.console.as_deref());
                let state = of_process(setting, self.nspid)?;
                enter(setting, &state, &Config::default(), &self.words, console)
            }
            Function::Mknod => mknod(&Target::open(self.nspid).map_err(failed)?, &self.words),
            Function::Ip => ip(&Target::open(self.nspid).map_err(failed)?, &self.words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_names() {
        assert_eq!(flags(0x1 | 0x8), "up|loopback");
        assert_eq!(flags(0x1002), "broadcast|multicast");
        assert_eq!(flags(0), "0");
    }

    #[test]
    fn functions_have_names() {
        for (name, function, _) in ALL {
            assert_eq!(Function::of(name), Some(function));
        }
        assert!(Function::parse("frob").is_err());
    }
}
