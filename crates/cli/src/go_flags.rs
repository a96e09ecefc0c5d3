//! Go's way of writing flags, turned into the way of clap.
//!
//! Engines were written against a command line parsed by Go's flag package: `-bundle x` is `--bundle x`,
//! `--b x` is `-b x`, a flag that wants a value takes the next word whatever it looks like, booleans are
//! switched off by `--flag=false`, and an empty value is no value. Called once, before clap; it may not
//! reject anything: what it does not know goes on unchanged, and clap says what is wrong.

use clap::{Arg, Command};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Commands whose words after the container id belong to another program.
const TAKES_THE_REST: &[&str] = &["exec", "ps"];

/// The command whose first word already belongs to another program.
const TAKES_ALL: &str = "sandbox";

/// Commands that are another line altogether: flags too are that one's.
const ANOTHER: &[&str] = &["agent", NSINIT];

/// The one of them whose line is normalised here too, by its own definitions.
const NSINIT: &str = "nsinit";

/// Its commands whose first word already belongs to another program.
const TAKES_ALL_THERE: &[&str] = &["exec", "init", "nsenter"];

/// Rewrites `words` (without the program's own name) for `root`.
pub(crate) fn normalise(words: Vec<OsString>, root: &Command) -> Vec<OsString> {
    let there = root.get_name() == NSINIT;
    let mut writer = Writer { command: root, in_root: true, there, out: Vec::with_capacity(words.len() + 2) };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            writer.out.push(word);
            break;
        }
        match word.as_bytes() {
            [b'-', rest @ ..] if !rest.is_empty() => writer.flag(&word, rest, &mut words),
            _ => {
                if writer.positional(word) {
                    break;
                }
            }
        }
    }
    writer.out.extend(words);
    writer.out
}

/// The command that `words` name: the first that is neither a flag of `root` nor the value of one.
pub(crate) fn command<'a>(words: &'a [OsString], root: &Command) -> Option<&'a str> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let word = word.to_str()?;
        let Some(flag) = word.strip_prefix('-') else { return Some(word) };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        if !flag.contains('=') && find(root, flag)?.get_action().takes_values() {
            words.next();
        }
    }
    None
}

struct Writer<'a> {
    command: &'a Command,
    in_root: bool,
    /// Whether it is the line of [`NSINIT`].
    there: bool,
    out: Vec<OsString>,
}

impl Writer<'_> {
    /// Takes a word that is no flag; whether everything behind it is to be left alone.
    fn positional(&mut self, word: OsString) -> bool {
        if self.in_root {
            self.in_root = false;
            let found = word.to_str().and_then(|name| self.command.find_subcommand(name));
            self.out.push(word);
            match found {
                Some(command) if ANOTHER.contains(&command.get_name()) => {
                    self.out.push("--".into());
                    return true;
                }
                Some(command) => self.command = command,
                None => return true,
            }
            return false;
        }
        let name = self.command.get_name();
        let takes_all = if self.there { TAKES_ALL_THERE.contains(&name) } else { name == TAKES_ALL };
        if takes_all {
            self.out.push("--".into());
            self.out.push(word);
            return true;
        }
        self.out.push(word);
        if TAKES_THE_REST.contains(&name) && !self.there {
            self.out.push("--".into());
            return true;
        }
        false
    }

    /// Takes a word that starts with a dash; `rest` is what follows the first one.
    fn flag(&mut self, word: &OsStr, rest: &[u8], more: &mut impl Iterator<Item = OsString>) {
        let name = rest.strip_prefix(b"-").unwrap_or(rest);
        let (name, value) = match name.iter().position(|&byte| byte == b'=') {
            Some(at) => (&name[..at], Some(&name[at + 1..])),
            None => (name, None),
        };
        if let Some(arg) = std::str::from_utf8(name).ok().and_then(|name| find(self.command, name)) {
            let value = value.map(OsStr::from_bytes).map(OsStr::to_owned);
            self.known(arg, value, more);
        } else if rest.first() != Some(&b'-') && self.cluster(rest) {
            self.expand(rest, more);
        } else {
            self.out.push(word.to_owned());
        }
    }

    fn known(&mut self, arg: &Arg, value: Option<OsString>, more: &mut impl Iterator<Item = OsString>) {
        let flag = spelled(arg);
        if !arg.get_action().takes_values() {
            match value.as_deref().map(boolean) {
                None | Some(Some(true)) => self.out.push(flag),
                Some(Some(false)) => {}
                Some(None) => self.out.push(joined(flag, &value.unwrap_or_default())),
            }
            return;
        }
        match value.or_else(|| more.next()) {
            Some(value) if value.is_empty() => {}
            Some(value) => self.out.push(joined(flag, &value)),
            None => self.out.push(flag),
        }
    }

    /// Whether all of these letters are flags, so that `-td` is `-t -d`.
    fn cluster(&self, letters: &[u8]) -> bool {
        letters.iter().all(|&letter| find_short(self.command, char::from(letter)).is_some())
    }

    fn expand(&mut self, letters: &[u8], more: &mut impl Iterator<Item = OsString>) {
        for &letter in letters {
            if let Some(arg) = find_short(self.command, char::from(letter)) {
                let value = if arg.get_action().takes_values() { more.next() } else { None };
                self.known(arg, value, more);
            }
        }
    }
}

