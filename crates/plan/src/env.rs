//! `process.env`: each name once, the last value.
//!
//! Called for create and exec alike. See environ(7).

use cofferdam_oci::Pointer;
use std::collections::BTreeSet;

use crate::findings::Findings;

/// The environment, and whether HOME must be looked up: an empty one counts as none, as for runc.
pub(crate) fn decide(at: &Pointer, env: &[String], findings: &mut Findings) -> (Vec<String>, bool) {
    let list = at.key("env");
    let mut seen = BTreeSet::new();
    let mut result = Vec::new();
    let mut home = false;
    for (i, entry) in env.iter().enumerate().rev() {
        let at = list.index(i);
        findings.no_nul(&at, entry);
        let Some((name, value)) = entry.split_once('=') else {
            findings.reject(at, format!("{entry:?} is not NAME=value"));
            continue;
        };
        if name.is_empty() {
            findings.reject(at, format!("{entry:?} has no name"));
        }
        if !seen.insert(name) || (name == "HOME" && value.is_empty()) {
            continue;
        }
        home |= name == "HOME";
        result.push(entry.clone());
    }
    result.reverse();
    (result, !home)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(env: &[&str]) -> (Vec<String>, bool, Vec<String>) {
        let env: Vec<String> = env.iter().map(|e| (*e).to_owned()).collect();
        let mut f = Findings::default();
        let (env, home) = decide(&Pointer::new("/process"), &env, &mut f);
        (env, home, f.told())
    }

    #[test]
    fn the_last_of_several_wins_and_keeps_its_place() {
        let (env, home, told) = decided(&["A=1", "HOME=/a", "B=2", "A=3", "HOME=/b", "C=x=y"]);
        assert_eq!(env, ["B=2", "A=3", "HOME=/b", "C=x=y"]);
        assert!(!home && told.is_empty());
    }

    #[test]
    fn an_empty_home_is_looked_up() {
        assert_eq!(decided(&["HOME=", "A="]), (vec!["A=".to_owned()], true, vec![]));
        assert!(decided(&["HOME=/a", "HOME="]).1);
        assert!(decided(&[]).1);
    }

    #[test]
    fn entries_need_a_name_an_equals_sign_and_no_nul() {
        let (_, _, mut told) = decided(&["novalue", "=x", "A=\0"]);
        told.sort();
        assert_eq!(
            told,
            [
                "/process/env/0: \"novalue\" is not NAME=value",
                "/process/env/1: \"=x\" has no name",
                "/process/env/2: holds a NUL byte",
            ]
        );
    }
}
