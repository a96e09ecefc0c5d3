//! The command line, as containerd's Go programs read one: `-name value`, `--name value` or `-name=value`, then a verb.
//!
//! Called by `main`. It only reads.

use cofferdam::{Error, ErrorKind, Result};

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    /// The verb.
    pub(crate) action: Action,
    /// Whether to say more in the log.
    pub(crate) debug: bool,
    /// containerd's namespace.
    pub(crate) namespace: String,
    /// The container.
    pub(crate) id: String,
    /// The bundle, for `delete`; otherwise it is the working directory.
    pub(crate) bundle: String,
    /// containerd's own socket.
    pub(crate) address: String,
    /// Where the shim listens; its log only, as it inherits the socket.
    pub(crate) socket: String,
    /// Program that publishes events; events go over ttrpc here.
    pub(crate) publish_binary: String,
    /// What follows the verb.
    pub(crate) rest: Vec<String>,
}

/// The verbs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Action {
    /// Be the shim.
    #[default]
    Serve,
    /// Start one, or find it, and say where it listens.
    Start,
    /// Remove what a dead one left.
    Delete,
    /// Become the program that takes a container's output.
    Log,
    /// Say what this runtime is, as containerd 2 asks.
    Info,
    /// Say the version.
    Version,
}

impl Args {
    /// Reads them, without the program's name.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut args = Self::default();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                args.action = verb(&word)?;
                args.rest = words.collect();
                break;
            };
            let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v.to_owned())));
            match name {
                "debug" => args.debug = value.as_deref() != Some("false"),
                "v" | "version" => args.action = Action::Version,
                "info" => args.action = Action::Info,
                _ => {
                    let place = args.place(name)?;
                    let value = value.or_else(|| words.next());
                    *place = value.ok_or_else(|| wrong(&format!("-{name} needs a value")))?;
                }
            }
        }
        args.complete()
    }

    fn place(&mut self, name: &str) -> Result<&mut String> {
        Ok(match name {
            "namespace" => &mut self.namespace,
            "id" => &mut self.id,
            "bundle" => &mut self.bundle,
            "address" => &mut self.address,
            "socket" => &mut self.socket,
            "publish-binary" => &mut self.publish_binary,
            _ => return Err(wrong(&format!("unknown flag -{name}"))),
        })
    }

    fn complete(self) -> Result<Self> {
        if matches!(self.action, Action::Info | Action::Version) {
            return Ok(self);
        }
        // They become names of files.
        for (flag, value) in [("-namespace", &self.namespace), ("-id", &self.id)] {
            if value.is_empty() || value.contains('/') || value.starts_with('.') {
                return Err(wrong(&format!("{flag} needs a name, not {value:?}")));
            }
        }
        Ok(self)
    }
}

fn verb(word: &str) -> Result<Action> {
    match word {
        "start" => Ok(Action::Start),
        "delete" => Ok(Action::Delete),
        "log" => Ok(Action::Log),
        _ => Err(wrong(&format!("unknown command {word:?}"))),
    }
}

fn wrong(detail: &str) -> Error {
    Error::new(ErrorKind::Configuration, "reading the command line").with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_have_one_dash_or_two_and_their_value_beside_or_behind_a_sign() {
        let args = parse("-namespace k8s.io --id=a -address /run/c.sock -debug start").unwrap();
        assert_eq!((args.namespace.as_str(), args.id.as_str()), ("k8s.io", "a"));
        assert_eq!((args.action, args.debug), (Action::Start, true));
        assert_eq!(parse("-v").unwrap().action, Action::Version);
        assert_eq!(parse("-namespace n -id i").unwrap().action, Action::Serve);
    }

    #[test]
    fn names_that_would_leave_their_directory_are_refused() {
        for line in ["start", "-namespace ../x -id a start", "-namespace n -id . start", "-namespace n -id"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("-namespace n -id a restart").is_err());
    }
}