fn find<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => find_short(command, letter),
        _ => command.get_arguments().find(|arg| arg.get_long() == Some(name)),
    }
}

fn find_short(command: &Command, letter: char) -> Option<&Arg> {
    command.get_arguments().find(|arg| arg.get_short() == Some(letter))
}

fn spelled(arg: &Arg) -> OsString {
    match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}").into(),
        (None, short) => format!("-{}", short.unwrap_or_default()).into(),
    }
}

fn joined(flag: OsString, value: &OsStr) -> OsString {
    let mut bytes = flag.into_vec();
    bytes.push(b'=');
    bytes.extend_from_slice(value.as_bytes());
    OsString::from_vec(bytes)
}

/// The words that Go's `strconv.ParseBool` takes.
pub(crate) fn boolean(word: &OsStr) -> Option<bool> {
    match word.to_str()? {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    fn normal(line: &str) -> String {
        let words = line.split(' ').map(|word| if word == "''" { "" } else { word });
        let out = normalise(words.map(OsString::from).collect(), &Cli::command());
        out.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_single_dash_is_as_good_as_two() {
        assert_eq!(normal("-root /x run -bundle /b -detach c"), "--root=/x run --bundle=/b --detach c");
        assert_eq!(normal("-root=/x list -format=json"), "--root=/x list --format=json");
    }

    #[test]
    fn a_letter_may_have_two_dashes() {
        assert_eq!(normal("run --b /b --d c"), "run --bundle=/b --detach c");
    }

    #[test]
    fn a_flag_takes_the_next_word_whatever_it_looks_like() {
        assert_eq!(normal("update --pids-limit -1 c"), "update --pids-limit=-1 c");
        assert_eq!(normal("run -b --detach c"), "run --bundle=--detach c");
    }

    #[test]
    fn booleans_take_gos_words() {
        assert_eq!(
            normal("--debug=false --systemd-cgroup=T delete --force=1 c"),
            "--systemd-cgroup delete --force c"
        );
        assert_eq!(normal("delete --force=maybe c"), "delete --force=maybe c");
    }

    #[test]
    fn an_empty_value_is_no_value() {
        assert_eq!(normal("create --console-socket= --pid-file '' c"), "create c");
    }

    #[test]
    fn what_follows_the_container_belongs_to_the_command() {
        assert_eq!(normal("exec -d c ls -l --bundle"), "exec --detach c -- ls -l --bundle");
        assert_eq!(normal("ps c -aux"), "ps c -- -aux");
        assert_eq!(normal("sandbox --net host ls -l"), "sandbox --net=host -- ls -l");
        assert_eq!(normal("sandbox -- ls -l"), "sandbox -- ls -l");
    }

    #[test]
    fn what_another_program_gets_is_left_alone() {
        assert_eq!(normal("-debug agent --help"), "--debug agent -- --help");
        assert_eq!(normal("agent learn -o x -- ls -l"), "agent -- learn -o x -- ls -l");
        assert_eq!(normal("agent"), "agent --");
    }

    #[test]
    fn flags_of_run_may_follow_the_container() {
        assert_eq!(normal("run c -d"), "run c --detach");
    }

    #[test]
    fn letters_may_stand_together() {
        assert_eq!(normal("exec -tu 0 c sh"), "exec --tty --user=0 c -- sh");
    }

    #[test]
    fn what_is_unknown_stays() {
        assert_eq!(normal("run --zz c"), "run --zz c");
        assert_eq!(normal("frob -x --bundle y"), "frob -x --bundle y");
        assert_eq!(normal("run -zz c"), "run -zz c");
    }

    #[test]
    fn the_command_stands_behind_the_global_flags() {
        let named = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            command(&words, &Cli::command()).map(str::to_owned)
        };
        assert_eq!(named("--root run -debug --log=x state run").as_deref(), Some("state"));
        assert_eq!(named("-v"), None);
        assert_eq!(named("--unknown run"), None);
    }

    #[test]
    fn a_value_need_not_be_utf8() {
        let words = vec!["run".into(), "-b".into(), OsString::from_vec(vec![b'/', 0xff])];
        let out = normalise(words, &Cli::command());
        assert_eq!(out[1].as_bytes(), b"--bundle=/\xff");
    }
}
